//! Servers that boot from volumes, and volumes that servers have from their start.

use serde_json::{Value, json};

use crate::client::{Client, Stack};

async fn boot(client: &Client, more: Value) -> (u16, Value) {
    let body = client.wanted("vm", more).await;
    client.post("/compute/v2.1/servers", body).await
}

async fn volumes(client: &Client, project: &str) -> Vec<Value> {
    let list = client.get(&format!("/volume/v3/{project}/volumes/detail")).await;
    list["volumes"].as_array().unwrap().clone()
}

async fn project(stack: &Stack) -> String {
    let admin = stack.admin().await;
    let projects = admin.get("/v3/projects?name=engines").await;
    projects["projects"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_boots_from_a_volume_made_of_an_image() {
    let stack = Stack::start().await;
    let (ada, project) = (stack.ada().await, project(&stack).await);
    let image = ada.image().await;
    let (status, answer) = boot(
        &ada,
        json!({"imageRef": "", "block_device_mapping_v2": [{
            "uuid": image, "source_type": "image", "destination_type": "volume", "boot_index": 0,
            "volume_size": 3, "delete_on_termination": true,
        }]}),
    )
    .await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["server"]["id"].as_str().unwrap();
    let server = ada.server(id).await;
    assert_eq!((&server["status"], &server["image"]), (&json!("ACTIVE"), &json!("")));
    let made = volumes(&ada, &project).await;
    assert_eq!(
        (made.len(), &made[0]["size"], &made[0]["bootable"]),
        (1, &json!(3), &json!("true"))
    );
    assert_eq!(made[0]["volume_image_metadata"]["image_id"], image);
    assert_eq!(made[0]["attachments"][0]["device"], "/dev/sda");
    let volume = made[0]["id"].as_str().unwrap();
    assert_eq!(
        server["os-extended-volumes:volumes_attached"],
        json!([{"id": volume, "delete_on_termination": true}])
    );
    let attachment = format!("/compute/v2.1/servers/{id}/os-volume_attachments/{volume}");
    assert_eq!(ada.delete(&attachment).await, 403, "it boots from there");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{id}")).await, 204);
    assert_eq!(volumes(&ada, &project).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_server_boots_from_a_volume_that_is_there_and_leaves_it() {
    let stack = Stack::start().await;
    let (ada, project) = (stack.ada().await, project(&stack).await);
    let (image, path) = (ada.image().await, format!("/volume/v3/{project}/volumes"));
    let made = ada.post(&path, json!({"volume": {"size": 2, "imageRef": image}})).await.1;
    let bootable = made["volume"]["id"].as_str().unwrap().to_owned();
    let made = ada.post(&path, json!({"volume": {"size": 2}})).await.1;
    let blank = made["volume"]["id"].as_str().unwrap();
    let device = |id: &str| {
        json!({"imageRef": null, "block_device_mapping_v2": [{
            "uuid": id, "source_type": "volume", "destination_type": "volume", "boot_index": "0"
        }]})
    };
    let (status, answer) = boot(&ada, device(blank)).await;
    let message = format!("Block Device {blank} is not bootable.");
    assert_eq!((status, answer["badRequest"]["message"].as_str()), (400, Some(message.as_str())));
    let (status, answer) = boot(&ada, device(&bootable)).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["server"]["id"].as_str().unwrap();
    assert_eq!(ada.server(id).await["image"], "");
    assert_eq!(boot(&ada, device(&bootable)).await.0, 400, "it has a server");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{id}")).await, 204);
    let left = ada.get(&format!("{path}/{bootable}")).await;
    assert_eq!(left["volume"]["status"], "available");
    let nobody = json!({"imageRef": "", "block_device_mapping": [
        {"volume_id": uuid::Uuid::nil(), "device_name": "vda"}
    ]});
    let (status, answer) = boot(&ada, nobody).await;
    let told = answer["badRequest"]["message"].as_str().unwrap();
    assert!(status == 400 && told.contains("failed to get volume"), "{told}");
}

#[tokio::test]
async fn a_server_has_volumes_from_its_start() {
    let stack = Stack::start().await;
    let (ada, project) = (stack.ada().await, project(&stack).await);
    let (status, answer) = boot(
        &ada,
        json!({"block_device_mapping_v2": [
            {"source_type": "blank", "destination_type": "volume", "volume_size": 1,
             "device_name": "/dev/vdc", "boot_index": -1, "delete_on_termination": true},
            {"source_type": "blank", "destination_type": "volume", "volume_size": "2"},
        ]}),
    )
    .await;
    assert_eq!(status, 202, "{answer}");
    let server = format!("/compute/v2.1/servers/{}", answer["server"]["id"].as_str().unwrap());
    let attachments = ada.get(&format!("{server}/os-volume_attachments")).await;
    let attachments = attachments["volumeAttachments"].as_array().unwrap();
    let shown: Vec<_> =
        attachments.iter().map(|it| (&it["device"], &it["delete_on_termination"])).collect();
    assert_eq!(shown, [(&json!("/dev/vdc"), &json!(true)), (&json!("/dev/sdb"), &json!(false))]);

    let kept = attachments[0]["volumeId"].as_str().unwrap();
    let path = format!("{server}/os-volume_attachments/{kept}");
    let change = |more: Value| {
        let mut it = json!({"volumeId": kept});
        it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"volumeAttachment": it})
    };
    assert_eq!(ada.put(&path, change(json!({"delete_on_termination": false}))).await.0, 202);
    assert_eq!(ada.put(&path, change(json!({"device": "/dev/sdz"}))).await.0, 400);
    let other = json!({"volumeAttachment": {"volumeId": uuid::Uuid::nil()}});
    assert_eq!(ada.put(&path, other).await.0, 403, "for Cinder only");
    assert_eq!(ada.delete(&server).await, 204);
    assert_eq!(volumes(&ada, &project).await.len(), 2, "both stay now");
}
