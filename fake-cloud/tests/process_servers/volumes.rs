//! Volumes hold data that outlives servers.

use std::path::{Path, PathBuf};

use fake_cloud::backends::{Backend as _, BackendError, ServerSpec, VolumeMount};
use uuid::Uuid;

use crate::fixture::{Fixture, PATIENCE, server};
use crate::processes;

/// Does what is asked for in a file of its disk: the test's way to run something later.
const OBEDIENT: &str = "while :; do
    [ -f /srv/ask ] && mv /srv/ask /srv/taken && . /srv/taken
    sleep 0.02
done";

async fn volume(fixture: &Fixture, device: &str) -> VolumeMount {
    let id = Uuid::new_v4();
    fixture.backend.volume_create(id, 1, None).await.unwrap();
    VolumeMount { id, device: device.to_owned() }
}

/// The file system of a volume; none where this machine has directories instead.
fn disk(state: &Path, volume: Uuid) -> Option<PathBuf> {
    let path = state.join("volumes").join(format!("{volume}.ext4"));
    path.exists().then_some(path)
}

/// Has an [`OBEDIENT`] server do something, and waits for what it says then.
async fn ask(fixture: &Fixture, server: Uuid, script: &str, answer: &str) {
    let place = fixture.state.path().join("servers").join(server.to_string()).join("disk/srv");
    std::fs::write(place.join("new"), script).unwrap();
    std::fs::rename(place.join("new"), place.join("ask")).unwrap();
    fixture.console_shows(server, answer).await;
}

/// How many loop devices have a file below the directory.
pub(crate) fn loop_devices(state: &Path) -> usize {
    let state = state.canonicalize().unwrap();
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.unwrap().path().join("loop/backing_file")).ok()
    };
    let files = std::fs::read_dir("/sys/block").unwrap().filter_map(file);
    files.filter(|file| file.starts_with(state.to_str().unwrap())).count()
}

#[tokio::test]
async fn data_moves_from_one_running_server_to_another() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    let writer = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(writer.id, &volume).await.unwrap();
    fixture.backend.volume_attach(writer.id, &volume).await.unwrap();
    let script = "echo precious > /mnt/volumes/sdb/file; echo written: $(ls /mnt/volumes/sdb).";
    ask(&fixture, writer.id, script, "written: file.").await;
    fixture.backend.volume_detach(writer.id, &volume).await.unwrap();
    fixture.backend.volume_detach(writer.id, &volume).await.unwrap();
    assert_eq!(loop_devices(fixture.state.path()), 0);
    fixture.backend.delete(writer.id).await.unwrap();

    let reader = fixture.boot(OBEDIENT).await;
    let moved = VolumeMount { device: "vdf".to_owned(), ..volume };
    fixture.backend.volume_attach(reader.id, &moved).await.unwrap();
    ask(&fixture, reader.id, "echo found: $(cat /mnt/volumes/vdf/file)", "found: precious").await;
}

#[tokio::test]
async fn a_server_sees_its_own_volumes_only_and_none_after_they_are_taken() {
    let fixture = Fixture::new();
    let (own, lent) = (volume(&fixture, "sdb").await, volume(&fixture, "sdc").await);
    volume(&fixture, "sdd").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &own).await.unwrap();
    fixture.backend.volume_attach(server.id, &lent).await.unwrap();
    ask(&fixture, server.id, "echo has: $(ls /mnt/volumes).", "has: by-id sdb sdc.").await;
    fixture.backend.volume_detach(server.id, &lent).await.unwrap();
    ask(&fixture, server.id, "echo keeps: $(ls /mnt/volumes).", "keeps: by-id sdb.").await;
    // Not even by taking away what may cover others.
    let script = "umount /mnt/volumes/sdb /mnt/volumes; echo left: $(ls /mnt/volumes).";
    ask(&fixture, server.id, script, "left: .").await;
}

