//! A client of the EC2 API, signed as AWS's own (Signature Version 4).

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use time::macros::format_description;

use crate::load::Request;

/// Who asks, and where.
pub(crate) struct Ec2 {
    /// As in `http://127.0.0.1:5000/ec2/`.
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) http: reqwest::Client,
}

impl Ec2 {
    /// A signed request, good for some minutes.
    pub(crate) fn request(&self, parameters: &[(&str, &str)]) -> Request {
        let mut body = "Version=2016-11-15".to_owned();
        for (name, value) in parameters {
            // Formatting into a string never fails.
            let _ = write!(body, "&{name}={value}");
        }
        let (_, rest) = self.url.split_once("://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let stamp = time::OffsetDateTime::now_utc().format(&format).expect("a date");
        let day = &stamp[..8];
        let signed = "content-type;host;x-amz-date";
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let digest = hex(&Sha256::digest(&body));
        let canonical = format!(
            "POST\n{path}\n\ncontent-type:{kind}\nhost:{host}\nx-amz-date:{stamp}\n\n{signed}\n{digest}"
        );
        let scope = format!("{day}/{}/ec2/aws4_request", self.region);
        let digest = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let mut secret = format!("AWS4{}", self.secret).into_bytes();
        for word in [day, &self.region, "ec2", "aws4_request", &text] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any key will do");
            mac.update(word.as_bytes());
            secret = mac.finalize().into_bytes().to_vec();
        }
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
            self.access,
            hex(&secret)
        );
        let headers = [
            ("Content-Type", kind.to_owned()),
            ("X-Amz-Date", stamp.clone()),
            ("Authorization", authorization),
        ];
        Request {
            method: "POST",
            url: self.url.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body,
        }
    }

    /// Asks once: the answer's text, and how long it took.
    pub(crate) async fn ask(&self, parameters: &[(&str, &str)]) -> (String, Duration) {
        let signed = self.request(parameters);
        let mut request = self.http.post(&signed.url).body(signed.body);
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let begin = Instant::now();
        let answer = request.send().await.expect("an answer");
        let good = answer.status().is_success();
        let text = answer.text().await.expect("a whole answer");
        assert!(good, "{parameters:?}: {text}");
        (text, begin.elapsed())
    }

    /// Makes instances in one call.
    pub(crate) async fn run(&self, image: &str, kind: &str, count: usize) -> Duration {
        let count = count.to_string();
        let (_, took) = self
            .ask(&[
                ("Action", "RunInstances"),
                ("ImageId", image),
                ("InstanceType", kind),
                ("MinCount", &count),
                ("MaxCount", &count),
            ])
            .await;
        took
    }

    /// The first image there is.
    pub(crate) async fn image(&self) -> String {
        let (text, _) = self.ask(&[("Action", "DescribeImages")]).await;
        let id = text.split("<imageId>").nth(1).and_then(|rest| rest.split('<').next());
        id.expect("an image").to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
