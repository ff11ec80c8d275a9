//! Times as the APIs write them. Long answers are full of them, and each is written digit by digit,
//! without the machinery of formats.

use time::OffsetDateTime;

/// A time in ASCII: `2026-11-21T07:00:28.042000`, of which each API shows a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp([u8; 26]);

impl Stamp {
    pub(crate) fn new(at: OffsetDateTime) -> Self {
        let (date, time) = (at.date(), at.time());
        let mut text = *b"0000-00-00T00:00:00.000000";
        // A range of the text, and the number that is there.
        for (range, number) in [
            (0..4, date.year().unsigned_abs()),
            (5..7, u8::from(date.month()).into()),
            (8..10, date.day().into()),
            (11..13, time.hour().into()),
            (14..16, time.minute().into()),
            (17..19, time.second().into()),
            (20..26, time.microsecond()),
        ] {
            let mut rest = number;
            for digit in text[range].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        Self(text)
    }

    /// Up to the second.
    pub(crate) fn seconds(&self) -> &str {
        self.part(19)
    }

    /// With milliseconds.
    pub(crate) fn millis(&self) -> &str {
        self.part(23)
    }

    /// With microseconds.
    pub(crate) fn micros(&self) -> &str {
        self.part(26)
    }

    fn part(&self, length: usize) -> &str {
        std::str::from_utf8(&self.0[..length]).expect("it is ASCII")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_written_to_each_precision() {
        let stamp = Stamp::new(datetime!(2026-01-02 03:04:05.067_089 UTC));
        assert_eq!(stamp.seconds(), "2026-01-02T03:04:05");
        assert_eq!(stamp.millis(), "2026-01-02T03:04:05.067");
        assert_eq!(stamp.micros(), "2026-01-02T03:04:05.067089");
    }
}
