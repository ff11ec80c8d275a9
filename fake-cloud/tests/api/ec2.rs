//! The EC2 API: signed requests, and the same cloud through both APIs.

use std::fmt::Write;

use fake_cloud::model::AccessKeyPair;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use time::macros::format_description;

use crate::client::Stack;

/// A client that signs as AWS's own do, written from their specification.
pub(crate) struct Ec2<'a> {
    stack: &'a Stack,
    key: AccessKeyPair,
}

/// The status of an answer, and its text.
pub(crate) type Answer = (u16, String);

impl<'a> Ec2<'a> {
    pub(crate) fn of(stack: &'a Stack, user: &str) -> Self {
        Self { stack, key: stack.cloud.access_key(user).unwrap() }
    }

    pub(crate) async fn send(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut body = format!("Action={action}&Version=2016-11-15");
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
        let (day, url) = (&stamp[..8], self.stack.cloud.ec2_url());
        let host = self.stack.cloud.address().to_string();
        let canonical = format!(
            "POST\n/ec2/\n\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{:x}",
            Sha256::digest(&body)
        );
        let scope = format!("{day}/RegionOne/ec2/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{:x}", Sha256::digest(canonical));
        let mut secret = format!("AWS4{}", self.key.secret).into_bytes();
        for word in [day, "RegionOne", "ec2", "aws4_request", &text] {
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
    async fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, text) = self.send(action, parameters).await;
        assert_eq!(status, 200, "{action}: {text}");
        text
    }

    /// The code with which a request is refused.
    async fn refusal(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let (status, text) = self.send(action, parameters).await;
        assert!(status >= 400, "{action}: {text}");
        one(&text, "Code").to_owned()
    }

    async fn image(&self) -> String {
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

/// The texts of all elements with a name.
fn every<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&begin).skip(1).map(|part| part.split(&end).next());
    parts.map(Option::unwrap).collect()
}

/// The text of the first element with a name.
fn one<'a>(xml: &'a str, name: &str) -> &'a str {
    every(xml, name).first().unwrap_or_else(|| panic!("no {name} in {xml}"))
}

#[tokio::test]
async fn a_server_is_the_same_through_both_apis() {
    let stack = Stack::start().await;
    let (ec2, ada) = (Ec2::of(&stack, "ada"), stack.ada().await);
    let tag = [
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "web & co"),
        ("TagSpecification.1.Tag.2.Key", "role"),
        ("TagSpecification.1.Tag.2.Value", "front"),
    ];
    let id = ec2.run(&tag).await;
    let servers = ada.get("/compute/v2.1/servers/detail").await;
    let server = &servers["servers"][0];
    assert_eq!((&server["name"], &server["status"]), (&json!("web & co"), &json!("ACTIVE")));
    assert_eq!(server["metadata"]["role"], "front");

    let other = ada.create_server("made-by-openstack").await;
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert!(text.contains("xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\""), "{text}");
    let ids = every(&text, "instanceId");
    let expected = format!("i-{}", &other.replace('-', "")[..17]);
    assert_eq!(ids, [id.as_str(), &expected], "stably made from the server's own id");
    assert!(text.contains("<value>made-by-openstack</value>"));
    assert_eq!(every(&text, "privateIpAddress").len(), 6, "with those of interfaces");

    let text = ec2.ok("TerminateInstances", &[("InstanceId.1", &expected)]).await;
    assert!(one(&text, "previousState").contains("running"), "{text}");
    assert_eq!(
        ada.refusal(reqwest::Method::GET, &format!("/compute/v2.1/servers/{other}")).await.0,
        404
    );
    let text = ec2.ok("DescribeInstances", &[("InstanceId.1", &expected)]).await;
    assert!(one(&text, "instanceState").contains("<name>terminated</name>"), "{text}");
}

