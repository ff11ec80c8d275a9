//! The conversations with Keystone, Glance, Neutron and Cinder.

use serde_json::{Value, json};

use super::Golden;

const NOTHING: &str = "00000000-0000-0000-0000-00000000dead";

fn id(value: &Value) -> String {
    value.as_str().unwrap_or(NOTHING).to_owned()
}

#[tokio::test]
async fn keystone_answers_as_the_real_one() {
    let golden = Golden::start().await;
    golden.ask("keystone GET / -> 300", &[]).without_token().send().await;
    golden.ask("keystone GET /v3 -> 200", &[]).without_token().send().await;
    for (password, status) in [("secret", 201), ("wrong", 401)] {
        let user = json!({"name": "admin", "domain": {"name": "Default"}, "password": password});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let scope = json!({"project": {"domain": {"id": "default"}, "name": "admin"}});
        let body = json!({"auth": {"identity": identity, "scope": scope}});
        let name = format!("keystone POST /v3/auth/tokens -> {status}");
        golden.ask(&name, &[]).without_token().body(body).send().await;
    }
    golden.ask("keystone GET /v3/projects -> 200", &[]).send().await;
    golden.verdict(&["keystone"]);
}

#[tokio::test]
async fn placement_answers_as_the_real_one() {
    let golden = Golden::start().await;
    golden.ask("placement GET / -> 200", &[]).without_token().send().await;
    golden.verdict(&["placement"]);
}

#[tokio::test]
async fn glance_answers_as_the_real_one() {
    let golden = Golden::start().await;
    golden.ask("glance GET / -> 300", &[]).send().await;
    golden.ask("glance GET /versions -> 200", &[]).send().await;
    golden.ask("glance GET /v2/schemas/image -> 200", &[]).send().await;
    golden.ask("glance GET /v2/schemas/metadefs/namespace -> 200", &[]).send().await;
    golden.ask("glance GET /v2/schemas/metadefs/resource_type -> 200", &[]).send().await;
    let body = json!({"container_format": "bare", "disk_format": "raw", "name": "cirros"});
    let image = golden.ask("glance POST /v2/images -> 201", &[]).body(body).send().await;
    let image = id(&image["id"]);
    golden.ask("glance PUT /v2/images/{id}/file -> 204", &[&image]).raw("content").send().await;
    golden.ask("glance GET /v2/images/{id} -> 200", &[&image]).send().await;
    golden.ask("glance GET /v2/images/{id} -> 200 [compute 2.96]", &[&image]).send().await;
    golden.ask("glance GET /v2/images/{id}/file -> 200", &[&image]).send().await;
    let sorted = "?limit=200&sort_key=name&sort_dir=asc";
    golden.ask("glance GET /v2/images -> 200", &[]).query(sorted).send().await;
    golden.ask("glance GET /v2/images/{name} -> 404", &["cirros"]).send().await;
    golden.ask("glance DELETE /v2/images/{id} -> 204", &[&image]).send().await;
    golden.verdict(&["glance"]);
}