#[tokio::test]
async fn a_volume_in_use_is_not_taken_away() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    ask(&fixture, server.id, "exec 9> /mnt/volumes/sdb/open; echo busy", "busy").await;
    let refused = fixture.backend.volume_detach(server.id, &volume).await;
    assert!(matches!(refused, Err(BackendError::Busy(id)) if id == volume.id), "{refused:?}");
    ask(&fixture, server.id, "echo still here >&9; exec 9>&-; echo idle", "idle").await;
    fixture.backend.volume_detach(server.id, &volume).await.unwrap();
}

#[tokio::test]
async fn a_volume_that_a_process_has_mounted_for_itself_is_not_taken_away() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    if disk(fixture.state.path(), volume.id).is_none() {
        return println!("skipped: of a directory nobody can tell");
    }
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    let script = "unshare -m sh -c 'cd /mnt/volumes/sdb; echo apart; exec sleep 1000' & apart=$!";
    ask(&fixture, server.id, script, "apart").await;
    let refused = fixture.backend.volume_detach(server.id, &volume).await;
    assert!(matches!(refused, Err(BackendError::Busy(_))), "{refused:?}");
    let script = "echo kept > /mnt/volumes/sdb/file; kill -9 $apart; wait $apart; echo alone";
    ask(&fixture, server.id, script, "alone").await;
    // The kernel takes its time with what a killed process had.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = fixture.backend.volume_detach(server.id, &volume).await {
        assert!(matches!(error, BackendError::Busy(_)), "{error}");
        assert!(tokio::time::Instant::now() < deadline, "it stays busy");
        tokio::task::yield_now().await;
    }
    assert_eq!(loop_devices(fixture.state.path()), 0);
}

#[tokio::test]
async fn a_start_shows_the_volumes_and_a_deletion_leaves_them() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    let server = ServerSpec {
        volumes: vec![volume.clone()],
        ..server(
            "echo mine >> /mnt/volumes/sdb/file; echo 'cat /mnt/volumes/sdb/file; echo end' \
                  > /tmp/x; (echo '#!/bin/sh'; cat /tmp/x) > /etc/rc.local; chmod +x /etc/rc.local",
        )
    };
    fixture.backend.start(&server).await.unwrap();
    fixture.console_shows(server.id, "user-data finished").await;
    fixture.backend.stop(server.id).await.unwrap();
    fixture.backend.volume_detach(server.id, &volume).await.unwrap();
    fixture.backend.start(&server).await.unwrap();
    fixture.console_shows(server.id, "mine\nend").await;
    fixture.backend.delete(server.id).await.unwrap();

    let other = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(other.id, &volume).await.unwrap();
    ask(&fixture, other.id, "echo found: $(cat /mnt/volumes/sdb/file)", "found: mine").await;
    fixture.backend.volume_detach(other.id, &volume).await.unwrap();
    fixture.backend.volume_delete(volume.id).await.unwrap();
    fixture.backend.volume_delete(volume.id).await.unwrap();
    assert!(fixture.backend.volumes().await.unwrap().is_empty());
    let error = fixture.backend.start(&server).await.unwrap_err();
    assert!(error.to_string().contains("mount the volume"), "{error}");
}

#[tokio::test]
async fn a_copy_keeps_what_was_there_when_it_was_made() {
    let mut fixture = Fixture::new();
    let source = volume(&fixture, "sdb").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &source).await.unwrap();
    let write = |what| format!("echo {what} > /mnt/volumes/sdb/file; echo {what} is written");
    ask(&fixture, server.id, &write("old"), "old is written").await;
    let copy = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
    fixture.backend.volume_create(copy.id, 2, Some(source.id)).await.unwrap();
    ask(&fixture, server.id, &write("new"), "new is written").await;
    fixture.backend.delete(server.id).await.unwrap();
    fixture.backend.volume_delete(source.id).await.unwrap();
    fixture.reopen();
    assert_eq!(fixture.backend.volumes().await.unwrap(), [copy.id]);

    let reader = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(reader.id, &copy).await.unwrap();
    ask(&fixture, reader.id, "echo found: $(cat /mnt/volumes/sdb/file)", "found: old").await;
}

