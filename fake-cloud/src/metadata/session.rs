//! Sessions with the metadata service, version 2: tokens that are good for one server and for a
//! while. A token tells its end and proves that we made it, so that there is nothing to keep.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

/// The longest session, in seconds: six hours.
const LIFETIME_MAX: i64 = 21_600;

/// A session: until when it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    end: OffsetDateTime,
}

impl Session {
    /// A session of so many seconds from now; nothing when no session lasts so long.
    pub(super) fn begin(seconds: &str, now: OffsetDateTime) -> Option<Self> {
        let seconds = seconds.parse().ok().filter(|it| (1..=LIFETIME_MAX).contains(it))?;
        Some(Self { end: now + Duration::seconds(seconds) })
    }

    /// What bears the session; `secret` is the server's.
    pub(super) fn token(self, secret: &str) -> String {
        let end = self.end.unix_timestamp().to_be_bytes();
        URL_SAFE.encode([end.as_slice(), &mac(secret, &end).finalize().into_bytes()].concat())
    }

    /// The session of a token that was made with this secret and is good now.
    pub(super) fn read(token: &[u8], secret: &str, now: OffsetDateTime) -> Option<Self> {
        let bytes = URL_SAFE.decode(token).ok()?;
        let (end, proof) = bytes.split_first_chunk::<8>()?;
        mac(secret, end).verify_slice(proof).ok()?;
        let end = OffsetDateTime::from_unix_timestamp(i64::from_be_bytes(*end)).ok()?;
        (now < end).then_some(Self { end })
    }

    /// How long it is still good.
    pub(super) fn left(self, now: OffsetDateTime) -> Duration {
        self.end - now
    }
}

fn mac(secret: &str, end: &[u8]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.expect("HMAC takes keys of any length").chain_update(b"metadata session").chain_update(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_token_is_good_for_its_server_and_its_time() {
        let session = Session::begin("60", NOW).unwrap();
        let token = session.token("secret");
        let read = |secret, seconds| {
            Session::read(token.as_bytes(), secret, NOW + Duration::seconds(seconds))
        };
        assert_eq!(read("secret", 59), Some(session));
        assert_eq!(read("secret", 60), None);
        assert_eq!(read("other", 0), None);
        assert_eq!(session.left(NOW), Duration::MINUTE);
    }

    #[test]
    fn what_is_no_token_or_no_time_begins_nothing() {
        for seconds in ["0", "-1", "21601", "x", ""] {
            assert_eq!(Session::begin(seconds, NOW), None, "{seconds}");
        }
        for token in ["", "AAAA", "AAAAAAAAAAA=", "?"] {
            assert_eq!(Session::read(token.as_bytes(), "secret", NOW), None, "{token}");
        }
    }
}
