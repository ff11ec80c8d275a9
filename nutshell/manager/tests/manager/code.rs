//! Code versions and scripts: what is refused, and what failing scripts lead to.

use futures::TryStreamExt;
use protocol::ErrorCode;
use protocol::api::State;
use protocol::client::Upload;
use serde_json::json;

use crate::world::{SERVICE, World};

const WAITING: &[(&str, &str)] = &[("run.sh", "sleep 1000"), ("interrupt.sh", "true")];

#[tokio::test]
async fn nothing_else_begins_while_scripts_run_until_they_are_interrupted() {
    let world = World::running(WAITING).await;
    world.add_nodes(1).await;
    let none = world.command("interrupt", json!({})).await.unwrap_err();
    assert_eq!(
        none.message,
        "No scripts are currently running inside agents. Nothing to interrupt."
    );
    world.command("run", json!({})).await.unwrap();
    let list = world.query("list_code").await.unwrap();
    let version = list["code_versions"][1]["id"].clone();
    for (method, given) in [
        ("run", json!({})),
        ("cleanup", json!({})),
        ("enable_code", json!({ "code_version": version })),
    ] {
        let refused = world.command(method, given).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Conflict);
        assert_eq!(
            refused.message,
            "Scripts are still running inside at least one agent. \
             Please wait for them to finish execution or call 'interrupt' first."
        );
    }
    assert_eq!(world.director.reports(SERVICE).pop().unwrap().state, State::Running);
    world.command("interrupt", json!({})).await.unwrap();
    for node in world.nodes() {
        assert_eq!(world.ended(&node, "run").await["return_code"], json!(143));
        assert_eq!(world.ended(&node, "interrupt").await["return_code"], json!(0));
    }
}

#[tokio::test]
async fn what_the_code_cannot_do_is_refused_in_one_line() {
    let world = World::running(&[("init.sh", "true")]).await;
    world.add_nodes(1).await;
    let list = world.query("list_code").await.unwrap();
    let version = list["code_versions"][0]["id"].as_str().unwrap();
    for script in ["run", "cleanup"] {
        let refused = world.command(script, json!({})).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Conflict);
        assert_eq!(refused.message, format!("{version} has no {script}.sh"));
    }
}

#[tokio::test]
async fn a_failing_init_is_told_and_the_service_runs() {
    let world = World::running(&[("init.sh", "exit 3")]).await;
    let node = world.nodes()[0].id;
    let reason = world.director.reports(SERVICE).pop().unwrap().reason.unwrap();
    let told = format!("init.sh ended with return code 3 on node {node}");
    assert!(reason.starts_with(&told), "{reason}");
    let version = world.upload(&[("init.sh", "exit 4")]).await.unwrap();
    let enabled = world.command("enable_code", json!({ "code_version": version })).await.unwrap();
    assert!(enabled["warning"].as_str().unwrap().contains("return code 4"), "{enabled}");
    let good = world.upload(&[("init.sh", "exit 0")]).await.unwrap();
    world.command("enable_code", json!({ "code_version": good })).await.unwrap();
    let calm = || {
        let report = world.director.reports(SERVICE).pop()?;
        (report.state == State::Running && report.reason.is_none()).then_some(())
    };
    world.director.until("a service with nothing to say", calm).await;
}

#[tokio::test]
async fn archives_come_back_as_they_went() {
    let world = World::new("generic").await;
    let version = world.upload(WAITING).await.unwrap();
    let parameters = [("code_version", version.as_str())];
    let download = world.client.download(SERVICE, "download_code", &parameters).await.unwrap();
    assert_eq!(download.filename, "app.tar");
    let content: Vec<bytes::Bytes> = download.content.try_collect().await.unwrap();
    let again = world.upload_bytes("same.tar", content.concat()).await.unwrap();
    assert_ne!(again, version);
    world.command("delete_code", json!({ "code_version": version })).await.unwrap();
    let gone = world.client.download(SERVICE, "download_code", &parameters).await.unwrap_err();
    assert_eq!(gone.to_string(), format!("there is no code version {version}"));
    let active = world.command("delete_code", json!({ "code_version": "code-default" })).await;
    assert_eq!(active.unwrap_err().code, ErrorCode::Conflict);
}

#[tokio::test]
async fn scripts_in_a_directory_are_found_and_code_without_any_is_refused() {
    let packed: Vec<_> = [("app/init.sh", "echo packed >$HOME/said"), ("app/lib/data", "x")].into();
    let world = World::running(&packed).await;
    assert_eq!(world.file(&world.nodes()[0], "root/said"), "packed\n");
    for scripts in [&[("README", "x")][..], &[("a/b/init.sh", "x")], &[("init.sh.bak", "x")]] {
        let refused = world.upload(scripts).await.unwrap_err();
        assert_eq!(
            refused.message,
            "`app.tar` has none of init.sh, notify.sh, run.sh, interrupt.sh, cleanup.sh at its top"
        );
    }
}

#[tokio::test]
async fn bad_uploads_are_refused_in_one_line() {
    let world = World::new("generic").await;
    for (content, message) in [
        (b"".to_vec(), "`bad.zip` is empty"),
        (b"#!/bin/sh".to_vec(), "`bad.zip` is not a tar or zip archive"),
    ] {
        let refused = world.upload_bytes("bad.zip", content).await.unwrap_err();
        assert_eq!(refused.message, message);
    }
    // Refused before it is read; a sender who is cut off would not hear why.
    let large = world.upload_bytes("a/b", vec![0; 32 << 20]).await.unwrap_err();
    assert_eq!(large.message, "`a/b` is no name of a file");
    let nameless = world
        .client
        .upload(SERVICE, "upload_code", &[("", ""); 0], Upload::from("x"))
        .await
        .unwrap_err();
    assert_eq!(nameless.to_string(), "upload_code: missing field `filename`");
}
