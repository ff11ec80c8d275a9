//! The metadata service as a server's programs use it.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Stack;
use crate::ec2::{Ec2, one};

const TOKEN: &str = "X-aws-ec2-metadata-token";
const LIFETIME: &str = "X-aws-ec2-metadata-token-ttl-seconds";

/// A program in the server that has an address: its requests come from there.
struct Program {
    http: reqwest::Client,
    url: String,
}

impl Program {
    fn at(stack: &Stack, address: &str) -> Self {
        let address: Ipv4Addr = address.parse().unwrap();
        let http = reqwest::Client::builder().local_address(Some(address.into()));
        Self { http: http.build().unwrap(), url: stack.cloud.api_url().to_owned() }
    }

    fn send(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.url))
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.send(Method::GET, path).send().await.unwrap().status()
    }

    async fn text(&self, path: &str) -> String {
        let answer = self.send(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Begins a session and gives its token.
    async fn session(&self) -> String {
        let request = self.send(Method::PUT, "latest/api/token").header(LIFETIME, "60");
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()[LIFETIME].as_bytes()),
            (StatusCode::OK, &b"60"[..])
        );
        answer.text().await.unwrap()
    }
}

/// An instance and a program in it.
async fn instance(stack: &Stack, ec2: &Ec2<'_>, more: &[(&str, &str)]) -> (String, Program) {
    let id = ec2.run(more).await;
    let text = ec2.ok("DescribeInstances", &[("InstanceId.1", &id)]).await;
    let program = Program::at(stack, one(&text, "privateIpAddress"));
    (id, program)
}

#[tokio::test]
async fn each_server_finds_itself_by_the_address_it_asks_from() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let data = [0, 1, 255, b'\n'];
    let encoded = STANDARD.encode(data);
    let (first, in_first) = instance(&stack, &ec2, &[("UserData", &encoded)]).await;
    let (second, in_second) = instance(&stack, &ec2, &[]).await;
    assert_eq!(in_first.text("latest/meta-data/instance-id").await, first);
    assert_eq!(in_second.text("2009-04-04/meta-data/instance-id/").await, second);
    let bytes = in_first.send(Method::GET, "latest/user-data").send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap().as_ref(), data);
    assert_eq!(in_second.status("latest/user-data").await, 404);
    let document = in_first.text("openstack/latest/meta_data.json").await;
    let document: Value = serde_json::from_str(&document).unwrap();
    let uuid = document["uuid"].as_str().unwrap().replace('-', "");
    assert_eq!(format!("i-{}", &uuid[..17]), first);
    assert_eq!(Program::at(&stack, "127.0.0.1").status("latest/meta-data/").await, 404);

    let documents = in_first.text("latest/dynamic/instance-identity/document").await;
    let document: Value = serde_json::from_str(&documents).unwrap();
    assert_eq!(
        (&document["instanceId"], &document["region"]),
        (&json!(first), &json!("RegionOne"))
    );
}

#[tokio::test]
async fn sessions_are_wanted_where_the_owner_wants_them() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let (id, program) = instance(&stack, &ec2, &[]).await;
    let (path, named) = ("latest/meta-data/instance-id", ("InstanceId", id.as_str()));
    let token = program.session().await;
    let with = |token: &str| program.send(Method::GET, path).header(TOKEN, token).send();
    let answer = with(&token).await.unwrap();
    assert!(answer.headers().contains_key(LIFETIME));
    assert_eq!(
        (answer.status(), with("wrong").await.unwrap().status()),
        (StatusCode::OK, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(program.status(path).await, 200);

    let required = [named, ("HttpTokens", "required"), ("HttpPutResponseHopLimit", "3")];
    let text = ec2.ok("ModifyInstanceMetadataOptions", &required).await;
    assert_eq!(
        (one(&text, "httpTokens"), one(&text, "httpPutResponseHopLimit")),
        ("required", "3")
    );
    assert_eq!(program.status(path).await, 401);
    assert_eq!(with(&token).await.unwrap().status(), 200);
    let (_, other) = instance(&stack, &ec2, &[]).await;
    let foreign = other.send(Method::GET, path).header(TOKEN, &token).send().await.unwrap();
    assert_eq!(foreign.status(), 401, "a token is good for its own server");

    ec2.ok("ModifyInstanceMetadataOptions", &[named, ("HttpEndpoint", "disabled")]).await;
    assert_eq!(with(&token).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_session_begins_only_as_it_should() {
    let stack = Stack::start().await;
    let (_, program) = instance(&stack, &Ec2::of(&stack, "ada"), &[]).await;
    let begin = |method: Method| program.send(method, "latest/api/token");
    for (request, status) in [
        (begin(Method::PUT), 400),
        (begin(Method::PUT).header(LIFETIME, "21601"), 400),
        (begin(Method::PUT).header(LIFETIME, "60").header("X-Forwarded-For", "1.2.3.4"), 403),
        (begin(Method::GET), 405),
        (program.send(Method::PUT, "latest/meta-data/").header(LIFETIME, "60"), 405),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn tags_are_told_when_they_are_to_be() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let tagged = [
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "role"),
        ("TagSpecification.1.Tag.1.Value", "web"),
    ];
    let (id, program) = instance(&stack, &ec2, &tagged).await;
    assert_eq!(program.status("latest/meta-data/tags/instance/role").await, 404);
    let told = [("InstanceId", id.as_str()), ("InstanceMetadataTags", "enabled")];
    ec2.ok("ModifyInstanceMetadataOptions", &told).await;
    assert_eq!(program.text("latest/meta-data/tags/instance/role").await, "web");
}
