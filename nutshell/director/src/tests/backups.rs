//! What a manager must not lose is its successor's, and nobody else's.

use futures::TryStreamExt;
use protocol::ErrorCode;
use protocol::api::backup::{Backup, BackupContent, BackupFile};
use protocol::client::{Upload, VmClient};
use sha2::{Digest, Sha256};

use super::World;
use super::vm;
use super::vms::silent_manager;
use super::world::refusal;

fn name(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn backup(content: &str) -> Backup {
    let content = BackupContent::Stored { sha256: name(content), size: content.len() as u64 };
    let files = vec![BackupFile { path: "code/1/code-a".to_owned(), mode: 0o644, content }];
    Backup { files }
}

async fn manager(world: &World, username: &str) -> VmClient {
    let (boot, _) = silent_manager(world, username).await;
    vm::join(&boot).await.unwrap().director().unwrap()
}

async fn keep(manager: &VmClient, content: &'static str) {
    let missing = manager.keep_backup(&backup(content)).await.unwrap().missing;
    assert_eq!(missing, [name(content)]);
    manager.keep_backup_file(&missing[0], Upload::from(content)).await.unwrap();
    assert!(manager.keep_backup(&backup(content)).await.unwrap().missing.is_empty());
}

#[tokio::test]
async fn a_backup_is_of_one_application_and_survives_the_director() {
    let mut world = World::new().await;
    let manager = manager(&world, "test").await;
    let other = self::manager(&world, "other").await;
    assert_eq!(manager.backup().await.unwrap(), Backup::default());
    keep(&manager, "first").await;
    keep(&manager, "second").await;
    world.restart().await;
    assert_eq!(manager.backup().await.unwrap(), backup("second"));
    let content = manager.backup_file(&name("second")).await.unwrap().content;
    let content: Vec<_> = content.try_collect().await.unwrap();
    assert_eq!(content.concat(), b"second");
    let forgotten = manager.backup_file(&name("first")).await;
    assert_eq!(refusal(forgotten).0, ErrorCode::NotFound);

    assert_eq!(other.backup().await.unwrap(), Backup::default());
    let foreign = other.backup_file(&name("second")).await;
    assert_eq!(refusal(foreign).0, ErrorCode::NotFound);
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let manager = manager(&world, "test").await;
    keep(&manager, "good").await;
    let altered = manager.keep_backup_file(&name("other"), Upload::from("altered")).await;
    assert_eq!(refusal(altered).0, ErrorCode::InvalidRequest);
    for bad in ["..%2f..%2fdirector.db", "short"] {
        let refused = manager.keep_backup_file(bad, Upload::from("x")).await;
        assert_eq!(refusal(refused).0, ErrorCode::InvalidRequest, "{bad}");
    }
    assert_eq!(manager.backup().await.unwrap(), backup("good"));
}

#[tokio::test]
async fn a_deleted_application_leaves_no_backup() {
    let world = World::new().await;
    let manager = manager(&world, "test").await;
    keep(&manager, "mine").await;
    let user = world.login("test").await;
    let application = user.application_list().await.unwrap().remove(0);
    assert_eq!(world.app().backups.applications().unwrap(), [application.id]);
    user.application_delete(application.id).await.unwrap();
    assert!(world.app().backups.applications().unwrap().is_empty());
}
