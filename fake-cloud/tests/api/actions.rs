//! What is done to servers: rebuilt, resized, locked, put aside.

use serde_json::{Value, json};

use crate::client::{Client, Stack};

async fn status(client: &Client, id: &str) -> String {
    client.server(id).await["status"].as_str().unwrap().to_owned()
}

/// Does something that must be accepted, and gives the status of the server after it.
async fn after(client: &Client, id: &str, action: Value) -> String {
    let (code, answer) = client.act(id, action.clone()).await;
    assert!(code == 202 || code == 204, "{action}: {code} {answer}");
    status(client, id).await
}

async fn events(client: &Client, id: &str) -> Vec<String> {
    let events = client.get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await;
    let events = events["instanceActions"].as_array().unwrap().iter();
    events.map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_rebuilt_server_keeps_what_it_is_not_told_to_change() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let id = ada.create_server_with("old", json!({"metadata": {"a": "b"}})).await;
    let before = ada.server(&id).await;
    let image = ada.image().await;
    let (code, answer) = ada.act(&id, json!({"rebuild": {"imageRef": image}})).await;
    assert_eq!(code, 202);
    let answer = &answer["server"];
    assert_eq!((&answer["id"], &answer["name"]), (&json!(id), &json!("old")));
    assert_eq!(answer["adminPass"].as_str().unwrap().len(), 12);
    assert_eq!(answer["user_data"], Value::Null);
    let now = ada.server(&id).await;
    assert_eq!(now["status"], "ACTIVE");
    assert_eq!((&now["metadata"], &now["addresses"]), (&json!({"a": "b"}), &before["addresses"]));

    let key = json!({"keypair": {"name": "k", "public_key": KEY}});
    assert_eq!(ada.post("/compute/v2.1/os-keypairs", key).await.0, 201);
    let change = json!({"rebuild": {
        "imageRef": image, "name": "new", "metadata": {}, "description": "again",
        "key_name": "k", "user_data": "IyEvYmluL3NoCg==", "adminPass": "pass", "hostname": "host",
    }});
    let (code, answer) = ada.act(&id, change).await;
    assert_eq!((code, &answer["server"]["adminPass"]), (202, &json!("pass")));
    let now = ada.server(&id).await;
    assert_eq!((&now["name"], &now["metadata"]), (&json!("new"), &json!({})));
    assert_eq!((&now["key_name"], &now["description"]), (&json!("k"), &json!("again")));
    assert_eq!(events(&ada, &id).await, ["rebuild", "rebuild", "create"]);

    assert_eq!(after(&ada, &id, json!({"os-stop": null})).await, "SHUTOFF");
    let rebuild = json!({"rebuild": {"imageRef": image}});
    assert_eq!(after(&ada, &id, rebuild).await, "SHUTOFF", "one that is off stays off");

    for (wanted, message) in [
        (json!({"imageRef": uuid::Uuid::nil()}), "Cannot find image for rebuild"),
        (json!({"imageRef": image, "key_name": "none"}), "Invalid key_name provided."),
        (json!({"imageRef": image, "flavorRef": "1"}), "('flavorRef' was unexpected)"),
        (json!({"name": "x"}), "imageRef"),
    ] {
        let (code, answer) = ada.act(&id, json!({"rebuild": wanted})).await;
        let told = answer["badRequest"]["message"].as_str().unwrap();
        assert!(code == 400 && told.contains(message), "{told}");
    }
    ada.microversion = "2.53";
    let early = json!({"rebuild": {"imageRef": image, "key_name": "k"}});
    assert_eq!(ada.act(&id, early).await.0, 400, "not before version 2.54");
    let plain = ada.act(&id, json!({"rebuild": {"imageRef": image}})).await.1;
    assert_eq!(plain["server"].get("key_name"), None);
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q me@here";

#[tokio::test]
async fn a_resized_server_is_confirmed_or_goes_back() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let small = ada.flavor("m1.small").await;
    let resize = |flavor: &str| json!({"resize": {"flavorRef": flavor}});
    let refused = ada.act(&id, json!({"confirmResize": null})).await;
    let message = format!("Cannot 'confirmResize' instance {id} while it is in vm_state active");
    let expected = json!({"conflictingRequest": {"code": 409, "message": message}});
    assert_eq!(refused, (409, expected));

    assert_eq!(after(&ada, &id, resize(&small)).await, "VERIFY_RESIZE");
    let server = ada.server(&id).await;
    assert_eq!(server["flavor"]["original_name"], "m1.small");
    assert_eq!(server["OS-EXT-STS:vm_state"], "resized");
    assert_eq!(server["OS-EXT-STS:power_state"], 1);
    assert_eq!(ada.act(&id, json!({"os-stop": null})).await.0, 409, "not before it is decided");
    let (code, _) = ada.act(&id, json!({"revertResize": null})).await;
    assert_eq!((code, status(&ada, &id).await.as_str()), (202, "ACTIVE"));
    assert_eq!(ada.server(&id).await["flavor"]["original_name"], "m1.tiny");

    after(&ada, &id, json!({"os-stop": null})).await;
    assert_eq!(after(&ada, &id, resize(&small)).await, "VERIFY_RESIZE");
    assert_eq!(ada.server(&id).await["OS-EXT-STS:power_state"], 4);
    let (code, _) = ada.act(&id, json!({"confirmResize": null})).await;
    assert_eq!((code, status(&ada, &id).await.as_str()), (204, "SHUTOFF"));
    assert_eq!(ada.server(&id).await["flavor"]["original_name"], "m1.small");

    let (code, answer) = ada.act(&id, resize(&small)).await;
    let message = &answer["badRequest"]["message"];
    assert_eq!(
        (code, message.as_str()),
        (400, Some("When resizing, instances must change flavor!"))
    );
    let (code, answer) = ada.act(&id, resize("none")).await;
    let message = &answer["badRequest"]["message"];
    assert_eq!((code, message.as_str()), (400, Some("Flavor none could not be found.")));
}