#[tokio::test]
async fn only_right_signatures_are_believed() {
    let stack = Stack::start().await;
    let mut ec2 = Ec2::of(&stack, "ada");
    let request = || stack.http.post(stack.cloud.ec2_url()).body("Action=DescribeRegions");
    let text = request().send().await.unwrap().text().await.unwrap();
    assert_eq!(one(&text, "Code"), "MissingAuthenticationToken");
    let text = request().header("Authorization", "Basic x").send().await.unwrap();
    assert_eq!(one(&text.text().await.unwrap(), "Code"), "IncompleteSignature");

    stack.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "RequestExpired");
    ec2.key.secret.push('x');
    assert_eq!(ec2.send("DescribeRegions", &[]).await.0, 403);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "SignatureDoesNotMatch");
    ec2.key.access.push('X');
    assert_eq!(ec2.send("DescribeRegions", &[]).await.0, 401);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "AuthFailure");
}

#[tokio::test]
async fn what_is_not_known_is_refused() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let image = ec2.image().await;
    let run = |image: &'static str, more: &'static [(&str, &str)]| {
        let mut parameters = vec![("ImageId", image), ("MinCount", "1"), ("MaxCount", "1")];
        parameters.extend(more);
        parameters
    };
    let image: &'static str = image.leak();
    for (code, parameters) in [
        ("InvalidAMIID.NotFound", run("ami-00000000000000000", &[])),
        ("InvalidAMIID.Malformed", run("debian", &[])),
        ("InvalidParameterValue", run(image, &[("InstanceType", "t9.huge")])),
        ("InvalidKeyPair.NotFound", run(image, &[("KeyName", "none")])),
        ("InvalidGroup.NotFound", run(image, &[("SecurityGroup.1", "none")])),
        ("InvalidSubnetID.NotFound", run(image, &[("SubnetId", "subnet-00000000000000000")])),
        ("MissingParameter", vec![("ImageId", image), ("MinCount", "1")]),
        ("DryRunOperation", run(image, &[("DryRun", "true")])),
    ] {
        assert_eq!(ec2.refusal("RunInstances", &parameters).await, code);
    }
    assert_eq!(every(&ec2.ok("DescribeInstances", &[]).await, "item").len(), 0);
    let missing = [("InstanceId.1", "i-00000000000000000")];
    for action in ["DescribeInstances", "TerminateInstances", "StopInstances", "RebootInstances"] {
        assert_eq!(ec2.refusal(action, &missing).await, "InvalidInstanceID.NotFound", "{action}");
    }
    assert_eq!(ec2.refusal("DescribeSpaceships", &[]).await, "InvalidAction");
}

#[tokio::test]
async fn a_client_token_makes_instances_once() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let first = ec2.run(&[("ClientToken", "once")]).await;
    assert_eq!(ec2.run(&[("ClientToken", "once")]).await, first);
    assert_ne!(ec2.run(&[("ClientToken", "twice")]).await, first);
    let image = ec2.image().await;
    let other = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "2"),
        ("ClientToken", "once"),
    ];
    assert_eq!(ec2.refusal("RunInstances", &other).await, "IdempotentParameterMismatch");
    assert_eq!(every(&ec2.ok("DescribeInstances", &[]).await, "instanceId").len(), 2);
}

#[tokio::test]
async fn the_life_of_an_instance() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let id = ec2.run(&[]).await;
    let it = [("InstanceId.1", id.as_str())];
    let state = async || one(&ec2.ok("DescribeInstances", &it).await, "name").to_owned();
    assert_eq!(state().await, "running");
    let text = ec2.ok("DescribeInstanceStatus", &it).await;
    assert_eq!(every(&text, "status"), ["ok", "passed", "ok", "passed"]);
    for _ in 0..2 {
        ec2.ok("StopInstances", &it).await;
        assert_eq!(state().await, "stopped");
    }
    assert_eq!(ec2.refusal("RebootInstances", &it).await, "IncorrectInstanceState");
    ec2.ok("StartInstances", &it).await;
    ec2.ok("RebootInstances", &it).await;
    assert_eq!(state().await, "running");
    ec2.ok("GetConsoleOutput", &[("InstanceId", &id)]).await;
    for _ in 0..2 {
        ec2.ok("TerminateInstances", &it).await;
        assert_eq!(state().await, "terminated");
    }
    assert_eq!(ec2.refusal("StartInstances", &it).await, "IncorrectInstanceState");
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    for index in 0..7 {
        let role = if index < 2 { "web" } else { "db" };
        let tag = [
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "role"),
            ("TagSpecification.1.Tag.1.Value", role),
        ];
        ec2.run(&tag).await;
    }
    let web = [("Filter.1.Name", "tag:role"), ("Filter.1.Value.1", "w*")];
    assert_eq!(every(&ec2.ok("DescribeInstances", &web).await, "instanceId").len(), 2);
    let text = ec2.ok("DescribeInstances", &[("MaxResults", "5")]).await;
    assert_eq!(every(&text, "instanceId").len(), 5);
    let next = [("MaxResults", "5"), ("NextToken", one(&text, "nextToken"))];
    let text = ec2.ok("DescribeInstances", &next).await;
    assert_eq!((every(&text, "instanceId").len(), every(&text, "nextToken").len()), (2, 0));
    let wrong = [("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")];
    assert_eq!(ec2.refusal("DescribeInstances", &wrong).await, "InvalidParameterValue");
}

