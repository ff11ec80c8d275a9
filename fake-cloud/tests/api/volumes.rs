//! Cinder, and the volumes of servers in Nova.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

/// A client for Cinder below its project's path.
struct Cinder<'a> {
    client: &'a Client,
    base: String,
}

impl<'a> Cinder<'a> {
    async fn of(client: &'a Client) -> Self {
        let token = client.request(Method::GET, "/v3/auth/catalog").send().await.unwrap();
        let catalog: Value = token.json().await.unwrap();
        let find = |kind: &str| {
            let services = catalog["catalog"].as_array().unwrap();
            let service = services.iter().find(|service| service["type"] == kind).unwrap();
            service["endpoints"][0]["url"].as_str().unwrap().to_owned()
        };
        let url = find("block-storage");
        assert_eq!(find("volumev3"), url, "older clients find it too");
        let base = url[url.find("/volume/").unwrap()..].to_owned();
        Self { client, base }
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method, &format!("{}{path}", self.base));
        let request = request.header("OpenStack-API-Version", "volume 3.65");
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(Method::DELETE, path, Value::Null).await
    }

    async fn create(&self, more: Value) -> String {
        let mut volume = json!({"name": "data", "size": 1});
        for (field, value) in more.as_object().unwrap() {
            volume[field] = value.clone();
        }
        let (status, answer) = self.post("/volumes", json!({"volume": volume})).await;
        assert_eq!((status, &answer["volume"]["status"]), (202, &json!("creating")), "{answer}");
        answer["volume"]["id"].as_str().unwrap().to_owned()
    }

    async fn status(&self, id: &str) -> Value {
        self.get(&format!("/volumes/{id}")).await["volume"]["status"].take()
    }
}

async fn attach(client: &Client, server: &str, volume: &str) -> (u16, Value) {
    let path = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": volume, "device": null}});
    client.post(&path, body).await
}

fn message(answer: &Value) -> &str {
    let fault = answer.as_object().unwrap().values().next().unwrap();
    fault["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_volume_is_made_found_changed_and_removed() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    let id = cinder.create(json!({"metadata": {"a": "1"}})).await;
    assert_eq!(cinder.status(&id).await, "available");

    let (status, answer) = cinder.send(Method::GET, "/volumes/data", Value::Null).await;
    assert_eq!((status, message(&answer)), (404, "Volume data could not be found."));
    let found = cinder.get("/volumes/detail?name=data").await;
    assert_eq!(found["volumes"][0]["id"], json!(id));
    assert_eq!(found["volumes"][0]["consumes_quota"], true, "as of version 3.65");
    let brief = cinder.get("/volumes?name=data").await;
    assert_eq!(brief["volumes"][0].as_object().unwrap().len(), 3);
    assert_eq!(cinder.get("/volumes/detail?name=other").await["volumes"], json!([]));

    let path = format!("/volumes/{id}");
    let renamed = json!({"volume": {"name": "renamed"}});
    let (_, answer) = cinder.send(Method::PUT, &path, renamed).await;
    assert_eq!(answer["volume"]["name"], "renamed");
    assert_eq!(answer["volume"]["metadata"], json!({"a": "1"}));
    let (_, answer) =
        cinder.post(&format!("{path}/metadata"), json!({"metadata": {"b": "2"}})).await;
    assert_eq!(answer["metadata"], json!({"a": "1", "b": "2"}));
    assert_eq!(cinder.delete(&format!("{path}/metadata/a")).await.0, 200);
    assert_eq!(cinder.delete(&format!("{path}/metadata/a")).await.0, 404);

    let extend = |size| json!({"os-extend": {"new_size": size}});
    let action = format!("{path}/action");
    assert_eq!(cinder.post(&action, extend(3)).await.0, 202);
    let (status, answer) = cinder.post(&action, extend(3)).await;
    assert_eq!(status, 400);
    assert!(message(&answer).contains("must be greater than current size. (current: 3"));
    assert_eq!(cinder.get(&path).await["volume"]["size"], 3);

    assert_eq!(cinder.delete(&path).await.0, 202);
    assert_eq!(cinder.delete(&path).await.0, 404);
}

#[tokio::test]
async fn a_server_has_a_volume_until_it_is_taken_away() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    let (server, other) = (ada.create_server("vm").await, ada.create_server("vm2").await);
    let id = cinder.create(json!({})).await;
    let (status, answer) = attach(&ada, &server, &id).await;
    assert_eq!((status, &answer["volumeAttachment"]["device"]), (200, &json!("/dev/sdb")));
    assert_eq!(answer["volumeAttachment"]["id"], json!(id));
    let shown = ada.server(&server).await;
    let expected = json!([{"id": id, "delete_on_termination": false}]);
    assert_eq!(shown["os-extended-volumes:volumes_attached"], expected);
    let volume = cinder.get(&format!("/volumes/{id}")).await["volume"].take();
    assert_eq!(volume["status"], "in-use");
    assert_eq!(volume["attachments"][0]["server_id"], json!(server));

    let list = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    let attachment = ada.get(&list).await["volumeAttachments"][0].take();
    assert_eq!(attachment["attachment_id"], volume["attachments"][0]["attachment_id"]);
    assert!(attachment["bdm_uuid"].is_string() && attachment.get("id").is_none());
    let one = format!("{list}/{id}");
    let mut old = ada.clone();
    old.microversion = "2.1";
    let answer = old.get(&one).await;
    let expected = json!({"id": id, "volumeId": id, "serverId": server, "device": "/dev/sdb"});
    assert_eq!(answer["volumeAttachment"], expected);

    let (status, answer) = attach(&ada, &server, &id).await;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = attach(&ada, &other, &id).await;
    assert_eq!(status, 400);
    assert!(message(&answer).ends_with("but the current status is in-use. (HTTP 400)"));
    let (status, answer) = cinder.delete(&format!("/volumes/{id}")).await;
    assert_eq!(status, 400);
    assert!(message(&answer).starts_with("Invalid volume: Volume status must be available"));

    assert_eq!(ada.delete(&one).await, 202);
    assert_eq!(cinder.status(&id).await, "available");
    let (status, answer) = ada.refusal(Method::GET, &one).await;
    let expected = format!("Instance {server} is not attached to volume {id}");
    assert_eq!((status, message(&answer)), (404, expected.as_str()));
    assert_eq!(ada.status(Method::DELETE, &one).await, 404);
    let (status, answer) = attach(&ada, &server, "nothing").await;
    assert_eq!((status, message(&answer)), (404, "Volume nothing could not be found."));
}

