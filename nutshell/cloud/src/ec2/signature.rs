//! Signature version 4, of the one kind of request that this driver makes: a `POST` of a form.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::Secret;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What is signed besides the body, in this order.
const SIGNED_HEADERS: &str = "content-type;host;x-amz-date";
/// The media type of the body.
pub(crate) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// An access key, and where it is used.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) access: String,
    pub(crate) secret: Secret,
    pub(crate) region: String,
    pub(crate) service: &'static str,
}

/// The headers that prove who sends a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// `X-Amz-Date`.
    pub(crate) date: String,
    /// `Authorization`.
    pub(crate) authorization: String,
}

impl Key {
    /// Signs a form for `host` (with its port, where that is not the usual one) and path.
    pub(crate) fn sign(&self, host: &str, path: &str, body: &str, now: OffsetDateTime) -> Signed {
        let date = stamp(now);
        let day = &date[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let canonical = format!(
            "POST\n{path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{date}\n\n\
             {SIGNED_HEADERS}\n{:x}",
            Sha256::digest(body)
        );
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{:x}", Sha256::digest(canonical));
        let secret = format!("AWS4{}", self.secret.expose()).into_bytes();
        let words = [day, &self.region, self.service, "aws4_request", &text];
        let signature = words.iter().fold(secret, |key, word| mac(&key, word));
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, \
             Signature={signature}",
            self.access
        );
        Signed { date, authorization }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is good");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn stamp(now: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    now.to_offset(time::UtcOffset::UTC).format(&format).expect("a date has all of these")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// Amazon's `post-x-www-form-urlencoded` of the published test suite.
    #[test]
    fn amazons_own_example_is_signed_as_amazon_does() {
        let key = Key {
            access: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".to_owned(),
            service: "service",
        };
        let now = datetime!(2015-08-30 12:36:00 UTC);
        let signed = key.sign("example.amazonaws.com", "/", "Param1=value1", now);
        assert_eq!(signed.date, "20150830T123600Z");
        assert!(signed.authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        ));
        assert!(
            signed
                .authorization
                .ends_with("ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
            "{}",
            signed.authorization
        );
    }
}
