//! Types of volumes, volumes that change hands and go back, and what administrators say of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

/// Someone with their own Cinder.
struct Cinder {
    client: Client,
    url: String,
}

impl Cinder {
    async fn of(stack: &Stack, user: &str, password: &str, project: &str) -> Self {
        let client = stack.login(user, password, project).await;
        let projects = client.get("/v3/auth/projects").await;
        let projects = projects["projects"].as_array().unwrap();
        let id = &projects.iter().find(|it| it["name"] == project).unwrap()["id"];
        let url = format!("/volume/v3/{}", id.as_str().unwrap());
        Self { client, url }
    }

    async fn admin(stack: &Stack) -> Self {
        Self::of(stack, "admin", "secret", "admin").await
    }

    async fn ada(stack: &Stack) -> Self {
        Self::of(stack, "ada", "lovelace", "engines").await
    }

    /// Asks at the newest version: its status and its answer.
    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method, &format!("{}{path}", self.url));
        let request = request.header("OpenStack-API-Version", "volume 3.71").json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, body).await
    }

    async fn create(&self, path: &str, what: &str, more: Value) -> String {
        let (status, answer) = self.post(path, json!({what: more})).await;
        assert!([200, 202].contains(&status), "{path}: {answer}");
        answer[what]["id"].as_str().unwrap().to_owned()
    }

    async fn volume(&self, id: &str) -> Value {
        self.get(&format!("/volumes/{id}")).await["volume"].take()
    }

    async fn act(&self, id: &str, action: Value) -> u16 {
        self.post(&format!("/volumes/{id}/action"), action).await.0
    }
}

#[tokio::test]
async fn types_are_made_used_and_removed() {
    let stack = Stack::start().await;
    let (admin, ada) = (Cinder::admin(&stack).await, Cinder::ada(&stack).await);
    let fast = json!({"name": "fast", "description": "quick", "extra_specs": {"kind": "ssd"}});
    let fast = admin.create("/types", "volume_type", fast).await;
    let (status, answer) = admin.post("/types", json!({"volume_type": {"name": "fast"}})).await;
    let message = "Volume Type fast already exists.";
    assert_eq!((status, &answer["conflictingRequest"]["message"]), (409, &json!(message)));
    let secret = json!({"name": "secret", "os-volume-type-access:is_public": false});
    let secret = admin.create("/types", "volume_type", secret).await;
    let names = |types: Value| -> Vec<String> {
        let types = types["volume_types"].as_array().unwrap().clone();
        types.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ada.get("/types").await), ["fast", "__DEFAULT__"]);
    assert_eq!(names(admin.get("/types?is_public=None").await), ["secret", "fast", "__DEFAULT__"]);
    assert_eq!(ada.ask(Method::GET, &format!("/types/{secret}"), Value::Null).await.0, 404);

    let refused = json!({"volume": {"size": 1, "volume_type": "secret"}});
    assert_eq!(ada.post("/volumes", refused.clone()).await.0, 404);
    let own = ada.url.trim_start_matches("/volume/v3/");
    let access = json!({"addProjectAccess": {"project": own}});
    assert_eq!(admin.post(&format!("/types/{secret}/action"), access.clone()).await.0, 202);
    assert_eq!(admin.post(&format!("/types/{secret}/action"), access).await.0, 409);
    let listed = admin.get(&format!("/types/{secret}/os-volume-type-access")).await;
    assert_eq!(listed["volume_type_access"][0]["volume_type_id"], json!(secret));
    assert_eq!(ada.post("/volumes", refused).await.0, 202);

    let id = ada.create("/volumes", "volume", json!({"size": 1, "volume_type": "fast"})).await;
    assert_eq!(ada.volume(&id).await["volume_type"], "fast");
    let specs = json!({"extra_specs": {"speed": "9"}});
    assert_eq!(admin.post(&format!("/types/{fast}/extra_specs"), specs).await.0, 200);
    let specs = ada.get(&format!("/types/{fast}/extra_specs")).await;
    assert_eq!(specs["extra_specs"], json!({"kind": "ssd", "speed": "9"}));
    let path = format!("/types/{fast}/extra_specs/kind");
    assert_eq!(admin.ask(Method::DELETE, &path, Value::Null).await.0, 202);
    assert_eq!(admin.ask(Method::DELETE, &path, Value::Null).await.0, 404);
    let changed = json!({"volume_type": {"name": "faster", "description": null}});
    let (status, answer) = admin.ask(Method::PUT, &format!("/types/{fast}"), changed).await;
    assert_eq!((status, &answer["volume_type"]["description"]), (200, &json!("quick")));
    let path = format!("/types/{fast}");
    assert_eq!(admin.ask(Method::DELETE, &path, Value::Null).await.0, 400, "a volume has it");
    let retype = json!({"os-retype": {"new_type": "__DEFAULT__", "migration_policy": "never"}});
    assert_eq!(ada.act(&id, retype).await, 202);
    assert_eq!(admin.ask(Method::DELETE, &path, Value::Null).await.0, 202);
}

