//! Signatures of requests, version 4 of AWS: who says to have signed, and whether they have.

use hmac::{Hmac, Mac};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use crate::query;

/// The one algorithm there is.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the clocks of client and cloud may be apart.
const SKEW: Duration = Duration::minutes(5);

/// What a request says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    /// Which key has signed.
    pub(crate) access: &'a str,
    /// Day, region and service that the signature is good for.
    pub(crate) scope: Scope<'a>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    date: &'a str,
    region: &'a str,
    /// The service.
    pub(crate) service: &'a str,
}

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

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It does not say when it was made, or not in a way that can be understood.
    NoTime,
    /// It was made too long ago, or in the future.
    Expired,
    /// Another key or another request was signed.
    Mismatch,
}

impl<'a> Claim<'a> {
    /// Reads the header `Authorization`; nothing when it says something else.
    pub(crate) fn read(authorization: &'a str) -> Option<Self> {
        let words = authorization.strip_prefix(ALGORITHM)?.trim_start();
        let word = |name: &str| {
            let mut words = words.split(',').map(str::trim);
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let credential: Vec<&str> = word("Credential")?.split('/').collect();
        let [access, date, region, service, "aws4_request"] = credential.as_slice() else {
            return None;
        };
        Some(Self {
            access,
            scope: Scope { date, region, service },
            signed_headers: word("SignedHeaders")?.split(';').collect(),
            signature: word("Signature")?,
        })
    }

    /// Checks that this request was signed with this secret, just now.
    pub(crate) fn verify(
        &self,
        signed: Signed<'_>,
        secret: &str,
        now: OffsetDateTime,
    ) -> Result<(), Doubt> {
        let text = |name| signed.headers.get(name).and_then(|value| value.to_str().ok());
        let stamp = text("x-amz-date").ok_or(Doubt::NoTime)?;
        let time = read_time(stamp).ok_or(Doubt::NoTime)?;
        let headers = ["host", "x-amz-date"];
        let covered = headers.iter().all(|header| self.signed_headers.contains(header));
        if !covered || !stamp.starts_with(self.scope.date) {
            return Err(Doubt::Mismatch);
        }
        let given = hex_bytes(self.signature).ok_or(Doubt::Mismatch)?;
        let canonical = canonical_request(signed, &self.signed_headers);
        let key = signing_key(secret, self.scope);
        // Takes the same time however much of it is right.
        let right = mac(&key, &string_to_sign(stamp, self.scope, &canonical)).verify_slice(&given);
        right.map_err(|_| Doubt::Mismatch)?;
        // Only who has the key learns that it was right.
        if (now - time).abs() > SKEW { Err(Doubt::Expired) } else { Ok(()) }
    }
}

/// The request in the one form that both sides make of it.
fn canonical_request(signed: Signed<'_>, headers: &[&str]) -> String {
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        signed.method,
        encode(signed.path, b"/"),
        canonical_query(signed.query)
    );
    for name in headers {
        let values = signed.headers.get_all(*name).iter();
        let values: Vec<String> = values.map(|value| squeeze(value.as_bytes())).collect();
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    canonical.push_str(&format!("\n{}\n{:x}", headers.join(";"), Sha256::digest(signed.body)));
    canonical
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query::parse(query)
        .into_iter()
        .map(|(name, value)| (encode(&name, b""), encode(&value, b"")))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

/// A header's value without the spaces that say nothing.
fn squeeze(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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

fn string_to_sign(stamp: &str, scope: Scope<'_>, canonical: &str) -> String {
    let Scope { date, region, service } = scope;
    let digest = Sha256::digest(canonical);
    format!("{ALGORITHM}\n{stamp}\n{date}/{region}/{service}/aws4_request\n{digest:x}")
}

/// A key that is good for the scope only.
fn signing_key(secret: &str, scope: Scope<'_>) -> Vec<u8> {
    let words = [scope.date, scope.region, scope.service, "aws4_request"];
    let secret = format!("AWS4{secret}").into_bytes();
    words.iter().fold(secret, |key, word| mac(&key, word).finalize().into_bytes().to_vec())
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

fn read_time(stamp: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(stamp, format).ok().map(PrimitiveDateTime::assume_utc)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// The key of AWS's own examples.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW: OffsetDateTime = datetime!(2015-08-30 12:36:00 UTC);

    /// A request of AWS's published test suite: its headers, its content and its signature.
    struct Vector {
        method: &'static str,
        query: &'static str,
        service: &'static str,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
        signature: &'static str,
    }

    const GET_VANILLA: Vector = Vector {
        method: "GET",
        query: "",
        service: "service",
        headers: &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
        body: "",
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    };

    const VECTORS: [Vector; 4] = [
        GET_VANILLA,
        Vector {
            query: "Param2=value2&Param1=value1",
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ..GET_VANILLA
        },
        Vector {
            method: "POST",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            body: "Param1=value1",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ..GET_VANILLA
        },
        Vector {
            query: "Action=ListUsers&Version=2010-05-08",
            service: "iam",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ..GET_VANILLA
        },
    ];

    fn check(vector: &Vector, body: &str, secret: &str, now: OffsetDateTime) -> Result<(), Doubt> {
        let names: Vec<&str> = vector.headers.iter().map(|(name, _)| *name).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{}/aws4_request, \
             SignedHeaders={}, Signature={}",
            vector.service,
            names.join(";"),
            vector.signature
        );
        let mut headers = HeaderMap::new();
        for (name, value) in vector.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        let signed = Signed {
            method: vector.method,
            path: "/",
            query: vector.query,
            headers: &headers,
            body: body.as_bytes(),
        };
        Claim::read(&authorization).unwrap().verify(signed, secret, now)
    }

    #[test]
    fn the_published_examples_are_right() {
        for vector in &VECTORS {
            assert_eq!(check(vector, vector.body, SECRET, NOW), Ok(()), "{}", vector.signature);
        }
    }

    #[test]
    fn the_published_signing_key_is_derived() {
        let scope = Scope { date: "20150830", region: "us-east-1", service: "iam" };
        let key = signing_key(SECRET, scope);
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(key, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn another_key_another_content_or_another_time_is_noticed() {
        for vector in &VECTORS {
            assert_eq!(check(vector, vector.body, "other", NOW), Err(Doubt::Mismatch));
            assert_eq!(check(vector, "other", SECRET, NOW), Err(Doubt::Mismatch));
            for late in [Duration::minutes(6), Duration::minutes(-6)] {
                assert_eq!(check(vector, vector.body, SECRET, NOW + late), Err(Doubt::Expired));
                assert_eq!(check(vector, vector.body, "other", NOW + late), Err(Doubt::Mismatch));
            }
        }
        let cut = Vector { signature: "5fa0", ..GET_VANILLA };
        assert_eq!(check(&cut, "", SECRET, NOW), Err(Doubt::Mismatch));
    }

    #[test]
    fn what_is_no_claim_is_not_read() {
        for text in [
            "",
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=a/b/c/aws4_request, SignedHeaders=host, Signature=0",
        ] {
            assert_eq!(Claim::read(text), None, "{text}");
        }
    }

    #[test]
    fn header_values_lose_their_idle_spaces() {
        assert_eq!(squeeze(b"  a   b  c "), "a b c");
        assert_eq!(encode("/a b%~", b"/"), "/a%20b%25~");
    }
}
