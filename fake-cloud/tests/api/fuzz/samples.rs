//! Good requests, for things that are there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;

/// One of each kind, to be changed.
pub(super) async fn good(client: &Client) -> Vec<(Method, String, Value)> {
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