#[tokio::test]
async fn a_volume_changes_hands() {
    let stack = Stack::start().await;
    let (admin, ada) = (Cinder::admin(&stack).await, Cinder::ada(&stack).await);
    let id = ada.create("/volumes", "volume", json!({"size": 1})).await;
    let offer = json!({"transfer": {"volume_id": id, "name": "gift"}});
    let (status, made) = ada.post("/volume-transfers", offer.clone()).await;
    assert_eq!(status, 202, "{made}");
    let (transfer, key) = (&made["transfer"]["id"], &made["transfer"]["auth_key"]);
    let own = format!("/volume-transfers/{}", transfer.as_str().unwrap());
    assert!(ada.get(&own).await["transfer"].get("auth_key").is_none());
    assert_eq!(ada.volume(&id).await["status"], "awaiting-transfer");
    assert_eq!(ada.post("/os-volume-transfer", offer).await.0, 400, "it is offered already");
    let accept = |key: &Value| json!({"accept": {"auth_key": key}});
    let wrong = accept(&json!("wrong"));
    assert_eq!(admin.post(&format!("{own}/accept"), wrong).await.0, 400);
    let (status, taken) = admin.post(&format!("{own}/accept"), accept(key)).await;
    assert_eq!((status, &taken["transfer"]["volume_id"]), (202, &json!(id)));
    assert_eq!(ada.ask(Method::GET, &format!("/volumes/{id}"), Value::Null).await.0, 404);
    assert_eq!(admin.volume(&id).await["status"], "available");
    assert_eq!(admin.get("/volume-transfers/detail").await["transfers"], json!([]));

    let offer = json!({"transfer": {"volume_id": id}});
    let (_, made) = admin.post("/os-volume-transfer", offer).await;
    let own = format!("/os-volume-transfer/{}", made["transfer"]["id"].as_str().unwrap());
    assert_eq!(admin.ask(Method::DELETE, &own, Value::Null).await.0, 202);
    assert_eq!(admin.volume(&id).await["status"], "available");
}

#[tokio::test]
async fn a_volume_goes_back_to_its_latest_snapshot() {
    let stack = Stack::start().await;
    let ada = Cinder::ada(&stack).await;
    let id = ada.create("/volumes", "volume", json!({"size": 1})).await;
    let first = ada.create("/snapshots", "snapshot", json!({"volume_id": id})).await;
    let latest = ada.create("/snapshots", "snapshot", json!({"volume_id": id})).await;
    let revert = |snapshot: &str| json!({"revert": {"snapshot_id": snapshot}});
    assert_eq!(ada.act(&id, revert(&first)).await, 400);
    assert_eq!(ada.act(&id, revert(&latest)).await, 202);
    assert_eq!(ada.volume(&id).await["status"], "available");
    assert_eq!(ada.act(&id, json!({"os-extend": {"new_size": 2}})).await, 202);
    assert_eq!(ada.act(&id, revert(&latest)).await, 400, "it is larger now");
}

#[tokio::test]
async fn the_administrator_says_what_a_volume_is() {
    let stack = Stack::start().await;
    let (admin, ada) = (Cinder::admin(&stack).await, Cinder::ada(&stack).await);
    let id = ada.create("/volumes", "volume", json!({"size": 1})).await;
    let reset = |status: &str| json!({"os-reset_status": {"status": status}});
    assert_eq!(ada.act(&id, reset("error")).await, 403);
    assert_eq!(admin.act(&id, reset("error")).await, 202);
    assert_eq!(ada.volume(&id).await["status"], "error");
    assert_eq!(admin.act(&id, reset("in-use")).await, 400);
    assert_eq!(admin.act(&id, reset("asleep")).await, 400);
    assert_eq!(admin.act(&id, reset("available")).await, 202);
    assert_eq!(ada.act(&id, json!({"os-set_bootable": {"bootable": true}})).await, 200);
    let set = json!({"os-set_image_metadata": {"metadata": {"os_type": "linux"}}});
    assert_eq!(ada.act(&id, set).await, 200);
    let volume = ada.volume(&id).await;
    assert_eq!(volume["bootable"], "true");
    assert_eq!(volume["volume_image_metadata"], json!({"os_type": "linux"}));
    let unset = json!({"os-unset_image_metadata": {"key": "os_type"}});
    assert_eq!(ada.act(&id, unset.clone()).await, 200);
    assert_eq!(ada.act(&id, unset).await, 404);
    let snapshot = ada.create("/snapshots", "snapshot", json!({"volume_id": id})).await;
    let path = format!("/snapshots/{snapshot}/action");
    assert_eq!(ada.post(&path, reset("error")).await.0, 403);
    assert_eq!(admin.post(&path, reset("error")).await.0, 202);
    assert_eq!(ada.get(&format!("/snapshots/{snapshot}")).await["snapshot"]["status"], "error");
}

#[tokio::test]
async fn attachments_are_told_and_what_is_not_there_is_empty() {
    let stack = Stack::start().await;
    let (admin, ada) = (Cinder::admin(&stack).await, Cinder::ada(&stack).await);
    let server = ada.client.create_server("web").await;
    let id = ada.create("/volumes", "volume", json!({"size": 1})).await;
    let path = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": id}});
    assert_eq!(ada.client.post(&path, body).await.0, 200);
    let listed = ada.get("/attachments").await;
    let attachment = &listed["attachments"][0];
    assert_eq!((&attachment["instance"], &attachment["volume_id"]), (&json!(server), &json!(id)));
    let own = format!("/attachments/{}", attachment["id"].as_str().unwrap());
    assert_eq!(ada.get(&own).await["attachment"]["status"], "attached");
    assert_eq!(ada.client.status(Method::GET, &format!("{}{own}", ada.url)).await, 404, "too old");
    for name in ["backups", "groups", "group_snapshots"] {
        assert_eq!(ada.get(&format!("/{name}/detail")).await, json!({name: []}));
    }
    assert_eq!(admin.get("/qos-specs").await, json!({"qos_specs": []}));
    assert_eq!(ada.post("/backups", json!({"backup": {"volume_id": id}})).await.0, 503);
    let services = admin.get("/os-services?binary=cinder-volume").await;
    assert_eq!(services["services"][0]["host"], "fake-cloud@local");
    let pools = admin.get("/scheduler-stats/get_pools?detail=true").await;
    assert_eq!(pools["pools"][0]["capabilities"]["allocated_capacity_gb"], 1);
}
