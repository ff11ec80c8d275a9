//! Version 4: HMAC with a key that is good for a day, a region and a service, over the request in
//! one form.

use hmac::Mac;
use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::{Doubt, SKEW, Signed, canonical_parameters, encode, mac, parameter};
use crate::query;

/// The one algorithm there is.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The longest that a request in a query may be good for, in seconds: a week.
const EXPIRY_MAX: i64 = 604_800;

/// What a request of version 4 says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Which key has signed.
    pub(super) access: String,
    pub(super) scope: Scope,
    signed_headers: Vec<String>,
    signature: String,
    presigned: Option<Presigned>,
}

/// What a signature is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    date: String,
    pub(super) region: String,
    service: String,
}

/// What a request that is made to be passed on says in its query.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Presigned {
    stamp: String,
    lifetime: Duration,
}

impl Claim {
    /// Reads the header `Authorization`; nothing when it says something else.
    pub(super) fn read(authorization: &str) -> Option<Self> {
        let words = authorization.strip_prefix(ALGORITHM)?.trim_start();
        let word = |name: &str| {
            let mut words = words.split(',').map(str::trim);
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        Self::of(word("Credential")?, word("SignedHeaders")?, word("Signature")?, None)
    }

    /// Reads the parameters of a query that is signed itself.
    pub(super) fn presigned(parameters: &[(String, String)]) -> Option<Self> {
        let text = |name| parameter(parameters, name);
        if text("X-Amz-Algorithm")? != ALGORITHM {
            return None;
        }
        let seconds: i64 = text("X-Amz-Expires")?.parse().ok()?;
        let presigned = Presigned {
            stamp: text("X-Amz-Date")?.to_owned(),
            lifetime: (1..=EXPIRY_MAX).contains(&seconds).then(|| Duration::seconds(seconds))?,
        };
        Self::of(
            text("X-Amz-Credential")?,
            text("X-Amz-SignedHeaders")?,
            text("X-Amz-Signature")?,
            Some(presigned),
        )
    }

    fn of(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        presigned: Option<Presigned>,
    ) -> Option<Self> {
        let credential: Vec<&str> = credential.split('/').collect();
        let [access, date, region, service, "aws4_request"] = credential.as_slice() else {
            return None;
        };
        let scope = Scope {
            date: (*date).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
        };
        Some(Self {
            access: (*access).to_owned(),
            scope,
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            presigned,
        })
    }

    /// Checks that this request was signed with this secret, for this service, and is good now.
    pub(super) fn verify(
        &self,
        signed: Signed<'_>,
        secret: &str,
        service: &str,
        now: OffsetDateTime,
    ) -> Result<(), Doubt> {
        if self.scope.service != service {
            return Err(Doubt::Service);
        }
        let text = |name| signed.headers.get(name).and_then(|value| value.to_str().ok());
        let (stamp, needed) = match &self.presigned {
            Some(presigned) => (presigned.stamp.as_str(), ["host"].as_slice()),
            None => (text("x-amz-date").ok_or(Doubt::NoTime)?, ["host", "x-amz-date"].as_slice()),
        };
        let time = read_time(stamp).ok_or(Doubt::NoTime)?;
        let covered = needed.iter().all(|name| self.signed_headers.iter().any(|it| it == name));
        if !covered || !stamp.starts_with(&self.scope.date) {
            return Err(Doubt::Mismatch);
        }
        let given = hex_bytes(&self.signature).ok_or(Doubt::Mismatch)?;
        let canonical = canonical_request(signed, &self.signed_headers);
        let key = signing_key(secret, &self.scope);
        // Takes the same time however much of it is right.
        let right = mac(&key, &string_to_sign(stamp, &self.scope, &canonical)).verify_slice(&given);
        right.map_err(|_| Doubt::Mismatch)?;
        // Only who has the key learns that it was right.
        let good = match &self.presigned {
            Some(presigned) => time - SKEW <= now && now < time + presigned.lifetime,
            None => (now - time).abs() <= SKEW,
        };
        if good { Ok(()) } else { Err(Doubt::Expired) }
    }
}

/// The request in the one form that both sides make of it.
fn canonical_request(signed: Signed<'_>, headers: &[String]) -> String {
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        signed.method,
        encode(signed.path, b"/"),
        canonical_query(signed.query)
    );
    for name in headers {
        let values = signed.headers.get_all(name).iter();
        let values: Vec<String> = values.map(|value| squeeze(value.as_bytes())).collect();
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    canonical.push_str(&format!("\n{}\n{:x}", headers.join(";"), Sha256::digest(signed.body)));
    canonical
}

/// The query without the signature itself, when it is there.
fn canonical_query(query: &str) -> String {
    let parameters = query::parse(query);
    let others = parameters.iter().filter(|(name, _)| name != "X-Amz-Signature");
    canonical_parameters(others.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// A header's value without the spaces that say nothing.
fn squeeze(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn string_to_sign(stamp: &str, scope: &Scope, canonical: &str) -> String {
    let Scope { date, region, service } = scope;
    let digest = Sha256::digest(canonical);
    format!("{ALGORITHM}\n{stamp}\n{date}/{region}/{service}/aws4_request\n{digest:x}")
}

/// A key that is good for the scope only.
fn signing_key(secret: &str, scope: &Scope) -> Vec<u8> {
    let words = [&scope.date, &scope.region, &scope.service, "aws4_request"];
    let secret = format!("AWS4{secret}").into_bytes();
    words.iter().fold(secret, |key, word| mac(&key, word).finalize().into_bytes().to_vec())
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
    use http::HeaderMap;
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
        Claim::read(&authorization).unwrap().verify(signed, secret, vector.service, now)
    }

    #[test]
    fn the_published_examples_are_right() {
        for vector in &VECTORS {
            assert_eq!(check(vector, vector.body, SECRET, NOW), Ok(()), "{}", vector.signature);
        }
    }

    #[test]
    fn the_published_signing_key_is_derived() {
        let [date, region, service] = ["20150830", "us-east-1", "iam"].map(str::to_owned);
        let key = signing_key(SECRET, &Scope { date, region, service });
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
    }

    /// Amazon's published example of a signed query, which is of another service.
    const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host";

    fn check_presigned(query: &str, now: OffsetDateTime) -> Result<(), Doubt> {
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().unwrap());
        let signed =
            |query| Signed { method: "GET", path: "/", query, headers: &headers, body: b"" };
        let scope = ["20130524", "us-east-1", "s3"].map(str::to_owned);
        let [date, region, service] = scope;
        let scope = Scope { date, region, service };
        let canonical = canonical_request(signed(PRESIGNED), &["host".to_owned()]);
        let text = string_to_sign("20130524T000000Z", &scope, &canonical);
        let signature = mac(&signing_key(SECRET, &scope), &text).finalize().into_bytes();
        let query = format!("{query}&X-Amz-Signature={signature:x}");
        let claim = Claim::presigned(&query::parse(&query)).unwrap();
        claim.verify(signed(&query), SECRET, "s3", now)
    }

    #[test]
    fn a_signed_query_is_good_until_its_end() {
        let made = datetime!(2013-05-24 00:00:00 UTC);
        assert_eq!(check_presigned(PRESIGNED, made + Duration::hours(23)), Ok(()));
        assert_eq!(check_presigned(PRESIGNED, made + Duration::hours(24)), Err(Doubt::Expired));
        assert_eq!(check_presigned(PRESIGNED, made - Duration::hours(1)), Err(Doubt::Expired));
        let longer = PRESIGNED.replace("86400", "96400");
        assert_eq!(check_presigned(&longer, made), Err(Doubt::Mismatch));
        for expires in ["0", "604801", "x"] {
            let query = PRESIGNED.replace("86400", expires) + "&X-Amz-Signature=00";
            assert_eq!(Claim::presigned(&query::parse(&query)), None, "{expires}");
        }
    }
}