#[tokio::test]
async fn a_volume_holds_what_its_size_says_and_more_when_it_has_grown() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    if disk(fixture.state.path(), volume.id).is_none() {
        return println!("skipped: a directory has no size");
    }
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    // Allocated, not written: what counts is the room.
    let fill = "fallocate -l 1100M /mnt/volumes/sdb/file 2>&1";
    ask(&fixture, server.id, &format!("{fill}; echo refused: $?"), "refused: 1").await;
    let console = fixture.backend.console(server.id, None).await.unwrap();
    assert!(console.contains("No space left on device"), "{console}");
    ask(&fixture, server.id, "rm -f /mnt/volumes/sdb/file; echo empty", "empty").await;

    fixture.backend.volume_detach(server.id, &volume).await.unwrap();
    fixture.backend.volume_extend(volume.id, 2).await.unwrap();
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    ask(&fixture, server.id, &format!("{fill} && echo fits"), "fits").await;
}

#[tokio::test]
async fn volumes_of_servers_that_end_are_free_at_once() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    for turn in 0..4 {
        let server = ServerSpec {
            volumes: vec![volume.clone()],
            ..server(
                "cd /mnt/volumes/sdb; echo turn >> log; echo turns: $(wc -l < log).; sleep 1000",
            )
        };
        fixture.backend.start(&server).await.unwrap();
        fixture.console_shows(server.id, &format!("turns: {}.", turn + 1)).await;
        fixture.backend.cut(server.id).await.unwrap();
    }
    fixture.until(|| loop_devices(fixture.state.path()) == 0).await;
}

/// Not a test: the cloud that [`a_killed_cloud_leaves_its_volumes_whole`] starts and kills.
#[tokio::test]
#[ignore = "a part of another test"]
async fn cloud_to_be_killed() {
    let fixture = Fixture::at(std::env::var_os("FAKE_CLOUD_TEST_STATE").unwrap().into());
    let volume = volume(&fixture, "sdb").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    let script = "echo precious > /mnt/volumes/sdb/file; echo written; sleep 1000";
    ask(&fixture, server.id, script, "written").await;
    println!("\nserver {} volume {}", server.id, volume.id);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_cloud_leaves_its_volumes_whole_and_no_device() {
    let state = tempfile::tempdir().unwrap();
    let mut cloud = processes::Cloud::start(state.path(), "volumes::cloud_to_be_killed");
    let line = cloud.says("server ").await;
    cloud.kill().await;
    let volume = line.split_whitespace().last().unwrap().parse().unwrap();
    let fixture = Fixture::at(state.path().to_owned());
    let reader = fixture.boot(OBEDIENT).await;
    let volume = VolumeMount { id: volume, device: "sdc".to_owned() };
    fixture.backend.volume_attach(reader.id, &volume).await.unwrap();
    ask(&fixture, reader.id, "echo found: $(cat /mnt/volumes/sdc/file)", "found: precious").await;
    fixture.backend.volume_detach(reader.id, &volume).await.unwrap();
    fixture.until(|| loop_devices(state.path()) == 0).await;
}

#[tokio::test]
async fn a_directory_of_an_older_version_is_still_a_volume() {
    let fixture = Fixture::new();
    let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
    let old = fixture.state.path().join("volumes").join(volume.id.to_string());
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("file"), "kept\n").unwrap();
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    let script = "echo new > /mnt/volumes/sdb/more; echo found: $(cat /mnt/volumes/sdb/file)";
    ask(&fixture, server.id, script, "found: kept").await;
    fixture.backend.volume_detach(server.id, &volume).await.unwrap();
    assert_eq!(std::fs::read_to_string(old.join("more")).unwrap(), "new\n");
}
