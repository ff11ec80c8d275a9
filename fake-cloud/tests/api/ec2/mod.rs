//! The EC2 API: signed requests, and the same cloud through both APIs.

mod attributes;
mod groups;
mod images;
mod instances;
mod key_pairs;
mod launch_templates;
mod network;
mod places;
mod requests;
mod volumes;
mod vpc;
mod vpc_changes;

use std::fmt::Write;

use fake_cloud::model::AccessKeyPair;
use fake_cloud::settings::UserSettings;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use time::macros::format_description;

use crate::client::Stack;

/// A client that signs as AWS's own do, written from their specification.
pub(crate) struct Ec2<'a> {
    stack: &'a Stack,
    key: AccessKeyPair,
    /// Where requests are sent.
    pub(crate) url: String,
    /// The region they are signed for.
    pub(crate) region: &'static str,
}

/// The status of an answer, and its text.
pub(crate) type Answer = (u16, String);

impl<'a> Ec2<'a> {
    pub(crate) fn of(stack: &'a Stack, user: &str) -> Self {
        let (key, url) = (stack.cloud.access_key(user).unwrap(), stack.cloud.ec2_url());
        Self { stack, key, url, region: "RegionOne" }
    }

    pub(crate) async fn send(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.send_to("ec2", "2016-11-15", action, parameters).await
    }

    pub(crate) async fn send_to(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            write!(body, "&{name}=").unwrap();
            for byte in value.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => body.push(byte.into()),
                    other => write!(body, "%{other:02X}").unwrap(),
                }
            }
        }
        let now = time::OffsetDateTime::now_utc();
        let stamp = format_description!("[year][month][day]T[hour][minute][second]Z");
        let stamp = now.format(&stamp).unwrap();
        let (day, url, region) = (&stamp[..8], &self.url, self.region);
        let host = url.split('/').nth(2).unwrap();
        let canonical = format!(
            "POST\n/ec2/\n\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{:x}",
            Sha256::digest(&body)
        );
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{:x}", Sha256::digest(canonical));
        let mut secret = format!("AWS4{}", self.key.secret).into_bytes();
        for word in [day, region, service, "aws4_request", &text] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(word.as_bytes());
            secret = mac.finalize().into_bytes().to_vec();
        }
        let signature: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, \
             Signature={signature}",
            self.key.access
        );
        let request = self.stack.http.post(url).header("X-Amz-Date", stamp);
        let request = request.header("Authorization", authorization).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A request that must be answered well.
    pub(crate) async fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, text) = self.send(action, parameters).await;
        assert_eq!(status, 200, "{action}: {text}");
        text
    }

    /// The code with which a request is refused.
    pub(crate) async fn refusal(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, text) = self.send(action, parameters).await;
        assert!(status >= 400, "{action}: {text}");
        one(&text, "Code").to_owned()
    }

    pub(crate) async fn image(&self) -> String {
        one(&self.ok("DescribeImages", &[]).await, "imageId").to_owned()
    }

    /// Makes an instance and gives its id.
    pub(crate) async fn run(&self, more: &[(&str, &str)]) -> String {
        let image = self.image().await;
        let mut parameters = vec![
            ("ImageId", image.as_str()),
            ("InstanceType", "m1.tiny"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
        ];
        parameters.extend(more);
        one(&self.ok("RunInstances", &parameters).await, "instanceId").to_owned()
    }
}

/// A cloud in which `bob` has a project of his own beside that of `ada`.
pub(crate) async fn with_bob() -> Stack {
    let bob = UserSettings::member("bob", "babbage", "looms");
    Stack::start_with(|settings| settings.users.push(bob)).await
}

/// The texts of all elements with a name.
pub(crate) fn every<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&begin).skip(1).map(|part| part.split(&end).next());
    parts.map(Option::unwrap).collect()
}

/// The text of the first element with a name.
pub(crate) fn one<'a>(xml: &'a str, name: &str) -> &'a str {
    every(xml, name).first().unwrap_or_else(|| panic!("no {name} in {xml}"))
}
