//! The conversations with Nova: of the oldest clients, of fog, and of today's.

use serde_json::{Value, json};

use super::Golden;

const NOTHING: &str = "00000000-0000-0000-0000-000000000000";
const VOLUMES: &str = "/v2.1/servers/{id}/os-volume_attachments";

/// What servers are made of.
struct Ingredients {
    image: String,
    flavor: String,
    network: String,
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or(NOTHING).to_owned()
}

impl Ingredients {
    fn server(&self, more: Value) -> Value {
        let mut server = json!({"name": "vm", "imageRef": self.image, "flavorRef": self.flavor,
            "networks": [{"uuid": self.network}]});
        for (field, value) in more.as_object().unwrap() {
            server[field] = value.clone();
        }
        json!({"server": server})
    }
}

async fn volume(golden: &Golden) -> String {
    let path = format!("/volume/v3/{}/volumes", golden.project);
    let admin = golden.stack.with_token(&golden.token);
    id(&admin.post(&path, json!({"volume": {"size": 1}})).await.1["volume"]["id"])
}

#[tokio::test]
async fn nova_answers_as_the_real_one() {
    let golden = Golden::start().await;
    let admin = golden.stack.admin().await;
    let of = Ingredients {
        image: admin.image().await,
        flavor: admin.flavor("m1.tiny").await,
        network: admin.network("private").await,
    };
    golden.ask("nova GET / -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1 -> 200", &[]).send().await;
    catalogue(&golden, &of).await;
    oldest_clients(&golden, &of).await;
    fog(&golden, &of).await;
    todays_clients(&golden, &of).await;
    golden.verdict(&["nova"]);
}

async fn catalogue(golden: &Golden, of: &Ingredients) {
    for version in ["", " [2.15]", " [compute 2.61]", " [compute 2.96]"] {
        let name = format!("nova GET /v2.1/flavors/detail -> 200{version}");
        golden.ask(&name, &[]).send().await;
    }
    golden.ask("nova GET /v2.1/flavors/{id} -> 200", &[&of.flavor]).send().await;
    golden.ask("nova GET /v2.1/flavors/{name} -> 404 [compute 2.61]", &["m1.tiny"]).send().await;
    golden.ask("nova GET /v2.1/images -> 200", &[]).query("?name=host").send().await;
    golden.ask("nova GET /v2.1/images/detail -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1/images/{id} -> 200", &[&of.image]).send().await;
    golden.ask("nova GET /v2.1/limits -> 200", &[]).query("?reserved=False").send().await;
    golden.ask("nova GET /v2.1/os-availability-zone -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1/os-availability-zone/detail -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1/os-floating-ip-pools -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1/os-hypervisors/detail -> 200 [compute 2.88]", &[]).send().await;
    golden.ask("nova GET /v2.1/os-networks -> 200", &[]).send().await;
    let quotas = "nova GET /v2.1/os-quota-sets/{project_id} -> 200 [compute 2.56]";
    golden.ask(quotas, &[]).send().await;
}

/// libcloud's way: no microversion, and proxies for all that other services do.
async fn oldest_clients(golden: &Golden, of: &Ingredients) {
    let body = json!({"keypair": {"name": "old"}});
    golden.ask("nova POST /v2.1/os-keypairs -> 200", &[]).body(body).send().await;
    golden.ask("nova GET /v2.1/os-keypairs/{name} -> 200", &["old"]).send().await;
    let more = json!({"metadata": {"a": "b"}, "key_name": "old"});
    let made = golden.ask("nova POST /v2.1/servers -> 202", &[]).body(of.server(more)).send().await;
    let server = id(&made["server"]["id"]);
    let one = &[server.as_str()][..];
    let wrong = of.server(json!({"imageRef": NOTHING}));
    golden.ask("nova POST /v2.1/servers -> 400", &[]).body(wrong).send().await;
    golden.ask("nova GET /v2.1/servers/detail -> 200", &[]).send().await;
    golden.ask("nova GET /v2.1/servers/{id} -> 200", one).send().await;
    let body = json!({"server": {"name": "renamed"}});
    golden.ask("nova PUT /v2.1/servers/{id} -> 200", one).body(body).send().await;
    let body = json!({"metadata": {"x": "y"}});
    golden.ask("nova POST /v2.1/servers/{id}/metadata -> 200", one).body(body).send().await;
    let name = "nova DELETE /v2.1/servers/{id}/metadata/{name} -> 204";
    golden.ask(name, &[&server, "x"]).send().await;
    golden.ask("nova GET /v2.1/servers/{id}/ips -> 200", one).send().await;
    golden.ask("nova GET /v2.1/servers/{id}/os-interface -> 200", one).send().await;
    let body = json!({"os-getConsoleOutput": {"length": null}});
    golden.ask("nova POST /v2.1/servers/{id}/action -> 200", one).body(body).send().await;

    let body = json!({"pool": "public"});
    let made = golden.ask("nova POST /v2.1/os-floating-ips -> 200", &[]).body(body).send().await;
    let floating = &made["floating_ip"];
    let body = json!({"addFloatingIp": {"address": floating["ip"]}});
    golden.ask("nova POST /v2.1/servers/{id}/action -> 202", one).body(body).send().await;
    let name = "nova DELETE /v2.1/os-floating-ips/{id} -> 202";
    golden.ask(name, &[&id(&floating["id"])]).send().await;

    let body = json!({"volume": {"display_name": "old", "display_description": "old", "size": 1,
        "metadata": {"contents": "old"}}});
    let made = golden.ask("nova POST /v2.1/os-volumes -> 200", &[]).body(body).send().await;
    let data = id(&made["volume"]["id"]);
    attach(golden, &server, &data, "").await;
    let name = format!("nova GET {VOLUMES}/{{id}} -> 404");
    golden.ask(&name, &[&server, &data]).send().await;
    golden.ask("nova DELETE /v2.1/os-volumes/{id} -> 202", &[&data]).send().await;

    golden.ask("nova DELETE /v2.1/servers/{id} -> 204", one).send().await;
    golden.ask("nova GET /v2.1/servers/{id} -> 404", one).send().await;
    golden.ask("nova DELETE /v2.1/os-keypairs/{name} -> 202", &["old"]).send().await;
}

