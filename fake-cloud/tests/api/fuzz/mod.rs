//! Whatever is sent, the answer is one of the API's own, and the cloud lives on.
//!
//! Good requests are changed at random, from a seed that a failure names. `FAKE_CLOUD_FUZZ=N` tries N times as
//! many, and `FAKE_CLOUD_FUZZ_SEED` begins elsewhere.

mod samples;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::{Client, Stack};
use crate::coverage::operations;
use crate::ec2::Ec2;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs a test many times, and names the seed of the run that fails.
async fn many(count: u64, mut attempt: impl AsyncFnMut(&mut StdRng)) {
    let first = number("FAKE_CLOUD_FUZZ_SEED", 1);
    for seed in first..first + count * number("FAKE_CLOUD_FUZZ", 1) {
        attempt(&mut StdRng::seed_from_u64(seed)).await;
    }
}

/// Values that break what trusts its input.
fn strange(random: &mut StdRng) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("x".repeat(300)),
        json!("\u{0}"),
        json!("日本語 %s ../../etc/passwd"),
        json!("00000000-0000-0000-0000-000000000000"),
        json!("-1"),
        json!("0.0.0.0/0"),
        json!("::1"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"": {}}),
        json!([[[[[[]]]]]]),
    ];
    values.choose(random).cloned().unwrap()
}

/// Changes something, somewhere.
fn mutate(value: &mut Value, random: &mut StdRng) {
    let deeper = random.random_bool(0.8);
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = keys.choose(random).unwrap();
            match random.random_range(0..10) {
                0 => drop(fields.remove(key)),
                1 => drop(fields.insert(format!("{key}x"), strange(random))),
                _ => mutate(&mut fields[key.as_str()], random),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let index = random.random_range(0..items.len());
            match random.random_range(0..6) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => mutate(&mut items[index], random),
            }
        }
        other => *other = strange(random),
    }
}

/// An answer that a client understands: never a failure of the cloud itself.
async fn understood(client: &Client, method: &Method, path: &str, body: Vec<u8>, what: &str) {
    let request = client.request(method.clone(), path).header("Content-Type", "application/json");
    let answer = request.body(body).send().await.unwrap_or_else(|e| panic!("{what}: {e}"));
    let status = answer.status().as_u16();
    assert!(status < 500 || status == 501, "{what}: {status} {}", answer.text().await.unwrap());
}

#[tokio::test]
async fn good_requests_changed_at_random_are_understood() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let requests = samples::good(&admin).await;
    many(600, async |random| {
        let (method, path, body) = requests.choose(random).unwrap();
        let mut body = body.clone();
        for _ in 0..random.random_range(1..4) {
            mutate(&mut body, random);
        }
        let what = format!("{method} {path} {body}");
        understood(&admin, method, path, body.to_string().into_bytes(), &what).await;
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_not_json_are_understood() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let requests = samples::good(&admin).await;
    many(200, async |random| {
        let (method, path, body) = requests.choose(random).unwrap();
        let mut bytes = body.to_string().into_bytes();
        match random.random_range(0..4) {
            0 => bytes.truncate(random.random_range(0..bytes.len())),
            1 => bytes = vec![b'['; 100_000],
            2 => bytes[0] = 0xff,
            _ => {
                let index = random.random_range(0..bytes.len());
                bytes[index] = random.random();
            }
        }
        let what = format!("{method} {path} {}", String::from_utf8_lossy(&bytes));
        understood(&admin, method, path, bytes, &what).await;
    })
    .await;
}

#[tokio::test]
async fn every_operation_takes_strange_ids_queries_and_bodies() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let operations = operations();
    let ids = ["x", "%00", "%2e%2e", "-1", "00000000-0000-0000-0000-000000000000", "%F0%9F%92%A9"];
    let queries = [
        "",
        "?limit=-1",
        "?marker=x&limit=1",
        "?sort_key=x&sort_dir=y",
        "?name=%28",
        "?changes-since=x",
        "?fields=x&a=b&&=&%00",
        "?id=in:",
        "?tags=&not-tags=",
        "?limit=99999999999999999999",
    ];
    many(800, async |random| {
        let (method, path, _) = operations.choose(random).unwrap();
        let segments = path.split('/').map(|segment| match segment {
            // The names of parameters, as the table writes them.
            "id" | "project" | "name" | "key" | "tag" | "volume" | "network" | "user" | "port" => {
                (*ids.choose(random).unwrap()).to_owned()
            }
            other => other.to_owned(),
        });
        let path = format!(
            "{}{}",
            segments.collect::<Vec<_>>().join("/"),
            queries.choose(random).unwrap()
        );
        let body = if random.random_bool(0.5) { strange(random) } else { wrapped(random) };
        let what = format!("{method} {path} {body}");
        understood(&admin, method, &path, body.to_string().into_bytes(), &what).await;
    })
    .await;
}

