//! Forecasts the load of the coming hour, and says how wrong such forecasts were of late.
//!
//! Three ways compete. Each is asked what it would have said at moments of the last hour and a half,
//! and of the hour that came at this time yesterday; the one that erred least speaks now, and its error
//! is stated. Simpler ways win ties.

use protocol::api::autoscaling::{Forecast, Method};
use time::{Duration, OffsetDateTime};

use super::history::{History, OUTLINE_STEP};

/// Over so many minutes a level is averaged.
const LEVEL: usize = 5;
/// So many minutes are looked back for a trend.
const TREND: usize = 60;
/// Holt's smoothing of the level and of the trend, and the damping of the trend, by the minute.
const ALPHA: f64 = 0.35;
const BETA: f64 = 0.1;
const PHI: f64 = 0.95;
/// The moments at which forecasts are checked: so many, so many minutes apart.
const CHECKS: usize = 18;
const CHECKS_APART: usize = 5;
/// … and of the hour that came at this time yesterday, ten minutes apart.
const CHECKS_YESTERDAY: i32 = 6;
/// From one moment to the next the load is foreseen to change so many times at most.
const MOST_CHANGE: f64 = 10.0;
/// Fewer checks say nothing about the error: this part of the load is taken for it.
const CHECKS_NEEDED: usize = 3;
const ERROR_UNKNOWN: f64 = 0.2;
/// A way that is simpler is taken although it errs by so much more.
const TIE: f64 = 1.1;
/// Without measurements for so many minutes, what was before is of no use.
const LONGEST_GAP: i64 = 20;

/// Foresees the load from one moment on.
pub(super) struct Predictor<'a> {
    history: &'a History,
    now: OffsetDateTime,
    /// Requests a second, a minute each, up to now.
    rates: Vec<f64>,
    method: Method,
    error: f64,
    /// The minutes ahead for which the error was measured.
    lead: usize,
}

impl<'a> Predictor<'a> {
    /// Chooses the way that was best at foreseeing `lead`; `None` when nothing was measured.
    pub(super) fn new(history: &'a History, now: OffsetDateTime, lead: Duration) -> Option<Self> {
        let rates = by_minute(history, now);
        let level = mean_of_last(&rates)?;
        let lead = usize::try_from(lead.whole_minutes()).unwrap_or(1).max(1);
        let mut predictor = Self {
            history,
            now,
            rates,
            method: Method::Steady,
            error: ERROR_UNKNOWN * level,
            lead,
        };
        let mut least = f64::INFINITY;
        for method in [Method::Steady, Method::Trend, Method::Season] {
            if let Some(error) = predictor.error_of(method)
                && error * TIE < least
            {
                (predictor.method, predictor.error, least) = (method, error, error);
            }
        }
        Some(predictor)
    }

    /// The highest load until `ahead`, and the error at that distance.
    pub(super) fn peak(&self, ahead: Duration) -> Forecast {
        let minutes = usize::try_from(ahead.whole_minutes()).unwrap_or(0);
        let peak = (0..=minutes)
            .filter(|minute| *minute <= self.lead || minute % 5 == 0)
            .filter_map(|minute| self.predict(self.method, self.rates.len(), minute))
            .fold(0.0, f64::max);
        // What is farther away is less certain, as a random walk is.
        let farther = (minutes as f64 / self.lead as f64).max(1.0).sqrt().min(2.0);
        Forecast { requests_per_second: peak, error: self.error * farther, method: self.method }
    }

    /// What this way says, knowing the first `known` minutes, of a moment so many minutes later.
    fn predict(&self, method: Method, known: usize, ahead: usize) -> Option<f64> {
        let rates = &self.rates[..known];
        let level = mean_of_last(rates)?;
        match method {
            Method::Steady => Some(level),
            Method::Trend => Some(trend(rates, ahead)),
            Method::Season => {
                let origin = self.now - Duration::minutes((self.rates.len() - known) as i64);
                let middle = Duration::seconds(30 * LEVEL as i64);
                let then = origin + Duration::minutes(ahead as i64);
                Some(level * self.change(origin - middle, then)?)
            }
        }
    }

