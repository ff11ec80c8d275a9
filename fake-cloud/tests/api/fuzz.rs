//! Whatever is sent, the answer is one of the API's own, and the cloud lives on.
//!
//! Good requests are changed at random, from a seed that a failure names. `FAKE_CLOUD_FUZZ=N` tries N times as
//! many, and `FAKE_CLOUD_FUZZ_SEED` begins elsewhere.

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

/// Good requests, for things that are there.
async fn good(client: &Client) -> Vec<(Method, String, Value)> {
    let server = client.create_server("vm").await;
    let port = client.port_of(&server).await;
    let floating = client.create_floating_ip().await["id"].as_str().unwrap().to_owned();
    let (image, flavor) = (client.image().await, client.flavor("m1.tiny").await);
    let network = client.network("private").await;
    let project = client.get("/v3/auth/projects").await["projects"][0]["id"].take();
    let volumes = format!("/volume/v3/{}", project.as_str().unwrap());
    let made = client.post(&format!("{volumes}/volumes"), json!({"volume": {"size": 1}})).await.1;
    let volume = made["volume"]["id"].as_str().unwrap().to_owned();
    let group = json!({"security_group": {"name": "web", "description": "x"}});
    let made = client.post("/network/v2.0/security-groups", group.clone()).await.1;
    let group_id = made["security_group"]["id"].as_str().unwrap().to_owned();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q";
    let servers = "/compute/v2.1/servers";
    let action = format!("{servers}/{server}/action");
    let mut requests = vec![
        (
            "POST",
            "/compute/v2.1/servers".to_owned(),
            json!({"server": {
            "name": "x", "imageRef": image, "flavorRef": flavor, "min_count": 1, "max_count": 1,
            "networks": [{"uuid": network, "fixed_ip": "127.0.16.77"}], "metadata": {"a": "b"},
            "security_groups": [{"name": "default"}], "user_data": "IyEvYmluL3NoCg==",
            "availability_zone": "nova", "tags": ["a"], "description": "x", "config_drive": true,
            "block_device_mapping_v2": [{"uuid": image, "boot_index": 0, "source_type": "image",
                "destination_type": "local", "delete_on_termination": true}]},
            "os:scheduler_hints": {"group": group_id}}),
        ),
        (
            "PUT",
            format!("{servers}/{server}"),
            json!({"server": {"name": "y", "description": "z"}}),
        ),
        ("POST", format!("{servers}/{server}/metadata"), json!({"metadata": {"a": "b"}})),
        ("PUT", format!("{servers}/{server}/tags"), json!({"tags": ["a", "b"]})),
        (
            "POST",
            format!("{servers}/{server}/os-volume_attachments"),
            json!({"volumeAttachment": {"volumeId": volume, "device": "/dev/sdb", "tag": "x"}}),
        ),
        (
            "POST",
            format!("{servers}/{server}/os-interface"),
            json!({"interfaceAttachment": {"net_id": network, "fixed_ips": [{"ip_address": "127.0.16.9"}]}}),
        ),
        (
            "POST",
            "/compute/v2.1/os-keypairs".to_owned(),
            json!({"keypair": {"name": "k", "public_key": key, "type": "ssh"}}),
        ),
        (
            "POST",
            "/compute/v2.1/flavors".to_owned(),
            json!({"flavor": {"name": "f", "ram": 1,
            "vcpus": 1, "disk": 1, "id": "f1", "OS-FLV-EXT-DATA:ephemeral": 0, "swap": 0,
            "rxtx_factor": 1.0, "os-flavor-access:is_public": true}}),
        ),
        (
            "POST",
            "/compute/v2.1/os-server-groups".to_owned(),
            json!({"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 1}}}),
        ),
        (
            "POST",
            format!("{volumes}/volumes"),
            json!({"volume": {"size": 1, "name": "v",
            "metadata": {"a": "b"}, "imageRef": null, "source_volid": volume, "volume_type": null}}),
        ),
        (
            "POST",
            format!("{volumes}/snapshots"),
            json!({"snapshot": {"volume_id": volume, "name": "s", "force": true}}),
        ),
        (
            "POST",
            format!("{volumes}/volumes/{volume}/action"),
            json!({"os-extend": {"new_size": 2}}),
        ),
        (
            "POST",
            "/image/v2/images".to_owned(),
            json!({"name": "i", "disk_format": "raw",
            "container_format": "bare", "visibility": "private", "tags": ["a"], "min_disk": 0}),
        ),
        (
            "PATCH",
            format!("/image/v2/images/{image}"),
            json!([{"op": "replace", "path": "/name", "value": "x"}, {"op": "add", "path": "/a", "value": "b"}]),
        ),
        (
            "POST",
            "/network/v2.0/networks".to_owned(),
            json!({"network": {"name": "n", "admin_state_up": true, "mtu": 1500, "shared": false}}),
        ),
        (
            "POST",
            "/network/v2.0/subnets".to_owned(),
            json!({"subnet": {"network_id": network,
            "ip_version": 4, "cidr": "127.0.40.0/24", "gateway_ip": "127.0.40.1", "enable_dhcp": true,
            "allocation_pools": [{"start": "127.0.40.2", "end": "127.0.40.9"}], "dns_nameservers": ["127.0.0.1"]}}),
        ),
        (
            "POST",
            "/network/v2.0/ports".to_owned(),
            json!({"port": {"network_id": network, "name": "p",
            "fixed_ips": [{"ip_address": "127.0.16.8"}], "security_groups": [group_id]}}),
        ),
        (
            "PUT",
            format!("/network/v2.0/ports/{port}"),
            json!({"port": {"security_groups": [group_id], "name": "q"}}),
        ),
        (
            "POST",
            "/network/v2.0/routers".to_owned(),
            json!({"router": {"name": "r", "external_gateway_info": {"network_id": network}}}),
        ),
        (
            "POST",
            "/network/v2.0/floatingips".to_owned(),
            json!({"floatingip": {"floating_network_id": client.network("public").await, "port_id": port}}),
        ),
        (
            "PUT",
            format!("/network/v2.0/floatingips/{floating}"),
            json!({"floatingip": {"port_id": port}}),
        ),
        ("POST", "/network/v2.0/security-groups".to_owned(), group),
        (
            "POST",
            "/network/v2.0/security-group-rules".to_owned(),
            json!({"security_group_rule": {"security_group_id": group_id, "direction": "ingress",
                "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 1, "port_range_max": "22",
                "remote_ip_prefix": "127.0.0.0/8"}}),
        ),
        (
            "POST",
            "/v3/auth/tokens".to_owned(),
            json!({"auth": {"identity": {"methods": ["password"],
            "password": {"user": {"name": "ada", "domain": {"name": "Default"}, "password": "lovelace"}}},
            "scope": {"project": {"name": "engines", "domain": {"id": "default"}}}}}),
        ),
        (
            "POST",
            "/v3/auth/tokens".to_owned(),
            json!({"auth": {"identity": {"methods": ["token"],
            "token": {"id": client.token}}, "scope": {"project": {"id": project}}}}),
        ),
        (
            "POST",
            "/v3/users".to_owned(),
            json!({"user": {"name": "u", "password": "p", "enabled": true,
            "domain_id": "default", "default_project_id": project}}),
        ),
        (
            "POST",
            "/v3/projects".to_owned(),
            json!({"project": {"name": "q", "domain_id": "default", "tags": []}}),
        ),
    ];
    for body in [
        json!({"reboot": {"type": "SOFT"}}),
        json!({"os-getConsoleOutput": {"length": 5}}),
        json!({"addFloatingIp": {"address": "127.0.1.10", "fixed_address": "127.0.16.2"}}),
        json!({"rebuild": {"imageRef": image, "name": "x", "metadata": {"a": "b"}, "user_data": ""}}),
        json!({"resize": {"flavorRef": flavor}}),
        json!({"createImage": {"name": "i", "metadata": {"a": "b"}}}),
        json!({"addSecurityGroup": {"name": "default"}}),
        json!({"os-stop": null}),
    ] {
        requests.push(("POST", action.clone(), body));
    }
    let parsed =
        |(method, path, body): (&str, String, Value)| (method.parse().unwrap(), path, body);
    requests.into_iter().map(parsed).collect()
}

#[tokio::test]
async fn good_requests_changed_at_random_are_understood() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let requests = good(&admin).await;
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
    let requests = good(&admin).await;
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