/// A strange value in a field that some operation looks at.
fn wrapped(random: &mut StdRng) -> Value {
    let names = [
        "server",
        "volume",
        "snapshot",
        "image",
        "network",
        "subnet",
        "port",
        "router",
        "floatingip",
        "security_group",
        "security_group_rule",
        "keypair",
        "flavor",
        "auth",
        "user",
        "project",
        "quota_set",
        "quota",
        "metadata",
        "meta",
        "tags",
        "extra_specs",
        "attachment",
    ];
    let value =
        if random.random_bool(0.5) { strange(random) } else { json!({"name": strange(random)}) };
    let mut body = Map::new();
    body.insert((*names.choose(random).unwrap()).to_owned(), value);
    Value::Object(body)
}

#[tokio::test]
async fn signed_requests_with_strange_parameters_are_understood() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "admin");
    let instance = ec2.run(&[]).await;
    let actions: Vec<String> = fake_cloud::coverage::document()
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|name| name.starts_with(char::is_uppercase))
        .map(str::to_owned)
        .collect();
    assert!(actions.len() > 30, "the table is read: {actions:?}");
    let names = [
        "InstanceId",
        "InstanceId.1",
        "ImageId",
        "ImageId.1",
        "InstanceType",
        "MinCount",
        "MaxCount",
        "Filter.1.Name",
        "Filter.1.Value.1",
        "Filter.-1.Name",
        "GroupName",
        "GroupId",
        "KeyName",
        "PublicKeyMaterial",
        "AllocationId",
        "PublicIp",
        "Size",
        "VolumeId",
        "Device",
        "SnapshotId",
        "MaxResults",
        "NextToken",
        "Tag.1.Key",
        "Tag.1.Value",
        "ResourceId.1",
        "DryRun",
        "UserData",
        "ClientToken",
        "IpPermissions.1.FromPort",
        "IpPermissions.1.IpProtocol",
        "IpPermissions.1.IpRanges.1.CidrIp",
        "BlockDeviceMapping.1.Ebs.VolumeSize",
        "Attribute",
        "TagSpecification.1.ResourceType",
        "TagSpecification.1.Tag.1.Key",
        "AvailabilityZone",
    ];
    let values = [
        "",
        "x",
        "-1",
        "0",
        "1",
        "99999999999999999999",
        "true",
        "tcp",
        "0.0.0.0/0",
        "instance-state-name",
        "*",
        "?",
        "i-0",
        "ami-",
        "vol-00000000000000000",
        "%",
        "<&>\"'",
        "\u{0}",
    ];
    many(600, async |random| {
        let action = actions.choose(random).unwrap();
        let mut parameters = Vec::new();
        for _ in 0..random.random_range(0..5) {
            let value = values.choose(random).unwrap();
            let value = if random.random_bool(0.2) { instance.as_str() } else { value };
            parameters.push((*names.choose(random).unwrap(), value));
        }
        let (status, text) = ec2.send(action, &parameters).await;
        assert!(status < 500 || text.contains("Unsupported"), "{action} {parameters:?}: {text}");
    })
    .await;
}