    /// The root of the mean squared error of what this way would have said.
    fn error_of(&self, method: Method) -> Option<f64> {
        let total = self.rates.len();
        let of_late = (0..CHECKS).filter_map(|check| {
            let known = total.checked_sub(self.lead + check * CHECKS_APART)?;
            if known < 2 * LEVEL {
                return None;
            }
            let said = self.predict(method, known, self.lead)?;
            Some((said - self.rates[known + self.lead - 1]).powi(2))
        });
        let yesterday = (0..CHECKS_YESTERDAY).filter_map(|check| {
            let origin = self.now - Duration::DAY + OUTLINE_STEP * check;
            let then = origin + Duration::minutes(self.lead as i64);
            let level = self.at(origin - OUTLINE_STEP / 2)?;
            let said = match method {
                // Means of ten minutes show no trend.
                Method::Steady | Method::Trend => level,
                Method::Season => level * self.change(origin - OUTLINE_STEP / 2, then)?,
            };
            Some((said - self.at(then)?).powi(2))
        });
        let squares: Vec<f64> = of_late.chain(yesterday).collect();
        if squares.len() < CHECKS_NEEDED {
            return None;
        }
        Some((squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
    }

    /// How many times the load of one moment that of a later one usually is.
    fn change(&self, from: OffsetDateTime, to: OffsetDateTime) -> Option<f64> {
        let usual = |moment| self.usual(moment).filter(|rate| *rate > 0.0);
        Some((usual(to)? / usual(from)?).clamp(1.0 / MOST_CHANGE, MOST_CHANGE))
    }

    /// The load that is usual at this time: that of a week ago, else of the last days.
    fn usual(&self, moment: OffsetDateTime) -> Option<f64> {
        let of = |days: &[i64]| {
            let rates: Vec<f64> =
                days.iter().filter_map(|days| self.at(moment - Duration::days(*days))).collect();
            (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
        };
        of(&[7, 14]).or_else(|| of(&[1, 2, 3]))
    }

    /// The load of a past moment, between the means of ten minutes.
    fn at(&self, moment: OffsetDateTime) -> Option<f64> {
        let outline = self.history.outline();
        let from_middle = moment.unix_timestamp() - OUTLINE_STEP.whole_seconds() / 2;
        let after = outline.partition_point(|entry| entry.begin <= from_middle);
        let (left, right) = (outline.get(after.checked_sub(1)?)?, outline.get(after)?);
        if right.begin - left.begin > OUTLINE_STEP.whole_seconds() {
            return None;
        }
        let part = (from_middle - left.begin) as f64 / OUTLINE_STEP.as_seconds_f64();
        Some(left.rate() * (1.0 - part) + right.rate() * part)
    }
}

/// The measurements as one number a minute, the last one that of the minute before now. Short gaps
/// are bridged; before a long one, nothing counts.
fn by_minute(history: &History, now: OffsetDateTime) -> Vec<f64> {
    let mut rates: Vec<f64> = Vec::new();
    // How many minutes ago the last entry was, and of how many measurements it is the mean.
    let (mut last, mut count) = (0, 0.0);
    for measurement in history.recent() {
        let ago = (now - measurement.at).whole_minutes();
        let rate = measurement.requests_per_second;
        match rates.last_mut() {
            Some(entry) if ago == last => {
                count += 1.0;
                *entry += (rate - *entry) / count;
                continue;
            }
            Some(entry) if last - ago <= LONGEST_GAP => {
                let before = *entry;
                let missing = usize::try_from(last - ago - 1).unwrap_or(0);
                rates.extend(std::iter::repeat_n(before, missing));
            }
            _ => rates.clear(),
        }
        rates.push(rate);
        (last, count) = (ago, 1.0);
    }
    rates
}

fn mean_of_last(rates: &[f64]) -> Option<f64> {
    let last = &rates[rates.len().saturating_sub(LEVEL)..];
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
}

/// Holt's linear trend, damped.
fn trend(rates: &[f64], ahead: usize) -> f64 {
    let rates = &rates[rates.len().saturating_sub(TREND)..];
    let (first, rest) = rates.split_at(LEVEL.min(rates.len()));
    let mut level = first.iter().sum::<f64>() / first.len().max(1) as f64;
    let mut slope = 0.0;
    for rate in rest {
        let before = level;
        level = ALPHA * rate + (1.0 - ALPHA) * (level + PHI * slope);
        slope = BETA * (level - before) + (1.0 - BETA) * PHI * slope;
    }
    let steps = PHI * (1.0 - PHI.powi(i32::try_from(ahead).unwrap_or(i32::MAX))) / (1.0 - PHI);
    (level + slope * steps).max(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::history::Measurement;
    use super::*;

    /// The history of a load given by the minute, and the moment at its end.
    fn after(minutes: i64, load: impl Fn(i64) -> f64) -> (History, OffsetDateTime) {
        let mut history = History::default();
        let at = |minute| OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute);
        for minute in 1..=minutes {
            history.add(Measurement {
                at: at(minute),
                requests_per_second: load(minute),
                response: None,
                backends: BTreeMap::new(),
                nodes: BTreeMap::new(),
            });
        }
        (history, at(minutes))
    }

    fn peak(minutes: i64, ahead: i64, load: impl Fn(i64) -> f64) -> Forecast {
        let (history, now) = after(minutes, load);
        let predictor = Predictor::new(&history, now, Duration::minutes(10)).unwrap();
        predictor.peak(Duration::minutes(ahead))
    }

    #[test]
    fn a_steady_load_stays() {
        let forecast = peak(180, 60, |_| 7.0);
        assert_eq!(forecast.method, Method::Steady);
        assert!((forecast.requests_per_second - 7.0).abs() < 1e-9 && forecast.error < 1e-9);
    }

    #[test]
    fn a_ramp_goes_on_for_a_while_and_not_for_ever() {
        let forecast = peak(120, 10, |minute| minute as f64);
        assert_eq!(forecast.method, Method::Trend);
        assert!((122.0..=132.0).contains(&forecast.requests_per_second), "{forecast:?}");
        assert!(forecast.error < 6.0);
        let hour = peak(120, 60, |minute| minute as f64);
        assert!(hour.requests_per_second < 150.0 && hour.error > forecast.error);
    }

    #[test]
    fn a_load_that_falls_never_falls_below_nothing() {
        let forecast = peak(100, 60, |minute| (100 - minute) as f64);
        assert!(forecast.requests_per_second >= 0.0);
    }

    #[test]
    fn after_a_day_the_morning_is_expected() {
        // Ten at night, fifty from eight in the morning; now it is five to eight.
        let load = |minute: i64| if (480..1200).contains(&(minute % 1440)) { 50.0 } else { 10.0 };
        let morning = |day: i64| peak(day * 1440 + 475, 30, load);
        assert!(morning(0).requests_per_second < 11.0, "nobody could know");
        let third = morning(2);
        assert_eq!(third.method, Method::Season);
        assert!(third.requests_per_second > 35.0, "{third:?}");
    }

    #[test]
    fn weekends_differ_once_a_week_is_known() {
        let load = |minute: i64| {
            let (day, of_day) = (minute / 1440 % 7, (minute % 1440) as f64);
            let wave = 20.0 - 15.0 * (of_day / 1440.0 * std::f64::consts::TAU).cos();
            if day < 5 { wave } else { 5.0 + wave / 10.0 }
        };
        // Saturday of the third week, at nine.
        let forecast = peak((14 + 5) * 1440 + 540, 60, load);
        let weekday = peak((14 + 4) * 1440 + 540, 60, load);
        assert!(forecast.requests_per_second < 10.0, "{forecast:?}");
        assert!(weekday.requests_per_second > 25.0, "{weekday:?}");
    }

    #[test]
    fn the_error_grows_with_the_noise() {
        let noise = |minute: i64| ((minute * 7919) % 101) as f64 / 50.0 - 1.0;
        let errors = [0.0, 5.0, 20.0].map(|size| peak(180, 10, |m| 100.0 + size * noise(m)).error);
        assert!(errors[0] < errors[1] && errors[1] < errors[2], "{errors:?}");
        assert!(errors[2] > 8.0, "{errors:?}");
    }

    #[test]
    fn gaps_are_bridged_or_end_what_counts() {
        let (history, now) = after(100, |minute| minute as f64);
        assert_eq!(by_minute(&history, now).len(), 100);
        for (gap, left) in [(10, 90), (30, 25)] {
            let mut broken = History::default();
            for measurement in history.recent() {
                let ago = (now - measurement.at).whole_minutes();
                // Ten missing minutes, or thirty, that ended 25 minutes ago.
                let missing = (25..25 + gap).contains(&ago);
                if !missing && ago < 90 {
                    broken.add(measurement.clone());
                }
            }
            assert_eq!(by_minute(&broken, now).len(), left);
        }
        assert!(Predictor::new(&History::default(), now, Duration::minutes(5)).is_none());
    }
}
