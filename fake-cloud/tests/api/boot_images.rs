//! Root file systems that users upload or keep on this machine, and servers that boot from them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fake_cloud::image::Store;
use fake_cloud::settings::BackendKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};
use crate::console;

/// The archive of the smallest system that can run a script: the machine's shell.
fn system() -> Vec<u8> {
    let libraries = std::process::Command::new("ldd").arg("/bin/sh").output().unwrap().stdout;
    let libraries = String::from_utf8(libraries).unwrap();
    let mut archive = tar::Builder::new(vec![]);
    for file in libraries.split_whitespace().filter(|word| word.starts_with('/')).chain(["/bin/sh"])
    {
        let mut content = fs::File::open(fs::canonicalize(file).unwrap()).unwrap();
        archive.append_file(file.trim_start_matches('/'), &mut content).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(10);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, "etc/motd", &b"the image\n"[..]).unwrap();
    archive.into_inner().unwrap()
}

async fn stack(store: Option<&Path>) -> Stack {
    Stack::start_with(|settings| {
        settings.backend = BackendKind::Process;
        settings.init_program = env!("CARGO_BIN_EXE_fake-cloud").into();
        settings.image_store = store.map(Path::to_owned);
    })
    .await
}

async fn upload(ada: &Client, content: &[u8]) -> Value {
    let body = json!({"name": "mine", "disk_format": "raw", "container_format": "docker"});
    let (_, image) = ada.post("/image/v2/images", body).await;
    let path = format!("/image/v2/images/{}", image["id"].as_str().unwrap());
    let sent = ada.request(Method::PUT, &format!("{path}/file")).body(content.to_owned());
    assert_eq!(sent.send().await.unwrap().status(), 204);
    ada.get(&path).await
}

/// Boots a server that prints the file of the image, and changes it; the server's id.
async fn boots(stack: &Stack, ada: &Client, image: &Value, from: &str) -> String {
    let script = "read line < /etc/motd; echo the copy > /etc/motd; echo booted from $line";
    runs(stack, ada, image, script, &format!("booted from {from}\n")).await
}

/// Boots a server that does what the script says, until it prints the text; the server's id.
async fn runs(stack: &Stack, ada: &Client, image: &Value, script: &str, text: &str) -> String {
    use base64::Engine as _;
    let script = format!("#!/bin/sh\n{script}\n");
    let user_data = base64::engine::general_purpose::STANDARD.encode(script);
    let wanted = json!({"imageRef": image, "user_data": user_data});
    let id = ada.create_server_with("vm", wanted).await;
    let console = stack.cloud.control().follow_console(&id, None).await.unwrap();
    console::shows(console, text, Duration::from_secs(60)).await;
    id
}