#[tokio::test]
async fn a_deleted_server_frees_its_volumes_or_takes_them_along() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    let server = ada.create_server("vm").await;
    let (kept, gone) = (cinder.create(json!({})).await, cinder.create(json!({})).await);
    assert_eq!(attach(&ada, &server, &kept).await.0, 200);
    let path = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": gone, "delete_on_termination": true}});
    let (status, answer) = ada.post(&path, body).await;
    assert_eq!((status, &answer["volumeAttachment"]["device"]), (200, &json!("/dev/sdc")));
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);
    assert_eq!(cinder.status(&kept).await, "available");
    let volumes = cinder.get("/volumes").await;
    assert_eq!(volumes["volumes"].as_array().unwrap().len(), 1, "{volumes}");
}

#[tokio::test]
async fn snapshots_hold_their_volume_and_make_others() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    let id = cinder.create(json!({"size": 2})).await;
    let wanted = json!({"snapshot": {"volume_id": id, "name": "s", "metadata": null}});
    let (status, answer) = cinder.post("/snapshots", wanted.clone()).await;
    assert_eq!((status, &answer["snapshot"]["size"]), (202, &json!(2)));
    let snapshot = answer["snapshot"]["id"].as_str().unwrap().to_owned();
    let found = cinder.get(&format!("/snapshots/detail?volume_id={id}")).await;
    assert_eq!(found["snapshots"][0]["status"], "available");
    assert_eq!(found["snapshots"][0]["os-extended-snapshot-attributes:progress"], "100%");

    assert_eq!(cinder.delete(&format!("/volumes/{id}")).await.0, 400, "it has a snapshot");
    let small = json!({"volume": {"size": 1, "snapshot_id": snapshot}});
    let (status, answer) = cinder.post("/volumes", small).await;
    assert_eq!(status, 400);
    assert!(message(&answer).contains("cannot be smaller"), "{answer}");
    let (_, answer) = cinder.post("/volumes", json!({"volume": {"snapshot_id": snapshot}})).await;
    assert_eq!(answer["volume"]["size"], 2, "that of its source");

    let server = ada.create_server("vm").await;
    assert_eq!(attach(&ada, &server, &id).await.0, 200);
    let (status, answer) = cinder.post("/snapshots", wanted).await;
    assert_eq!(status, 400, "before version 3.66 only with force");
    assert!(message(&answer).ends_with("current status is: in-use."), "{answer}");
    let forced = json!({"snapshot": {"volume_id": id, "force": true}});
    assert_eq!(cinder.post("/snapshots", forced).await.0, 202);
    let detach = format!("/compute/v2.1/servers/{server}/os-volume_attachments/{id}");
    assert_eq!(ada.delete(&detach).await, 202);
    assert_eq!(cinder.delete(&format!("/volumes/{id}?cascade=True")).await.0, 202);
    assert_eq!(cinder.get("/snapshots").await["snapshots"], json!([]));
}