#[tokio::test]
async fn a_resizing_counts_against_the_quota() {
    let stack = Stack::start_with(|settings| settings.quotas.cores = 3).await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let resize = json!({"resize": {"flavorRef": ada.flavor("m1.large").await}});
    let (code, answer) = ada.act(&id, resize).await;
    let message = "Quota exceeded for cores: Requested 3, but already used 1 of 3 cores";
    assert_eq!((code, answer["forbidden"]["message"].as_str()), (403, Some(message)));
    let resize = json!({"resize": {"flavorRef": ada.flavor("m1.medium").await}});
    assert_eq!(after(&ada, &id, resize).await, "VERIFY_RESIZE");
    let limits = ada.get("/compute/v2.1/limits").await;
    assert_eq!(limits["limits"]["absolute"]["totalCoresUsed"], 2);
}

#[tokio::test]
async fn a_resized_server_is_still_resized_after_a_restart() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let suspended = ada.create_server("suspended").await;
    assert_eq!(after(&ada, &suspended, json!({"suspend": null})).await, "SUSPENDED");
    let resize = json!({"resize": {"flavorRef": ada.flavor("m1.small").await}});
    assert_eq!(after(&ada, &id, resize).await, "VERIFY_RESIZE");
    let stack = stack.restart().await;
    let ada = stack.ada().await;
    assert_eq!(status(&ada, &id).await, "VERIFY_RESIZE");
    assert_eq!(status(&ada, &suspended).await, "SUSPENDED");
    assert_eq!(after(&ada, &suspended, json!({"resume": null})).await, "ACTIVE");
}

