//! Glance: images and their content.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

#[tokio::test]
async fn an_image_is_announced_filled_used_and_removed() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let body = json!({
        "name": "mine", "disk_format": "raw", "container_format": "bare", "os_type": "linux"
    });
    let (status, image) = ada.post("/image/v2/images", body).await;
    assert_eq!((status, &image["status"]), (201, &json!("queued")));
    assert_eq!(image["os_type"], "linux");
    assert_eq!(image["visibility"], "shared");
    let id = image["id"].as_str().unwrap();
    let wanted = ada.wanted("vm", json!({"imageRef": id})).await;
    let (_, refused) = ada.post("/compute/v2.1/servers", wanted).await;
    assert_eq!(refused["badRequest"]["message"], format!("Image {id} is not active."));

    let file = format!("/image/v2/images/{id}/file");
    assert_eq!(ada.status(Method::GET, &file).await, 204, "no content yet");
    let content = vec![b'x'; 100_000];
    let sent = ada.request(Method::PUT, &file).body(content.clone()).send().await.unwrap();
    assert_eq!(sent.status(), 204);
    let image = ada.get(&format!("/image/v2/images/{id}")).await;
    assert_eq!((&image["status"], &image["size"]), (&json!("active"), &json!(100_000)));
    assert_eq!(image["os_hash_algo"], "sha512");
    assert_eq!(image["os_hash_value"].as_str().unwrap().len(), 128);
    let got = ada.request(Method::GET, &file).send().await.unwrap();
    assert_eq!(got.headers()["content-md5"], image["checksum"].as_str().unwrap());
    assert_eq!(got.bytes().await.unwrap(), content);
    assert_eq!(ada.status(Method::PUT, &file).await, 409, "there already");

    ada.create_server_with("vm", json!({"imageRef": id})).await;
    assert_eq!(ada.delete(&format!("/image/v2/images/{id}")).await, 204);
    let kept = std::fs::read_dir(stack.dir.path().join("images")).unwrap().count();
    assert_eq!(kept, 0, "its content is gone with it");
}

#[tokio::test]
async fn images_are_looked_for_in_many_ways() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let page = ada.request(Method::GET, "/image/v2/images/host").send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("No image found with ID host"));
    let private = json!({"name": "private", "visibility": "private"});
    admin.post("/image/v2/images", private).await;
    let names = |list: Value| -> Vec<String> {
        let images = list["images"].as_array().unwrap().iter();
        images.map(|image| image["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(ada.get("/image/v2/images").await), ["host"], "not another project's");
    assert_eq!(names(admin.get("/image/v2/images").await), ["private", "host"]);
    let sorted = admin.get("/image/v2/images?sort_key=name&sort_dir=asc&limit=1").await;
    assert_eq!(names(sorted.clone()), ["host"]);
    let next = format!("/image{}", sorted["next"].as_str().unwrap());
    assert_eq!(names(admin.get(&next).await), ["private"]);
    let id = ada.image().await;
    assert_eq!(names(ada.get(&format!("/image/v2/images?id=in%3A{id},other")).await), ["host"]);
    assert_eq!(names(admin.get("/image/v2/images?status=queued").await), ["private"]);
    assert_eq!(names(admin.get("/image/v2/images?os_hidden=True").await), Vec::<String>::new());
    assert_eq!(names(admin.get("/image/v2/images?visibility=public").await), ["host"]);
}

#[tokio::test]
async fn images_are_changed_by_their_owner_only() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let (_, image) = ada.post("/image/v2/images", json!({"name": "mine"})).await;
    let path = format!("/image/v2/images/{}", image["id"].as_str().unwrap());
    let patch = json!([
        {"op": "replace", "path": "/name", "value": "ours"},
        {"op": "add", "path": "/colour", "value": "blue"},
        {"op": "replace", "path": "/min_ram", "value": 64},
    ]);
    let (status, image) = ada.send(Method::PATCH, &path, patch).await;
    assert_eq!(status, 200, "{image}");
    assert_eq!(
        (&image["name"], &image["colour"], &image["min_ram"]),
        (&json!("ours"), &json!("blue"), &json!(64))
    );
    for (patch, status) in [
        (json!([{"op": "replace", "path": "/status", "value": "active"}]), 403),
        (json!([{"op": "remove", "path": "/shape"}]), 409),
        (json!([{"op": "replace", "path": "/min_ram", "value": "much"}]), 400),
        (json!([{"op": "replace", "path": "/visibility", "value": "public"}]), 403),
    ] {
        assert_eq!(ada.send(Method::PATCH, &path, patch.clone()).await.0, status, "{patch}");
    }
    let host = format!("/image/v2/images/{}", ada.image().await);
    assert_eq!(ada.delete(&host).await, 403);
    let admin = stack.admin().await;
    assert_eq!(admin.delete(&host).await, 403, "protected");
}

#[tokio::test]
async fn an_image_is_shared_with_who_accepts_it() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let image = uploaded(&admin, json!({"name": "mine", "visibility": "shared"})).await;
    let path = format!("/image/v2/images/{image}");
    assert_eq!(ada.status(Method::GET, &path).await, 404);
    let project = ada.get("/v3/auth/projects").await["projects"][0]["id"].take();
    let members = format!("{path}/members");
    let (status, member) = admin.post(&members, json!({"member": project})).await;
    assert_eq!((status, &member["status"]), (200, &json!("pending")));
    assert_eq!(admin.post(&members, json!({"member": project})).await.0, 409);
    assert_eq!(ada.get(&path).await["name"], "mine");
    let listed =
        |list: Value| list["images"].as_array().unwrap().iter().any(|it| it["id"] == image);
    assert!(!listed(ada.get("/image/v2/images").await), "not accepted yet");
    assert!(listed(ada.get("/image/v2/images?member_status=all&visibility=shared").await));
    let own = format!("{members}/{}", project.as_str().unwrap());
    let accept = json!({"status": "accepted"});
    assert_eq!(ada.put(&own, accept).await.0, 200);
    assert!(listed(ada.get("/image/v2/images").await));
    assert_eq!(ada.status(Method::DELETE, &own).await, 403, "it is the owner's to share");
    assert_eq!(admin.delete(&own).await, 204);
    assert_eq!(ada.status(Method::GET, &path).await, 404);
}