#[tokio::test]
async fn the_public_address_follows_the_elastic_ip() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let (first, second) = (ec2.run(&[]).await, ec2.run(&[]).await);
    let text = ec2.ok("AllocateAddress", &[("Domain", "vpc")]).await;
    let (address, allocation) = (one(&text, "publicIp"), one(&text, "allocationId"));
    let public = async |id: &str| {
        let text = ec2.ok("DescribeInstances", &[("InstanceId.1", id)]).await;
        every(&text, "ipAddress").first().map(|address| (*address).to_owned())
    };
    for id in [&first, &second] {
        ec2.ok("AssociateAddress", &[("InstanceId", id), ("AllocationId", allocation)]).await;
        assert_eq!(public(id).await.as_deref(), Some(address));
    }
    assert_eq!(public(&first).await, None);
    let strict = [
        ("InstanceId", first.as_str()),
        ("AllocationId", allocation),
        ("AllowReassociation", "false"),
    ];
    assert_eq!(ec2.refusal("AssociateAddress", &strict).await, "Resource.AlreadyAssociated");
    let it = [("AllocationId", allocation)];
    assert_eq!(ec2.refusal("ReleaseAddress", &it).await, "InvalidIPAddress.InUse");
    let text = ec2.ok("DescribeAddresses", &[]).await;
    assert_eq!(one(&text, "instanceId"), second);
    let association = one(&text, "associationId");
    ec2.ok("DisassociateAddress", &[("AssociationId", association)]).await;
    assert_eq!(public(&second).await, None);
    ec2.ok("ReleaseAddress", &it).await;
    assert_eq!(ec2.refusal("ReleaseAddress", &it).await, "InvalidAllocationID.NotFound");
}

#[tokio::test]
async fn security_groups_and_their_permissions() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let new = [("GroupName", "web"), ("GroupDescription", "the web")];
    let text = ec2.ok("CreateSecurityGroup", &new).await;
    let group = one(&text, "groupId");
    assert_eq!(ec2.refusal("CreateSecurityGroup", &new).await, "InvalidGroup.Duplicate");
    let permission = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ("IpPermissions.1.IpRanges.2.CidrIp", "10.0.0.0/8"),
    ];
    let text = ec2.ok("AuthorizeSecurityGroupIngress", &permission).await;
    assert_eq!(every(&text, "cidrIpv4"), ["0.0.0.0/0", "10.0.0.0/8"]);
    let again = ec2.refusal("AuthorizeSecurityGroupIngress", &permission).await;
    assert_eq!(again, "InvalidPermission.Duplicate");
    let text = ec2.ok("DescribeSecurityGroups", &[("GroupId.1", group)]).await;
    assert_eq!(every(one(&text, "ipPermissions"), "ipProtocol"), ["tcp"], "two rules are one");
    ec2.ok("RevokeSecurityGroupIngress", &permission).await;
    let again = ec2.refusal("RevokeSecurityGroupIngress", &permission).await;
    assert_eq!(again, "InvalidPermission.NotFound");
    let id = ec2.run(&[("SecurityGroupId.1", group)]).await;
    let it = [("GroupId", group)];
    assert_eq!(ec2.refusal("DeleteSecurityGroup", &it).await, "DependencyViolation");
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]).await;
    ec2.ok("DeleteSecurityGroup", &it).await;
    assert_eq!(ec2.refusal("DeleteSecurityGroup", &it).await, "InvalidGroup.NotFound");
}