#[tokio::test]
async fn a_locked_server_obeys_the_administrator_only() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let id = ada.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}");
    assert_eq!(ada.act(&id, json!({"lock": {"locked_reason": "mine"}})).await.0, 202);
    let server = ada.server(&id).await;
    assert_eq!((&server["locked"], &server["locked_reason"]), (&json!(true), &json!("mine")));
    let message = json!({"conflictingRequest": {
        "code": 409, "message": format!("Instance {id} is locked")
    }});
    for action in [json!({"os-stop": null}), json!({"reboot": {"type": "HARD"}})] {
        assert_eq!(ada.act(&id, action).await, (409, message.clone()));
    }
    assert_eq!(ada.delete(&path).await, 409);
    let metadata = json!({"metadata": {"a": "b"}});
    assert_eq!(ada.post(&format!("{path}/metadata"), metadata).await.0, 409);
    assert_eq!(after(&admin, &id, json!({"os-stop": null})).await, "SHUTOFF");
    assert_eq!(after(&ada, &id, json!({"unlock": null})).await, "SHUTOFF");
    assert_eq!(ada.server(&id).await["locked"], false);

    after(&admin, &id, json!({"lock": null})).await;
    assert_eq!(ada.act(&id, json!({"unlock": null})).await.0, 403, "another's lock");
    after(&admin, &id, json!({"unlock": null})).await;
    assert_eq!(events(&ada, &id).await, ["unlock", "lock", "unlock", "stop", "lock", "create"]);
    assert_eq!(ada.delete(&path).await, 204);
}

#[tokio::test]
async fn servers_are_suspended_and_put_aside() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    for (action, expected) in [
        ("suspend", "SUSPENDED"),
        ("resume", "ACTIVE"),
        ("shelve", "SHELVED_OFFLOADED"),
        ("unshelve", "ACTIVE"),
    ] {
        assert_eq!(after(&ada, &id, json!({action: null})).await, expected);
    }
    after(&ada, &id, json!({"shelve": null})).await;
    let shelved = ada.server(&id).await;
    assert_eq!(shelved["OS-EXT-AZ:availability_zone"], "");
    assert_eq!(shelved["OS-EXT-STS:vm_state"], "shelved_offloaded");
    for action in ["shelveOffload", "os-start", "resume", "suspend", "unpause"] {
        let (code, answer) = ada.act(&id, json!({action: null})).await;
        let message = answer["conflictingRequest"]["message"].as_str().unwrap();
        assert!(code == 409 && message.ends_with("in vm_state shelved_offloaded"), "{message}");
    }
    assert_eq!(ada.act(&id, json!({"forceDelete": null})).await.0, 202);
    assert_eq!(ada.status(reqwest::Method::GET, &format!("/compute/v2.1/servers/{id}")).await, 404);
}

#[tokio::test]
async fn the_administrator_says_what_a_server_is() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let id = ada.create_server("vm").await;
    let state = |state: &str| json!({"os-resetState": {"state": state}});
    assert_eq!(ada.act(&id, state("error")).await.0, 403);
    assert_eq!(admin.act(&id, state("stopped")).await.0, 400);
    assert_eq!(after(&admin, &id, state("error")).await, "ERROR");
    assert_eq!(after(&admin, &id, state("active")).await, "ACTIVE");
}

#[tokio::test]
async fn what_no_server_has_is_refused_as_nova_refuses_it() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let (code, answer) = ada.act(&id, json!({"changePassword": {"adminPass": "x"}})).await;
    assert_eq!((code, &answer["notImplemented"]["code"]), (501, &json!(501)));
    let remote = format!("/compute/v2.1/servers/{id}/remote-consoles");
    let wanted = json!({"remote_console": {"protocol": "vnc", "type": "novnc"}});
    let message =
        json!({"badRequest": {"code": 400, "message": "Unavailable console type novnc."}});
    assert_eq!(ada.post(&remote, wanted.clone()).await, (400, message.clone()));
    let older = json!({"os-getVNCConsole": {"type": "novnc"}});
    assert_ne!(ada.act(&id, older.clone()).await.1, message, "gone since version 2.6");
    ada.microversion = "2.5";
    assert_eq!(ada.act(&id, older).await, (400, message));
    assert_eq!(ada.post(&remote, wanted).await.0, 404);
}
