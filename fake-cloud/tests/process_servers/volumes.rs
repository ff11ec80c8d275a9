//! Volumes hold data that outlives servers.

use fake_cloud::backends::{Backend as _, BackendError, ServerSpec, VolumeMount};
use uuid::Uuid;

use crate::fixture::{Fixture, PATIENCE, server};

/// Does what is asked for in files of its volumes: the test's way to run something later.
const OBEDIENT: &str = "while :; do
    for asked in /mnt/volumes/*/ask; do
        [ -f $asked ] && mv $asked $asked.taken && . $asked.taken
    done
    sleep 0.02
done";

async fn volume(fixture: &Fixture, device: &str) -> VolumeMount {
    let id = Uuid::new_v4();
    fixture.backend.volume_create(id, 1, None).await.unwrap();
    VolumeMount { id, device: device.to_owned() }
}

/// Where the data is on this machine.
fn data(fixture: &Fixture, volume: Uuid) -> std::path::PathBuf {
    fixture.state.path().join("volumes").join(volume.to_string())
}

/// The obedient script looks into its volumes again and again, and each look is a use.
async fn detach(fixture: &Fixture, server: Uuid, volume: &VolumeMount) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Err(error) = fixture.backend.volume_detach(server, volume).await {
        assert!(matches!(error, BackendError::Busy(_)), "{error}");
        assert!(tokio::time::Instant::now() < deadline, "it stays busy");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn data_moves_from_one_running_server_to_another() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    let writer = fixture.boot(OBEDIENT).await;
    let (place, ask) = (data(&fixture, volume.id), data(&fixture, volume.id).join("ask"));
    fixture.backend.volume_attach(writer.id, &volume).await.unwrap();
    fixture.backend.volume_attach(writer.id, &volume).await.unwrap();
    std::fs::write(&ask, "echo precious > /mnt/volumes/sdb/file; echo written").unwrap();
    fixture.console_shows(writer.id, "written").await;
    detach(&fixture, writer.id, &volume).await;
    detach(&fixture, writer.id, &volume).await;
    fixture.backend.delete(writer.id).await.unwrap();
    assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), "precious\n");

    let reader = fixture.boot(OBEDIENT).await;
    let moved = VolumeMount { device: "vdf".to_owned(), ..volume };
    fixture.backend.volume_attach(reader.id, &moved).await.unwrap();
    std::fs::write(&ask, "echo found: $(cat /mnt/volumes/vdf/file)").unwrap();
    fixture.console_shows(reader.id, "found: precious").await;
}

#[tokio::test]
async fn a_server_sees_its_own_volumes_only_and_none_after_they_are_taken() {
    let fixture = Fixture::new();
    let (own, lent) = (volume(&fixture, "sdb").await, volume(&fixture, "sdc").await);
    volume(&fixture, "sdd").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &own).await.unwrap();
    fixture.backend.volume_attach(server.id, &lent).await.unwrap();
    let ask = data(&fixture, own.id).join("ask");
    std::fs::write(&ask, "echo has: $(ls /mnt/volumes).").unwrap();
    fixture.console_shows(server.id, "has: sdb sdc.").await;
    detach(&fixture, server.id, &lent).await;
    std::fs::write(&ask, "echo keeps: $(ls /mnt/volumes).").unwrap();
    fixture.console_shows(server.id, "keeps: sdb.").await;
}

#[tokio::test]
async fn a_volume_in_use_is_not_taken_away() {
    let fixture = Fixture::new();
    let volume = volume(&fixture, "sdb").await;
    let server = fixture.boot(OBEDIENT).await;
    fixture.backend.volume_attach(server.id, &volume).await.unwrap();
    let ask = data(&fixture, volume.id).join("ask");
    std::fs::write(&ask, "exec 9> /mnt/volumes/sdb/open; echo busy").unwrap();
    fixture.console_shows(server.id, "busy").await;
    let refused = fixture.backend.volume_detach(server.id, &volume).await;
    assert!(matches!(refused, Err(BackendError::Busy(id)) if id == volume.id), "{refused:?}");
    std::fs::write(&ask, "echo still here; exec 9>&-; echo idle").unwrap();
    fixture.console_shows(server.id, "idle").await;
    detach(&fixture, server.id, &volume).await;
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
    let file = data(&fixture, volume.id).join("file");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine\n");
    fixture.backend.volume_delete(volume.id).await.unwrap();
    fixture.backend.volume_delete(volume.id).await.unwrap();
    assert!(fixture.backend.volumes().await.unwrap().is_empty());
    let error = fixture.backend.start(&server).await.unwrap_err();
    assert!(error.to_string().contains("show the volume"), "{error}");
}

#[tokio::test]
async fn a_copy_keeps_what_was_there_when_it_was_made() {
    let mut fixture = Fixture::new();
    let source = volume(&fixture, "sdb").await;
    std::fs::write(data(&fixture, source.id).join("file"), "old").unwrap();
    let copy = Uuid::new_v4();
    fixture.backend.volume_create(copy, 1, Some(source.id)).await.unwrap();
    std::fs::write(data(&fixture, source.id).join("file"), "new").unwrap();
    fixture.backend.volume_delete(source.id).await.unwrap();
    fixture.reopen();
    assert_eq!(fixture.backend.volumes().await.unwrap(), [copy]);
    assert_eq!(std::fs::read_to_string(data(&fixture, copy).join("file")).unwrap(), "old");
}