#[tokio::test]
async fn a_deactivated_image_is_of_no_use_until_it_is_active_again() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let image = uploaded(&ada, json!({"name": "mine"})).await;
    let path = format!("/image/v2/images/{image}");
    assert_eq!(ada.status(Method::POST, &format!("{path}/actions/deactivate")).await, 204);
    assert_eq!(ada.get(&path).await["status"], "deactivated");
    assert_eq!(ada.status(Method::GET, &format!("{path}/file")).await, 403);
    let wanted = ada.wanted("vm", json!({"imageRef": image})).await;
    assert_eq!(ada.post("/compute/v2.1/servers", wanted).await.0, 400);
    assert_eq!(ada.status(Method::POST, &format!("{path}/actions/reactivate")).await, 204);
    let part = ada.request(Method::GET, &format!("{path}/file")).header("Range", "bytes=2-4");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/7");
    assert_eq!(part.text().await.unwrap(), "nte");
    let beyond = ada.request(Method::GET, &format!("{path}/file")).header("Range", "bytes=7-");
    assert_eq!(beyond.send().await.unwrap().status(), 416);
}

#[tokio::test]
async fn an_image_that_is_too_large_leaves_nothing() {
    let stack = Stack::start_with(|settings| settings.image_size_max = 6).await;
    let ada = stack.ada().await;
    let (status, made) = ada
        .post(
            "/image/v2/images",
            json!({
                "name": "large", "disk_format": "raw", "container_format": "bare"
            }),
        )
        .await;
    assert_eq!(status, 201);
    let path = format!("/image/v2/images/{}", made["id"].as_str().unwrap());
    let upload = ada.request(Method::PUT, &format!("{path}/file")).body("content");
    let kind = ("Content-Type", "application/octet-stream");
    assert_eq!(upload.header(kind.0, kind.1).send().await.unwrap().status(), 413);
    assert_eq!(ada.get(&path).await["status"], "queued");
    let files = std::fs::read_dir(stack.dir.path().join("images")).unwrap();
    assert_eq!(files.count(), 0);
}

/// Makes an image of seven bytes, and gives its id.
async fn uploaded(client: &Client, mut wanted: Value) -> String {
    wanted["disk_format"] = json!("raw");
    wanted["container_format"] = json!("bare");
    let (status, made) = client.post("/image/v2/images", wanted).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let upload = client.request(Method::PUT, &format!("/image/v2/images/{id}/file"));
    let upload = upload.header("Content-Type", "application/octet-stream").body("content");
    assert_eq!(upload.send().await.unwrap().status(), 204);
    id
}