/// Attaches a volume, looks at it, and detaches it.
async fn attach(golden: &Golden, server: &str, volume: &str, version: &str) {
    let body = json!({"volumeAttachment": {"volumeId": volume, "device": null}});
    let name = format!("nova POST {VOLUMES} -> 200{version}");
    golden.ask(&name, &[server]).body(body).send().await;
    if version.is_empty() {
        let name = format!("nova GET {VOLUMES}/{{id}} -> 200");
        golden.ask(&name, &[server, volume]).send().await;
        golden.ask("nova GET /v2.1/os-volumes -> 200", &[]).send().await;
    } else {
        golden.ask(&format!("nova GET {VOLUMES} -> 200{version}"), &[server]).send().await;
    }
    let name = format!("nova DELETE {VOLUMES}/{{id}} -> 202{version}");
    golden.ask(&name, &[server, volume]).send().await;
}

async fn fog(golden: &Golden, of: &Ingredients) {
    let name = |rest: &str| format!("nova {rest} [2.15]");
    let body = of.server(json!({}));
    let made = golden.ask(&name("POST /v2.1/servers -> 202"), &[]).body(body).send().await;
    let server = id(&made["server"]["id"]);
    let one = &[server.as_str()][..];
    let wrong = of.server(json!({"imageRef": NOTHING}));
    golden.ask(&name("POST /v2.1/servers -> 400"), &[]).body(wrong).send().await;
    golden.ask(&name("GET /v2.1/servers/detail -> 200"), &[]).send().await;
    golden.ask(&name("GET /v2.1/servers/{id} -> 200"), one).send().await;
    let body = json!({"os-getConsoleOutput": {"length": null}});
    golden.ask(&name("POST /v2.1/servers/{id}/action -> 200"), one).body(body).send().await;
    golden.ask(&name("DELETE /v2.1/servers/{id} -> 204"), one).send().await;
}

async fn todays_clients(golden: &Golden, of: &Ingredients) {
    let name = |rest: &str| format!("nova {rest} [compute 2.100]");
    let body = json!({"keypair": {"name": "k1"}});
    golden.ask("nova POST /v2.1/os-keypairs -> 201 [compute 2.10]", &[]).body(body).send().await;
    golden.ask("nova GET /v2.1/os-keypairs -> 200 [compute 2.10]", &[]).send().await;
    let disk = json!([{"uuid": of.image, "boot_index": 0, "source_type": "image",
        "destination_type": "local", "delete_on_termination": true}]);
    let more = json!({"key_name": "k1", "min_count": 1, "max_count": 1,
        "block_device_mapping_v2": disk});
    let body = of.server(more);
    let made = golden.ask(&name("POST /v2.1/servers -> 202"), &[]).body(body).send().await;
    let server = id(&made["server"]["id"]);
    let one = &[server.as_str()][..];
    let wrong = of.server(json!({"imageRef": NOTHING, "networks": "none"}));
    golden.ask(&name("POST /v2.1/servers -> 400"), &[]).body(wrong).send().await;
    for version in ["2.96", "2.100"] {
        let name = |rest: &str| format!("nova {rest} [compute {version}]");
        golden.ask(&name("GET /v2.1/servers -> 200"), &[]).query("?name=vm").send().await;
        golden.ask(&name("GET /v2.1/servers/detail -> 200"), &[]).send().await;
        golden.ask(&name("GET /v2.1/servers/{id} -> 200"), one).send().await;
    }
    golden.ask(&name("GET /v2.1/servers/{name} -> 404"), &["vm"]).send().await;
    let body = json!({"server": {"name": "renamed"}});
    golden.ask(&name("PUT /v2.1/servers/{id} -> 200"), one).body(body).send().await;
    let act = |rest: &str, body: Value| golden.ask(&name(rest), one).body(body).send();
    act("POST /v2.1/servers/{id}/action -> 200", json!({"os-getConsoleOutput": {}})).await;
    act("POST /v2.1/servers/{id}/action -> 202", json!({"reboot": {"type": "SOFT"}})).await;
    let events = "nova GET /v2.1/servers/{id}/os-instance-actions -> 200 [compute 2.84]";
    golden.ask(events, one).send().await;
    golden.ask("nova GET /v2.1/servers/{id}/tags -> 200 [compute 2.26]", one).send().await;
    attach(golden, &server, &volume(golden).await, " [compute 2.89]").await;
    act("POST /v2.1/servers/{id}/action -> 202", json!({"os-stop": null})).await;
    act("POST /v2.1/servers/{id}/action -> 409", json!({"pause": null})).await;
    golden.ask(&name("DELETE /v2.1/servers/{id} -> 204"), one).send().await;
    golden.ask(&name("GET /v2.1/servers/{id} -> 404"), one).send().await;
    let gone = "nova DELETE /v2.1/os-keypairs/{name} -> 204 [compute 2.10]";
    golden.ask(gone, &["k1"]).send().await;
}
