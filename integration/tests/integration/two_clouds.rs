//! One director with two clouds, of different kinds: a service has nodes in both.

use std::net::IpAddr;
use std::process::Command;

use fake_cloud::FakeCloud;
use fake_cloud::backends::ImageSource;
use fake_cloud::settings::BackendKind;
use integration::archive::tar_gz;
use integration::director::Director;
use integration::stack::Output;
use integration::{Stack, executable};

use crate::story::{INIT, RUN, answers};

const PASSWORD: &str = "sesame";

/// What is left in the two accounts.
const LEFT: &str = r#"
import sys
import boto3
import openstack

here = openstack.connect()
there = boto3.client("ec2")
left = {
    "servers": len(list(here.compute.servers())),
    "addresses": len(list(here.network.ips())),
    "volumes": len(list(here.block_storage.volumes())),
    "groups": [group.name for group in here.network.security_groups() if group.name != "default"],
    "instances": [
        instance["InstanceId"]
        for reservation in there.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ],
    "elastic": there.describe_addresses()["Addresses"],
    "ebs": there.describe_volumes()["Volumes"],
    "their groups": [
        group["GroupName"]
        for group in there.describe_security_groups()["SecurityGroups"]
        if group["GroupName"] != "default"
    ],
}
print([name for name, things in left.items() if things])
"#;

/// A cloud with two accounts, and servers that are processes.
async fn cloud() -> FakeCloud {
    let nutshell = executable::nutshell();
    let in_server = executable::place_in_servers(&nutshell).unwrap();
    let builder = FakeCloud::builder().user("ada", PASSWORD, "engines");
    let builder = builder.user("bob", PASSWORD, "bridges").backend(BackendKind::Process);
    let builder = builder.init_program(nutshell.clone()).settings(move |settings| {
        for image in &mut settings.images {
            if let ImageSource::Host { extra_files } = &mut image.source {
                extra_files.push((nutshell.clone(), in_server.clone()));
            }
        }
    });
    builder.start().await.unwrap()
}

fn settings(cloud: &FakeCloud) -> String {
    let ada = cloud.credentials("ada").unwrap();
    let bob = cloud.credentials("bob").unwrap();
    format!(
        r#"
        [clouds.default]
        kind = "openstack"
        auth_url = "{auth_url}"
        username = "ada"
        password = "{PASSWORD}"
        project = "engines"
        image = "host"
        flavor = "m1.small"
        floating_pool = "public"
        [clouds.amazon]
        kind = "ec2"
        region = "{region}"
        endpoint = "{ec2_url}"
        access_key = "{access}"
        secret_key = "{secret}"
        image = "host"
        instance_type = "m1.small"
        "#,
        auth_url = ada.auth_url,
        region = bob.region,
        ec2_url = bob.ec2_url,
        access = bob.access_key.access,
        secret = bob.access_key.secret,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_has_nodes_of_an_openstack_and_of_an_ec2() {
    let stack = Stack::prepared();
    let cloud = cloud().await;
    let IpAddr::V4(ip) = cloud.address().ip() else { panic!("fake-cloud is at an IPv4 address") };
    let director = Director::start(&stack, ip, &settings(&cloud));
    let cps = |arguments: &[&str]| director.cps(&stack, arguments).ok();
    let clouds = cps(&["cloud", "list"]);
    for (name, kind) in [("default", "openstack"), ("amazon", "ec2")] {
        let shown =
            |line: &str| line.contains(name) && line.contains(kind) && line.contains("ready");
        assert!(clouds.lines().any(shown), "{clouds}");
    }

    cps(&["service", "create", "generic"]);
    cps(&["service", "start", "1"]);
    cps(&["generic", "add-nodes", "1", "1", "--cloud", "amazon"]);
    let resources = cps(&["cloud", "list-resources"]);
    let of = |cloud: &str| {
        let lines: Vec<&str> = resources
            .lines()
            .filter(|line| line.split_whitespace().any(|word| word == cloud))
            .collect();
        lines
    };
    assert_eq!((of("default").len(), of("amazon").len()), (2, 1), "{resources}");

    let archive = stack.file("app.tar.gz", &tar_gz(&[("init.sh", INIT), ("run.sh", RUN)]));
    let uploaded = cps(&["generic", "upload-code", "1", &archive]);
    cps(&["generic", "enable-code", "1", uploaded.split_whitespace().nth(2).unwrap()]);
    let nodes = cps(&["generic", "list-nodes", "1"]);
    for (line, name) in nodes.lines().zip(["one", "two"]) {
        let id = line.split_whitespace().nth(2).unwrap();
        cps(&["generic", "create-volume", "1", name, "64", id]);
    }
    let volumes = cps(&["generic", "list-volumes", "1"]);
    assert!(volumes.contains("one") && volumes.contains("two"), "{volumes}");
    cps(&["generic", "run", "1"]);
    for line in nodes.lines() {
        let (role, ip) = (line.split(':').next().unwrap(), line.rsplit(' ').next().unwrap());
        assert!(answers(ip.parse().unwrap()).starts_with(role), "each from its own cloud");
    }

    cps(&["application", "delete", "1"]);
    let script = stack.file("left.py", LEFT.as_bytes());
    let (ada, bob) = (cloud.credentials("ada").unwrap(), cloud.credentials("bob").unwrap());
    let aws = bob.environment().into_iter().filter(|(name, _)| name.starts_with("AWS_"));
    let mut python: Command = stack.program(executable::openstack_python());
    python.arg(&script).envs(ada.environment()).envs(aws);
    assert_eq!(Output::of(&mut python).ok().trim(), "[]", "everything was given back");
    drop(director);
    cloud.shutdown().await;
}