#[tokio::test]
async fn quotas_are_enforced_in_cinders_words() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let (cinder, admins) = (Cinder::of(&ada).await, Cinder::of(&admin).await);
    let project = cinder.base.rsplit('/').next().unwrap();
    let path = format!("/os-quota-sets/{project}");
    let quotas = json!({"quota_set": {"volumes": 2, "gigabytes": 5, "snapshots": 0}});
    let (status, answer) = admins.send(Method::PUT, &path, quotas).await;
    assert_eq!((status, &answer["quota_set"]["gigabytes"]), (200, &json!(5)));

    let id = cinder.create(json!({"size": 4})).await;
    let wanted = |size| json!({"volume": {"size": size}});
    let (status, answer) = cinder.post("/volumes", wanted(2)).await;
    assert_eq!((status, answer["overLimit"]["code"].as_u64()), (413, Some(413)));
    assert_eq!(
        message(&answer),
        "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes \
         quota. Requested 2G, quota is 5G and 4G has been consumed."
    );
    cinder.create(json!({})).await;
    let (status, answer) = cinder.post("/volumes", wanted(1)).await;
    assert_eq!(status, 413);
    assert!(message(&answer).ends_with("allowed (2) exceeded for quota 'volumes'."), "{answer}");
    let snapshot = json!({"snapshot": {"volume_id": id}});
    let (status, answer) = cinder.post("/snapshots", snapshot).await;
    assert_eq!(status, 413);
    assert!(message(&answer).starts_with("SnapshotLimitExceeded:"), "{answer}");

    let limits = cinder.get("/limits").await["limits"]["absolute"].take();
    assert_eq!(
        (&limits["totalGigabytesUsed"], &limits["totalVolumesUsed"]),
        (&json!(5), &json!(2))
    );
    let usage = cinder.get(&format!("{path}?usage=True")).await;
    assert_eq!(usage["quota_set"]["gigabytes"]["in_use"], 5);
}

#[tokio::test]
async fn the_volumes_of_others_are_out_of_sight() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let (cinder, admins) = (Cinder::of(&ada).await, Cinder::of(&admin).await);
    let id = admins.create(json!({})).await;
    let (status, _) = cinder.send(Method::GET, &format!("/volumes/{id}"), Value::Null).await;
    assert_eq!(status, 404);
    assert_eq!(cinder.get("/volumes/detail?all_tenants=1").await["volumes"], json!([]));
    let (status, answer) = ada.refusal(Method::GET, &format!("{}/volumes", admins.base)).await;
    assert_eq!((status, message(&answer)), (400, "Malformed request url"));
    let server = ada.create_server("vm").await;
    assert_eq!(attach(&ada, &server, &id).await.0, 404);
    let mine = cinder.create(json!({})).await;
    let all = admins.get("/volumes/detail?all_tenants=1").await;
    assert_eq!(all["volumes"][0]["id"], json!(mine), "the newest first");
    assert_eq!(all["volumes"].as_array().unwrap().len(), 2);
    let page = admins.get("/volumes?all_tenants=1&limit=1").await;
    assert!(page["volumes_links"][0]["href"].as_str().unwrap().contains(&format!("marker={mine}")));
}

#[tokio::test]
async fn novas_older_api_shows_volumes_too() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/os-volumes").await, 404, "gone since 2.36");
    ada.microversion = "2.1";
    let wanted = json!({"volume": {"display_name": "v", "size": 1, "metadata": {"a": "b"}}});
    let (status, answer) = ada.post("/compute/v2.1/os-volumes", wanted).await;
    assert_eq!((status, &answer["volume"]["attachments"]), (200, &json!([{}])));
    let id = answer["volume"]["id"].as_str().unwrap();
    let server = ada.create_server("vm").await;
    assert_eq!(attach(&ada, &server, id).await.0, 200);
    let volumes = ada.get("/compute/v2.1/os-volumes").await;
    assert_eq!(volumes["volumes"][0]["attachments"][0]["serverId"], json!(server));
    assert_eq!(volumes["volumes"][0]["displayName"], "v");
    let shown = ada.server(&server).await;
    assert_eq!(shown["os-extended-volumes:volumes_attached"], json!([{"id": id}]));
    let path = format!("/compute/v2.1/os-volumes/{id}");
    assert_eq!(ada.delete(&path).await, 400);
    ada.delete(&format!("/compute/v2.1/servers/{server}/os-volume_attachments/{id}")).await;
    assert_eq!(ada.delete(&path).await, 202);
}

#[tokio::test]
async fn volumes_outlive_the_cloud() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    let server = ada.create_server("vm").await;
    let id = cinder.create(json!({})).await;
    attach(&ada, &server, &id).await;
    let stack = stack.restart().await;
    let ada = stack.ada().await;
    let cinder = Cinder::of(&ada).await;
    assert_eq!(cinder.status(&id).await, "in-use");
    let list = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    assert_eq!(ada.get(&list).await["volumeAttachments"][0]["volumeId"], json!(id));
}