/// Makes an image of a server's disk; all images of its name when that is done.
async fn copies(stack: &Stack, ada: &Client, server: &str) -> Value {
    let path = format!("/compute/v2.1/servers/{server}/action");
    assert_eq!(ada.post(&path, json!({"createImage": {"name": "copy"}})).await.0, 202);
    stack.cloud.control().settled().await;
    ada.get("/image/v2/images?name=copy").await["images"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_root_file_system_boots_and_stays_while_a_server_needs_it() {
    let stack = stack(None).await;
    let ada = stack.ada().await;
    let image = upload(&ada, &system()).await;
    let id = image["id"].as_str().unwrap();
    let server = boots(&stack, &ada, &image["id"], "the image").await;

    let tree = stack.dir.path().join(format!("images/{id}.tree"));
    assert_eq!(ada.delete(&format!("/image/v2/images/{id}")).await, 204);
    assert!(tree.join("root/bin/sh").exists());
    let path = format!("/compute/v2.1/servers/{server}");
    ada.post(&format!("{path}/action"), json!({"reboot": {"type": "HARD"}})).await;
    assert_eq!(ada.get(&path).await["server"]["status"], "ACTIVE");
    assert_eq!(ada.delete(&path).await, 204);
    assert!(!tree.exists());
    stack.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_a_servers_disk_has_what_the_server_changed_and_boots() {
    let stack = stack(None).await;
    let ada = stack.ada().await;
    let image = upload(&ada, &system()).await;
    let server = boots(&stack, &ada, &image["id"], "the image").await;
    let path = format!("/compute/v2.1/servers/{server}/action");
    let wanted = json!({"createImage": {"name": "copy", "metadata": {"mine": "yes"}}});
    assert_eq!(ada.post(&path, wanted).await.0, 202);
    stack.cloud.control().settled().await;
    let copy = ada.get("/image/v2/images?name=copy").await["images"][0].clone();
    assert_eq!(copy["status"], "active", "{copy}");
    assert_eq!((&copy["mine"], &copy["instance_uuid"]), (&json!("yes"), &json!(server)));
    for name in ["monday", "tuesday"] {
        let wanted = json!({"name": name, "backup_type": "daily", "rotation": 1});
        assert_eq!(ada.post(&path, json!({"createBackup": wanted})).await.0, 202);
    }
    let backups = ada.get("/image/v2/images?backup_type=daily").await;
    let names: Vec<_> =
        backups["images"].as_array().unwrap().iter().map(|image| &image["name"]).collect();
    assert_eq!(names, ["tuesday"], "one is kept");
    let path = format!("/compute/v2.1/servers/{server}");
    assert_eq!(ada.get(&path).await["server"]["status"], "ACTIVE");
    assert_eq!(ada.delete(&path).await, 204);
    boots(&stack, &ada, &copy["id"], "the copy").await;

    let file = format!("/image/v2/images/{}/file", copy["id"].as_str().unwrap());
    let sent = ada.request(Method::GET, &file).send().await.unwrap().bytes().await.unwrap();
    let mut archive = tar::Archive::new(&sent[..]);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let motd = entries.find(|entry| entry.path().unwrap() == Path::new("etc/motd"));
    assert_eq!(std::io::read_to_string(motd.unwrap()).unwrap(), "the copy\n");
    stack.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_a_server_of_this_machine_has_what_it_changed_and_no_more() {
    let stack = stack(None).await;
    let ada = stack.ada().await;
    let host = ada.get("/image/v2/images?name=host").await["images"][0]["id"].clone();
    let script = "echo kept > /usr/local/share/mine; echo too > /srv/mine; rm /etc/profile
        echo lost > /tmp/mine; echo changed";
    let server = runs(&stack, &ada, &host, script, "changed\n").await;
    let copy = copies(&stack, &ada, &server).await[0].clone();
    assert_eq!((&copy["status"], &copy["layer_of"]), (&json!("active"), &json!("host")));
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);

    let file = format!("/image/v2/images/{}/file", copy["id"].as_str().unwrap());
    let sent = ada.request(Method::GET, &file).send().await.unwrap().bytes().await.unwrap();
    let mut archive = tar::Archive::new(&sent[..]);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let names: Vec<_> = entries.map(|entry| entry.path().unwrap().display().to_string()).collect();
    assert!(names.contains(&"etc/.wh.profile".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("usr/bin/")), "{names:?}");

    // Also of a copy of a copy.
    let script = "cat /usr/local/share/mine /srv/mine
        [ -e /etc/profile ] || [ -e /tmp/mine ] || [ ! -e /etc/passwd ] || echo again";
    let server = runs(&stack, &ada, &copy["id"], script, "kept\ntoo\nagain\n").await;
    assert_eq!(
        ada.delete(&format!("/image/v2/images/{}", copy["id"].as_str().unwrap())).await,
        204
    );
    let copy = copies(&stack, &ada, &server).await[0].clone();
    runs(&stack, &ada, &copy["id"], script, "kept\ntoo\nagain\n").await;
    stack.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_would_be_too_large_is_none_and_leaves_nothing() {
    let stack = Stack::start_with(|settings| {
        settings.backend = BackendKind::Process;
        settings.init_program = env!("CARGO_BIN_EXE_fake-cloud").into();
        settings.image_size_max = 1 << 20;
    })
    .await;
    let ada = stack.ada().await;
    let host = ada.get("/image/v2/images?name=host").await["images"][0]["id"].clone();
    let script = "head -c 2000000 /dev/zero > /srv/large; echo grown; sleep 1000";
    let server = runs(&stack, &ada, &host, script, "grown\n").await;
    assert_eq!(copies(&stack, &ada, &server).await, json!([]));
    assert_eq!(fs::read_dir(stack.dir.path().join("images")).unwrap().count(), 0);
    let server = ada.get(&format!("/compute/v2.1/servers/{server}")).await;
    assert_eq!(server["server"]["status"], "ACTIVE");
    stack.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_a_system_says_why_it_cannot_boot() {
    let stack = stack(None).await;
    let ada = stack.ada().await;
    let mut archive = tar::Builder::new(vec![]);
    archive.append_dir("etc", "/etc").unwrap();
    let image = upload(&ada, &archive.into_inner().unwrap()).await;
    assert_eq!(image["status"], "active");
    let reason = "the archive is no root file system: it has no /bin/sh";
    assert_eq!(image["unbootable"], reason);
    let plain = upload(&ada, b"QFI\xfb").await;
    assert!(plain.get("unbootable").is_none());
    let left = fs::read_dir(stack.dir.path().join("images")).unwrap().flatten();
    assert!(left.map(|entry| entry.path()).all(|path| path.is_file()));
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_this_machine_are_offered_and_held() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.import("tiny", &system()[..], None).unwrap();
    let stack = stack(Some(directory.path())).await;
    let ada = stack.ada().await;
    let images = ada.get("/image/v2/images?name=tiny").await;
    boots(&stack, &ada, &images["images"][0]["id"], "the image").await;
    assert!(store.remove("tiny").is_err());
    stack.cloud.shutdown().await;
    store.remove("tiny").unwrap();
}
