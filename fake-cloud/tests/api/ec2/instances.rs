//! Instances: their life, and that they are servers of the other API too.

use serde_json::json;

use super::{Ec2, every, one};
use crate::client::Stack;

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
async fn no_instance_is_made_without_an_address() {
    let range = "127.0.16.2-127.0.16.3".parse().unwrap();
    let stack = Stack::start_with(|settings| settings.fixed_range = range).await;
    let ec2 = Ec2::of(&stack, "ada");
    let image = ec2.image().await;
    let run = |min| [("ImageId", image.as_str()), ("MinCount", min), ("MaxCount", "3")];
    let code = "InsufficientFreeAddressesInSubnet";
    assert_eq!(ec2.refusal("RunInstances", &run("3")).await, code);
    assert_eq!(every(&ec2.ok("DescribeInstances", &[]).await, "instanceId").len(), 0);
    assert_eq!(every(&ec2.ok("RunInstances", &run("1")).await, "instanceId").len(), 2);
    assert_eq!(ec2.refusal("RunInstances", &run("1")).await, code);
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
