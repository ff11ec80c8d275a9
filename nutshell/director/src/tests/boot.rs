//! The executable's way into a server whose image lacks it: over the script, as on a real cloud.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use protocol::api::ApplicationCreate;
use sha2::{Digest, Sha256};

use super::World;
use super::cloud::Boot;
use crate::Executable;
use crate::user_data::tests::{PROGRAM, arguments_pipe};

fn executable(directory: &Path, sha256: Option<&str>) -> Executable {
    let path = directory.join("program");
    std::fs::write(&path, PROGRAM).unwrap();
    let digest = Sha256::digest(PROGRAM);
    let actual: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Executable { path, sha256: sha256.unwrap_or(&actual).to_owned() }
}

/// The root of a server that ran the user-data of a new manager, and what the script did.
async fn boot(world: &World, root: &Path) -> std::process::Output {
    std::fs::create_dir_all(root.join("etc")).unwrap();
    world.cloud.boot(Boot::Silent);
    let user = world.login("test").await;
    let application = user.application_create(&ApplicationCreate::default()).await.unwrap();
    user.application_start(application.id, None).await.unwrap();
    world.cloud.await_count(1).await;
    let script = world.cloud.user_data().pop().unwrap();
    tokio::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("SERVER_ROOT", root)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_executable_is_fetched_checked_and_started() {
    let directory = tempfile::tempdir().unwrap();
    let executable = executable(directory.path(), None);
    let short = executable.sha256[..16].to_owned();
    let world = World::with_executable(executable).await;
    let root = directory.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let arguments = arguments_pipe(&root);
    let output = boot(&world, &root).await;
    assert!(output.status.success(), "{output:?}");
    let arguments = tokio::fs::read_to_string(arguments).await.unwrap();
    assert!(arguments.starts_with("manager --boot "), "{arguments}");
    let program: PathBuf = root.join(format!("opt/nutshell/{short}/nutshell"));
    assert_eq!(std::fs::read_to_string(&program).unwrap(), PROGRAM);
    assert_eq!(std::fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn another_executable_than_the_expected_one_is_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::with_executable(executable(directory.path(), Some(&"0".repeat(64)))).await;
    let root = directory.path().join("root");
    let output = boot(&world, &root).await;
    assert!(!output.status.success());
    let console = String::from_utf8(output.stderr).unwrap();
    assert!(console.contains("is not the expected program"), "{console}");
    assert!(!root.join("etc/rc.local").exists());
}
