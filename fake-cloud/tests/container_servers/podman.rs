//! The same servers in Podman.

use fake_cloud::backends::{Backend as _, BackendError, VolumeMount};
use uuid::Uuid;

use crate::engine::Kind;
use crate::fixture::with;

#[test]
fn podman_runs_servers_and_shows_them_volumes() {
    with(Kind::Podman, async |fixture| {
        let backend = &fixture.backend;
        let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
        backend.volume_create(volume.id, 1, None).await.unwrap();
        let script = "while [ ! -d /mnt/volumes/sdb ]; do :; done
            echo data > /mnt/volumes/sdb/file || exit
            cd /mnt/volumes/sdb; echo inside; while [ ! -e gone ]; do :; done";
        let server = fixture.boot(2, script, "running user-data").await;
        backend.volume_attach(server.id, &volume).await.unwrap();
        fixture.shows(server.id, "inside").await;
        let busy = backend.volume_detach(server.id, &volume).await;
        assert!(matches!(busy, Err(BackendError::Busy(_))), "{busy:?}");
        backend.stop(server.id).await.unwrap();
        assert!(!backend.runs(server.id).await);
        backend.start(&server).await.unwrap();
        assert!(backend.runs(server.id).await);
        assert_eq!(backend.disks().await.unwrap(), [server.id]);
        backend.delete(server.id).await.unwrap();
        assert!(backend.disks().await.unwrap().is_empty());
    });
}
