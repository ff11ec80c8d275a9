//! Signatures of requests: who says to have signed, and whether they have. Version 4 in a header
//! or, for requests that are made to be passed on, in the query; and the older version 2.

mod v2;
mod v4;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

/// How far the clocks of client and cloud may be apart.
const SKEW: Duration = Duration::minutes(5);

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The path as it was sent.
    pub(crate) path: &'a str,
    /// The query as it was sent.
    pub(crate) query: &'a str,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The content.
    pub(crate) body: &'a [u8],
}

/// What a request says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Version 4.
    V4(v4::Claim),
    /// Version 2.
    V2(v2::Claim),
}

/// Why there is no claim to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoClaim {
    /// Nothing is said of a signature.
    Missing,
    /// What is said cannot be understood.
    Malformed,
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It does not say when it was made, or not in a way that can be understood.
    NoTime,
    /// It was made too long ago, or in the future.
    Expired,
    /// It was made for another service.
    Service,
    /// Another key or another request was signed.
    Mismatch,
}

impl Claim {
    /// Finds what a request says of its signature: in its header, in its query or, in version 2, in
    /// its content. `parameters` are those of query and content.
    pub(crate) fn find(
        headers: &HeaderMap,
        parameters: &[(String, String)],
    ) -> Result<Self, NoClaim> {
        if let Some(header) = headers.get(http::header::AUTHORIZATION) {
            let claim = header.to_str().ok().and_then(v4::Claim::read);
            return claim.map(Self::V4).ok_or(NoClaim::Malformed);
        }
        let has = |name: &str| parameters.iter().any(|(known, _)| known == name);
        if has("X-Amz-Algorithm") {
            let claim = v4::Claim::presigned(parameters);
            claim.map(Self::V4).ok_or(NoClaim::Malformed)
        } else if has("AWSAccessKeyId") {
            v2::Claim::read(parameters).map(Self::V2).ok_or(NoClaim::Malformed)
        } else {
            Err(NoClaim::Missing)
        }
    }

    /// Which key is said to have signed.
    pub(crate) fn access(&self) -> &str {
        match self {
            Self::V4(claim) => &claim.access,
            Self::V2(claim) => &claim.access,
        }
    }

    /// For which region it is good; version 2 does not say.
    pub(crate) fn region(&self) -> Option<&str> {
        match self {
            Self::V4(claim) => Some(&claim.scope.region),
            Self::V2(_) => None,
        }
    }

    /// Checks that this request was signed with this secret, for this service and now.
    pub(crate) fn verify(
        &self,
        signed: Signed<'_>,
        parameters: &[(String, String)],
        secret: &str,
        service: &str,
        now: OffsetDateTime,
    ) -> Result<(), Doubt> {
        match self {
            Self::V4(claim) => claim.verify(signed, secret, service, now),
            Self::V2(claim) => claim.verify(signed, parameters, secret, now),
        }
    }
}

/// The value of a parameter.
fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// Encodes everything but letters, digits, `-_.~` and what else is to be kept.
fn encode(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Parameters in the one form and order that both sides make of them.
fn canonical_parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encoded =
        parameters.into_iter().map(|(name, value)| (encode(name, b""), encode(value, b"")));
    let mut pairs: Vec<(String, String)> = encoded.collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_where_it_is() {
        let pairs = |query: &str| crate::query::parse(query);
        let find = |query: &str| Claim::find(&HeaderMap::new(), &pairs(query));
        assert_eq!(find("Action=X"), Err(NoClaim::Missing));
        assert_eq!(find("X-Amz-Algorithm=AWS4-HMAC-SHA256"), Err(NoClaim::Malformed));
        assert_eq!(find("AWSAccessKeyId=a"), Err(NoClaim::Malformed));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic abc".parse().unwrap());
        assert_eq!(Claim::find(&headers, &[]), Err(NoClaim::Malformed));
        assert_eq!(encode("/a b%~", b"/"), "/a%20b%25~");
    }
}
