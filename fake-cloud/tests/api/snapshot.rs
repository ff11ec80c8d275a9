//! A whole cloud in one file, and others made from it.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use fake_cloud::FakeCloud;
use fake_cloud::snapshot::{self, SnapshotError};
use reqwest::Method;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::client::{Stack, settings};

async fn restored(stack: &Stack, file: &Path, name: &str, listen: &str) -> Stack {
    let state = stack.dir.path().join(name);
    snapshot::restore(file, &state).await.unwrap();
    let mut settings = settings(&state, &stack.clock);
    let listen = fake_cloud::settings::Listen::Address(listen.parse().unwrap());
    settings = fake_cloud::Settings {
        users: settings.users,
        patience: settings.patience,
        clock: settings.clock,
        ..fake_cloud::Settings::loopback(state, listen, "secret")
    };
    let cloud = FakeCloud::start(settings).await.unwrap();
    Stack::of(cloud, stack.clock.clone(), tempfile::tempdir().unwrap())
}

#[tokio::test]
async fn a_cloud_is_taken_while_it_runs_and_forked_to_other_addresses() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let server = ada.create_server("web").await;
    let image = json!({"name": "i", "disk_format": "raw", "container_format": "bare"});
    let (_, image) = ada.post("/image/v2/images", image).await;
    let content = format!("/image/v2/images/{}/file", image["id"].as_str().unwrap());
    let upload = ada.request(Method::PUT, &content).body("bits");
    let upload = upload.header("Content-Type", "application/octet-stream").send().await.unwrap();
    assert_eq!(upload.status(), 204);
    let floating = ada.create_floating_ip().await;
    let file = stack.dir.path().join("cloud.tar.gz");
    stack.cloud.control().snapshot(&file).await.unwrap();
    let again = stack.cloud.control().snapshot(&file).await.unwrap_err();
    assert!(matches!(again, SnapshotError::Exists(_)), "{again}");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);

    let twin = restored(&stack, &file, "twin", "127.0.0.1:0").await;
    let there = twin.ada().await;
    assert_eq!(there.server(&server).await["status"], "ACTIVE");
    let bits = there.request(Method::GET, &content).send().await.unwrap();
    assert_eq!(bits.text().await.unwrap(), "bits");
    let address = |server: serde_json::Value| server["addresses"]["private"][0]["addr"].clone();
    assert_eq!(address(there.server(&server).await), "127.0.16.2");

    let fork = restored(&stack, &file, "fork", "127.41.0.1:0").await;
    let there = fork.ada().await;
    assert_eq!(address(there.server(&server).await), "127.41.16.2");
    let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());
    let moved = there.get(&path).await["floatingip"]["floating_ip_address"].clone();
    assert_eq!(moved.as_str(), Some("127.41.1.10"));
}

#[tokio::test]
async fn everything_that_a_disk_can_hold_is_in_the_file() {
    let stack = Stack::start().await;
    let (clock, dir) = (stack.clock.clone(), stack.dir);
    stack.cloud.shutdown().await;
    let disk = dir.path().join("volumes/v");
    fs::create_dir_all(&disk).unwrap();
    fs::write(disk.join("file.new"), "text").unwrap();
    fs::set_permissions(disk.join("file.new"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::hard_link(disk.join("file.new"), disk.join("link")).unwrap();
    fs::File::create(disk.join("hole")).unwrap().set_len(1 << 30).unwrap();
    mknodat(CWD, disk.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, disk.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    fs::create_dir_all(dir.path().join("trash/left")).unwrap();

    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("cloud.tar.gz");
    snapshot::snapshot(dir.path(), &file).await.unwrap();
    assert!(file.metadata().unwrap().len() < 1 << 20, "holes take no room");
    let running = FakeCloud::start(settings(dir.path(), &clock)).await.unwrap();
    let refused = snapshot::snapshot(dir.path(), &file.with_extension("2")).await.unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
    running.shutdown().await;

    let state = file.with_file_name("state");
    snapshot::restore(&file, &state).await.unwrap();
    let disk = state.join("volumes/v");
    let found = |name| disk.join(name).symlink_metadata().unwrap();
    assert_eq!(fs::read_to_string(disk.join("link")).unwrap(), "text");
    assert_eq!(found("link").ino(), found("file.new").ino());
    assert_eq!(found("link").mode() & 0o7777, 0o4750);
    assert_eq!((found("hole").len(), found("hole").blocks()), (1 << 30, 0));
    assert!(found("fifo").file_type().is_fifo());
    assert!(found("gone").file_type().is_char_device());
    assert!(!state.join("trash").exists() && !state.join("manifest.json").exists());
    let refused = snapshot::restore(&file, &state).await.unwrap_err();
    assert!(matches!(refused, SnapshotError::Exists(_)), "{refused}");
}

#[tokio::test]
async fn what_is_no_whole_snapshot_is_refused_and_leaves_nothing() {
    let stack = Stack::start().await;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    stack.cloud.control().snapshot(at("whole")).await.unwrap();
    let whole = fs::read(at("whole")).unwrap();
    fs::write(at("half"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("text"), "text").unwrap();
    for name in ["half", "text"] {
        let error = snapshot::restore(&at(name), &at("state")).await.unwrap_err();
        assert!(matches!(error, SnapshotError::Broken { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
    let missing = snapshot::snapshot(&at("nothing"), &at("file")).await.unwrap_err();
    assert!(matches!(missing, SnapshotError::NoCloud(_)), "{missing}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3, "nothing is left");
}
