//! Version 2, which clients of long ago sign with: HMAC over the sorted parameters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{Doubt, SKEW, Signed, canonical_parameters, parameter};

/// What a request of version 2 says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Which key has signed.
    pub(super) access: String,
    method: Method,
    signature: String,
}

/// How it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Sha1,
    Sha256,
}

impl Claim {
    /// Reads the parameters; nothing when they are not all there, or are of another version.
    pub(super) fn read(parameters: &[(String, String)]) -> Option<Self> {
        let text = |name| parameter(parameters, name);
        if text("SignatureVersion")? != "2" {
            return None;
        }
        let method = match text("SignatureMethod")? {
            "HmacSHA1" => Method::Sha1,
            "HmacSHA256" => Method::Sha256,
            _ => return None,
        };
        Some(Self {
            access: text("AWSAccessKeyId")?.to_owned(),
            method,
            signature: text("Signature")?.to_owned(),
        })
    }

    /// Checks that these parameters were signed with this secret, just now.
    pub(super) fn verify(
        &self,
        signed: Signed<'_>,
        parameters: &[(String, String)],
        secret: &str,
        now: OffsetDateTime,
    ) -> Result<(), Doubt> {
        let time =
            |name| parameter(parameters, name).map(|text| read_time(text).ok_or(Doubt::NoTime));
        let (made, expires) = (time("Timestamp").transpose()?, time("Expires").transpose()?);
        let host = signed.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_lowercase();
        // Some clients sign the host's name alone, whatever the port.
        let bare = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let right =
            [host.as_str(), bare].iter().any(|host| self.fits(signed, host, parameters, secret));
        if !right {
            return Err(Doubt::Mismatch);
        }
        // Only who has the key learns that it was right.
        match (made, expires) {
            (_, Some(end)) if now < end => Ok(()),
            (Some(made), None) if (now - made).abs() <= SKEW => Ok(()),
            (None, None) => Err(Doubt::NoTime),
            _ => Err(Doubt::Expired),
        }
    }

    fn fits(
        &self,
        signed: Signed<'_>,
        host: &str,
        parameters: &[(String, String)],
        secret: &str,
    ) -> bool {
        let others = parameters.iter().filter(|(name, _)| name != "Signature");
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let (method, path) = (signed.method, signed.path);
        let text = format!("{method}\n{host}\n{path}\n{}", canonical_parameters(others));
        let Ok(given) = STANDARD.decode(&self.signature) else { return false };
        let algorithm = match self.method {
            Method::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Method::Sha256 => hmac::HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        // Takes the same time however much of it is right.
        hmac::verify(&key, text.as_bytes(), &given).is_ok()
    }
}

/// Clients write the time with a zone, or without one and mean UTC.
fn read_time(text: &str) -> Option<OffsetDateTime> {
    let plain = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let zoned = OffsetDateTime::parse(text, &Rfc3339).ok();
    zoned.or_else(|| PrimitiveDateTime::parse(text, plain).ok().map(PrimitiveDateTime::assume_utc))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    /// The example of Amazon's documentation of version 2.
    const QUERY: &str = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows\
        &SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-10-03T15%3A19%3A30\
        &Version=2009-03-31&Signature=i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const NOW: OffsetDateTime = datetime!(2011-10-03 15:19:30 UTC);

    fn check(query: &str, secret: &str, now: OffsetDateTime) -> Result<(), Doubt> {
        let mut headers = HeaderMap::new();
        headers.insert("host", "elasticmapreduce.amazonaws.com".parse().unwrap());
        let signed = Signed { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
        let parameters = crate::query::parse(query);
        Claim::read(&parameters).unwrap().verify(signed, &parameters, secret, now)
    }

    #[test]
    fn the_published_example_is_right() {
        assert_eq!(check(QUERY, SECRET, NOW), Ok(()));
    }

    #[test]
    fn another_key_another_request_or_another_time_is_noticed() {
        assert_eq!(check(QUERY, "other", NOW), Err(Doubt::Mismatch));
        assert_eq!(check(&QUERY.replace("JobFlows", "Jobs"), SECRET, NOW), Err(Doubt::Mismatch));
        assert_eq!(check(QUERY, SECRET, NOW + Duration::minutes(6)), Err(Doubt::Expired));
        assert_eq!(check(&QUERY.replace("2011-", "soon-"), SECRET, NOW), Err(Doubt::NoTime));
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        assert_eq!(read_time("2011-10-03T15:19:30"), Some(NOW));
        assert_eq!(read_time("2011-10-03T15:19:30Z"), Some(NOW));
        assert_eq!(read_time("2011-10-03T15:19:30.000Z"), Some(NOW));
        assert_eq!(read_time("yesterday"), None);
    }
}