#[tokio::test]
async fn key_pairs_and_tags() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let text = ec2.ok("CreateKeyPair", &[("KeyName", "mine")]).await;
    assert!(one(&text, "keyMaterial").starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    let (key, name) = (one(&text, "keyPairId"), [("KeyName", "mine")]);
    assert_eq!(ec2.refusal("CreateKeyPair", &name).await, "InvalidKeyPair.Duplicate");
    let keys = stack.ada().await.get("/compute/v2.1/os-keypairs").await;
    assert_eq!(keys["keypairs"][0]["keypair"]["name"], "mine");
    let id = ec2.run(&name).await;
    let tag = [
        ("ResourceId.1", key),
        ("ResourceId.2", id.as_str()),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "red"),
    ];
    ec2.ok("CreateTags", &tag).await;
    let text =
        ec2.ok("DescribeTags", &[("Filter.1.Name", "key"), ("Filter.1.Value.1", "team")]).await;
    assert_eq!(every(&text, "resourceType"), ["instance", "key-pair"]);
    ec2.ok("DeleteTags", &tag).await;
    assert_eq!(every(&ec2.ok("DescribeTags", &[]).await, "item").len(), 0);
    ec2.ok("DeleteKeyPair", &name).await;
    assert_eq!(
        ec2.refusal("DescribeKeyPairs", &[("KeyName.1", "mine")]).await,
        "InvalidKeyPair.NotFound"
    );
}

#[tokio::test]
async fn an_account_sees_its_own_things_only() {
    let stack = Stack::start().await;
    let (ada, admin) = (Ec2::of(&stack, "ada"), Ec2::of(&stack, "admin"));
    let id = ada.run(&[]).await;
    let it = [("InstanceId.1", id.as_str())];
    assert_eq!(admin.refusal("TerminateInstances", &it).await, "InvalidInstanceID.NotFound");
    assert_eq!(every(&admin.ok("DescribeInstances", &[]).await, "instanceId").len(), 0);
}

#[tokio::test]
async fn keystone_gives_keys_that_sign() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let projects = ada.get("/v3/auth/projects").await;
    let project = &projects["projects"][0]["id"];
    let user = ada.get("/compute/v2.1/os-keypairs").await;
    assert_eq!(user["keypairs"], json!([]));
    let token =
        ada.request(reqwest::Method::GET, "/v3/auth/tokens").header("X-Subject-Token", &ada.token);
    let token: serde_json::Value = token.send().await.unwrap().json().await.unwrap();
    let path =
        format!("/v3/users/{}/credentials/OS-EC2", token["token"]["user"]["id"].as_str().unwrap());
    let (status, answer) = ada.post(&path, json!({"tenant_id": project})).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer["credential"][name].as_str().unwrap().to_owned();
    let key = AccessKeyPair { access: text("access"), secret: text("secret") };
    let ec2 = Ec2 { stack: &stack, key };
    ec2.ok("DescribeRegions", &[]).await;
    assert_eq!(ada.get(&path).await["credentials"].as_array().unwrap().len(), 2);
    assert_eq!(ada.delete(&format!("{path}/{}", ec2.key.access)).await, 204);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "AuthFailure");
}

#[tokio::test]
async fn keys_and_the_terminated_outlive_a_restart() {
    let stack = Stack::start().await;
    let key = stack.cloud.access_key("ada").unwrap();
    let id = Ec2::of(&stack, "ada").run(&[]).await;
    Ec2::of(&stack, "ada").ok("TerminateInstances", &[("InstanceId.1", &id)]).await;
    let stack = stack.restart().await;
    let ec2 = Ec2::of(&stack, "ada");
    assert!(ec2.key == key);
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!(one(&text, "instanceId"), id);
}