#[tokio::test]
async fn neutron_answers_as_the_real_one() {
    let golden = Golden::start().await;
    let admin = golden.stack.admin().await;
    golden.ask("neutron GET / -> 200", &[]).send().await;
    golden.ask("neutron GET /v2.0/availability_zones -> 200", &[]).send().await;
    golden.ask("neutron GET /v2.0/extensions -> 200", &[]).send().await;
    golden.ask("neutron GET /v2.0/extensions/{name} -> 404", &["nothing"]).send().await;
    let private = "?name=private";
    golden.ask("neutron GET /v2.0/networks -> 200", &[]).query(private).send().await;
    golden.ask("neutron GET /v2.0/networks/{name} -> 404", &["private"]).send().await;
    golden.ask("neutron GET /v2.0/quotas/{project_id} -> 200", &[]).send().await;

    let server = admin.create_server("vm").await;
    let of_server = format!("?device_id={server}");
    let ports = golden.ask("neutron GET /v2.0/ports -> 200", &[]).query(&of_server).send().await;
    let port = id(&ports["ports"][0]["id"]);
    let public = admin.network("public").await;
    let body = json!({"floatingip": {"floating_network_id": public, "port_id": port}});
    let floating = golden.ask("neutron POST /v2.0/floatingips -> 201", &[]).body(body).send().await;
    let (floating, address) =
        (id(&floating["floatingip"]["id"]), id(&floating["floatingip"]["floating_ip_address"]));
    golden.ask("neutron GET /v2.0/floatingips -> 200", &[]).send().await;
    golden.ask("neutron GET /v2.0/floatingips/{id} -> 200", &[&floating]).send().await;
    golden.ask("neutron GET /v2.0/floatingips/{name} -> 404", &[&address]).send().await;
    let body = json!({"floatingip": {"port_id": port}});
    golden.ask("neutron PUT /v2.0/floatingips/{id} -> 200", &[&floating]).body(body).send().await;
    golden.ask("neutron DELETE /v2.0/floatingips/{id} -> 204", &[&floating]).send().await;
    golden.ask("neutron GET /v2.0/floatingips/{id} -> 404", &[&floating]).send().await;

    let body = json!({"security_group": {"name": "web"}});
    let group =
        golden.ask("neutron POST /v2.0/security-groups -> 201", &[]).body(body).send().await;
    let group = id(&group["security_group"]["id"]);
    let rule = json!({"port_range_max": 22, "direction": "ingress", "port_range_min": 22,
        "ethertype": "IPv4", "protocol": "tcp", "security_group_id": group});
    let rule = golden
        .ask("neutron POST /v2.0/security-group-rules -> 201", &[])
        .body(json!({"security_group_rule": rule}))
        .send()
        .await;
    let rule = id(&rule["security_group_rule"]["id"]);
    golden.ask("neutron GET /v2.0/security-groups -> 200", &[]).send().await;
    golden.ask("neutron GET /v2.0/security-groups/{id} -> 200", &[&group]).send().await;
    golden.ask("neutron GET /v2.0/security-group-rules/{id} -> 200", &[&rule]).send().await;
    golden.ask("neutron DELETE /v2.0/security-group-rules/{id} -> 204", &[&rule]).send().await;
    golden.ask("neutron GET /v2.0/security-group-rules/{id} -> 404", &[&rule]).send().await;
    golden.ask("neutron DELETE /v2.0/security-groups/{id} -> 204", &[&group]).send().await;
    golden.ask("neutron GET /v2.0/security-groups/{id} -> 404", &[&group]).send().await;
    golden.verdict(&["neutron"]);
}

#[tokio::test]
async fn cinder_answers_as_the_real_one() {
    let golden = Golden::start().await;
    golden.ask("cinder GET / -> 300", &[]).send().await;
    golden.ask("cinder GET /v3/ -> 200", &[]).send().await;
    golden.ask("cinder GET /v3/{project_id}/limits -> 200 [volume 3.39]", &[]).send().await;
    golden.ask("cinder GET /v3/{project_id}/os-availability-zone -> 200", &[]).send().await;
    golden
        .ask("cinder GET /v3/{project_id}/os-quota-sets/{project_id} -> 200", &[])
        .query("?usage=False")
        .send()
        .await;
    for version in ["", " [volume 3.71]"] {
        let of = |name: &str| format!("cinder {name}{version}");
        let body = json!({"volume": {"name": "data", "size": 1, "metadata": {"contents": "x"}}});
        let made =
            golden.ask(&of("POST /v3/{project_id}/volumes -> 202"), &[]).body(body).send().await;
        let volume = id(&made["volume"]["id"]);
        let one = &[volume.as_str()][..];
        golden.ask(&of("GET /v3/{project_id}/volumes/detail -> 200"), &[]).send().await;
        golden.ask(&of("GET /v3/{project_id}/volumes/{id} -> 200"), one).send().await;
        if !version.is_empty() {
            let name = of("GET /v3/{project_id}/volumes/{name} -> 404");
            golden.ask(&name, &["data"]).send().await;
            let name = of("POST /v3/{project_id}/volumes/{id}/action -> 202");
            golden.ask(&name, one).body(json!({"os-extend": {"new_size": 2}})).send().await;
            snapshots(&golden, &volume).await;
        }
        golden.ask(&of("DELETE /v3/{project_id}/volumes/{id} -> 202"), one).send().await;
        golden.ask(&of("GET /v3/{project_id}/volumes/{id} -> 404"), one).send().await;
    }
    golden.verdict(&["cinder"]);
}

async fn snapshots(golden: &Golden, volume: &str) {
    let of = |name: &str| format!("cinder {name} [volume 3.65]");
    let body = json!({"snapshot": {"name": "before", "volume_id": volume}});
    let made =
        golden.ask(&of("POST /v3/{project_id}/snapshots -> 202"), &[]).body(body).send().await;
    let snapshot = id(&made["snapshot"]["id"]);
    let one = &[snapshot.as_str()][..];
    golden.ask(&of("GET /v3/{project_id}/snapshots/{name} -> 404"), &["before"]).send().await;
    golden.ask(&of("GET /v3/{project_id}/snapshots/detail -> 200"), &[]).send().await;
    golden.ask(&of("GET /v3/{project_id}/snapshots/{id} -> 200"), one).send().await;
    golden.ask(&of("DELETE /v3/{project_id}/snapshots/{id} -> 202"), one).send().await;
    golden.ask(&of("GET /v3/{project_id}/snapshots/{id} -> 404"), one).send().await;
}
