//! Volumes in containers that run.

use fake_cloud::backends::{Backend as _, BackendError, VolumeMount};
use uuid::Uuid;

use crate::fixture::with_engine;

#[test]
fn a_volume_comes_and_goes_while_the_server_runs_and_keeps_its_data() {
    with_engine(async |fixture| {
        let backend = &fixture.backend;
        let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
        backend.volume_create(volume.id, 1, None).await.unwrap();
        let script = "while [ ! -d /mnt/volumes/sdb ]; do :; done
            echo data > /mnt/volumes/sdb/file || exit
            cd /mnt/volumes/sdb; echo inside; while [ ! -e gone ]; do :; done; cd /; echo outside";
        let first = fixture.boot(2, script, "running user-data").await;
        backend.volume_attach(first.id, &volume).await.unwrap();
        backend.volume_attach(first.id, &volume).await.unwrap();
        fixture.shows(first.id, "inside").await;
        let busy = backend.volume_detach(first.id, &volume).await;
        assert!(matches!(busy, Err(BackendError::Busy(id)) if id == volume.id), "{busy:?}");
        backend.cut(first.id).await.unwrap();

        let mut second = fixture.server(3, "read -r text < /mnt/volumes/sdb/file; echo got $text");
        second.volumes.push(volume.clone());
        backend.start(&second).await.unwrap();
        fixture.shows(second.id, "got data").await;
        backend.volume_detach(second.id, &volume).await.unwrap();
        backend.volume_detach(second.id, &volume).await.unwrap();
        backend.volume_delete(volume.id).await.unwrap();
        assert!(backend.volumes().await.unwrap().is_empty());
        for server in [first, second] {
            backend.delete(server.id).await.unwrap();
        }
    });
}
