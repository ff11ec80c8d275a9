//! How containers begin, end and begin again.

use fake_cloud::backends::{Backend as _, BackendError, ImageSource, ServerSpec, VolumeMount};
use uuid::Uuid;

use crate::console;
use crate::fixture::{PATIENCE, with_engine};

/// Prints what a server is told, and counts its boots on its disk.
const ABOUT: &str = "while read -r line; do echo \"$line\"; done < /etc/hosts
    read -r key < /root/.ssh/authorized_keys; echo \"$key\"; read -r name < /etc/hostname
    echo \"name=$name url=$METADATA_URL home=$HOME\"; echo once >> /counted; echo told";

#[test]
fn a_server_boots_once_and_keeps_its_disk_until_it_is_reset() {
    with_engine(async |mut fixture| {
        let server = fixture.boot(2, ABOUT, "user-data finished").await;
        let backend = &fixture.backend;
        let console = backend.console(server.id, None).await.unwrap();
        for expected in [
            "server: booting web-1\n",
            "10.77.0.2 web-1\n",
            "10.77.0.9 db-1\n",
            "ssh-ed25519 AAAA key\n",
            "name=web-1 url=http://10.77.0.1:5000/metadata/token home=/root\n",
        ] {
            assert!(console.contains(expected), "{expected:?} in\n{console}");
        }
        assert!(backend.runs(server.id).await);
        // Nothing happens when it runs already.
        backend.start(&server).await.unwrap();

        for graceful in [true, false] {
            if graceful {
                backend.stop(server.id).await.unwrap();
            } else {
                backend.cut(server.id).await.unwrap();
            }
            assert!(!backend.runs(server.id).await);
            backend.start(&server).await.unwrap();
        }
        backend.pause(server.id, true).await.unwrap();
        backend.pause(server.id, false).await.unwrap();
        assert_eq!(count(&backend.console(server.id, None).await.unwrap(), "told\n"), 1);

        backend.reset(server.id).await.unwrap();
        let anew = ServerSpec { user_data: Some(b"#!/bin/sh\necho anew".into()), ..server.clone() };
        backend.start(&anew).await.unwrap();
        let console = fixture.shows(server.id, "anew\n").await;
        assert_eq!(count(&console, "told\n"), 1, "what the earlier disk printed\n{console}");
        let last = backend.follow_console(server.id, Some(6)).await.unwrap();
        let last = console::shows(last, "anew\n", PATIENCE).await;
        assert!((5..=6).contains(&last.lines().count()), "{last}");
        assert_eq!(backend.console(server.id, Some(1)).await.unwrap().lines().count(), 1);
        assert_eq!(backend.disks().await.unwrap(), [server.id]);
        assert!(fixture.exits.try_recv().is_err(), "all of it was asked for");

        fixture.backend.delete(server.id).await.unwrap();
        fixture.backend.delete(server.id).await.unwrap();
        assert!(fixture.backend.disks().await.unwrap().is_empty());
        assert_eq!(fixture.backend.console(server.id, None).await.unwrap(), "");
    });
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn an_end_is_reported_and_a_killed_cloud_takes_its_servers_up_again() {
    with_engine(async |mut fixture| {
        // It ends when it is told to, and not while it is being started.
        let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
        fixture.backend.volume_create(volume.id, 1, None).await.unwrap();
        let script = "while [ ! -d /mnt/volumes/sdb ]; do :; done; kill -TERM 1";
        let ends = fixture.boot(2, script, "running user-data").await;
        fixture.backend.volume_attach(ends.id, &volume).await.unwrap();
        let exit = tokio::time::timeout(PATIENCE, fixture.exits.recv()).await.unwrap().unwrap();
        assert_eq!(exit.id, ends.id);
        assert!(!fixture.backend.runs(ends.id).await);

        let stays = fixture.boot(3, "echo ready", "ready").await;
        fixture.kill_and_reopen().await;
        let mut disks = fixture.backend.disks().await.unwrap();
        disks.sort();
        let mut expected = [ends.id, stays.id];
        expected.sort();
        assert_eq!(disks, expected);
        assert!(!fixture.backend.runs(stays.id).await, "ended: its cloud was gone");
        fixture.backend.start(&stays).await.unwrap();
        assert!(fixture.backend.runs(stays.id).await);
        fixture.backend.power_off().await;
        assert!(!fixture.backend.runs(stays.id).await);
        for id in expected {
            fixture.backend.delete(id).await.unwrap();
        }
    });
}

#[test]
fn what_is_no_root_file_system_is_refused() {
    with_engine(async |fixture| {
        let server = ServerSpec { image: ImageSource::Opaque, ..fixture.server(2, "") };
        let refused = fixture.backend.start(&server).await;
        assert!(matches!(refused, Err(BackendError::Image(_))), "{refused:?}");
        assert!(fixture.backend.disks().await.unwrap().is_empty());
    });
}
