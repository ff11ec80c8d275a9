//! A cloud may be killed at any instant: the next one finds everything whole, and nothing is left.

use std::path::Path;
use std::time::Duration;

use fake_cloud::backends::{Backend as _, ServerSpec, VolumeMount};
use uuid::Uuid;

use crate::fixture::{Fixture, server};
use crate::processes;
use crate::volumes::loop_devices;

/// How often it is killed, at instants that are the same in every run.
const KILLS: u64 = 3;

/// Not a test: the cloud that [`killed_at_any_instant_it_leaves_nothing`] starts and kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of another test"]
async fn busy_cloud() {
    let fixture = Fixture::at(std::env::var_os("FAKE_CLOUD_TEST_STATE").unwrap().into());
    let work = async || {
        loop {
            let volume = VolumeMount { id: Uuid::new_v4(), device: "sdb".to_owned() };
            let snapshot = Uuid::new_v4();
            fixture.backend.volume_create(volume.id, 1, None).await.unwrap();
            let server = server("echo data > /srv/file; sleep 1000");
            fixture.backend.start(&server).await.unwrap();
            println!("\nserver {}", server.id);
            fixture.backend.volume_attach(server.id, &volume).await.unwrap();
            fixture.backend.volume_create(snapshot, 1, Some(volume.id)).await.unwrap();
            fixture.backend.pause(server.id, true).await.unwrap();
            fixture.backend.pause(server.id, false).await.unwrap();
            fixture.backend.volume_detach(server.id, &volume).await.unwrap();
            // A reboot without mercy, and one with.
            fixture.backend.cut(server.id).await.unwrap();
            fixture.backend.start(&server).await.unwrap();
            fixture.backend.stop(server.id).await.unwrap();
            fixture.backend.start(&server).await.unwrap();
            fixture.backend.pause(server.id, true).await.unwrap();
            fixture.backend.delete(server.id).await.unwrap();
        }
    };
    tokio::join!(work(), work());
}

#[tokio::test]
async fn killed_at_any_instant_it_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut instant = 7_u64;
    for _ in 0..KILLS {
        let mut cloud = processes::Cloud::start(state.path(), "crashes::busy_cloud");
        cloud.says("server ").await;
        instant = instant.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(instant >> 33 & 0xff)).await;
        cloud.kill().await;

        let fixture = Fixture::at(state.path().to_owned());
        fixture.until(|| processes::servers_of(state.path()).is_empty()).await;
        fixture.until(|| loop_devices(state.path()) == 0).await;
        for id in fixture.backend.disks().await.unwrap() {
            let groups = || groups_of(Path::new("/sys/fs/cgroup"), &id.to_string(), 6);
            fixture.until(|| groups() == 0).await;
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(state.path().to_str().unwrap()), "{mounts}");
        let empty = || std::fs::read_dir(state.path().join("trash")).unwrap().next().is_none();
        fixture.until(empty).await;

        // What there is of volumes is whole.
        let ids = fixture.backend.volumes().await.unwrap();
        let all = std::fs::read_dir(state.path().join("volumes")).unwrap().count();
        assert!(!ids.is_empty() && ids.len() == all, "{} of {all}", ids.len());
        let device = |(index, id)| VolumeMount { id, device: format!("v{index}") };
        let volumes: Vec<_> = ids.into_iter().enumerate().map(device).collect();
        let count = volumes.len();
        let script = "for v in /mnt/volumes/v*; do touch $v/x && ok=x$ok; done; echo ok=$ok.";
        let checker = ServerSpec { volumes, ..server(script) };
        fixture.backend.start(&checker).await.unwrap();
        fixture.console_shows(checker.id, &format!("ok={}.", "x".repeat(count))).await;
    }
}

/// Not a test: the cloud that [`what_a_killed_cloud_leaves_is_listed_and_removed`] kills.
#[tokio::test]
#[ignore = "a part of another test"]
async fn cloud_to_clean_up_after() {
    let fixture = Fixture::at(std::env::var_os("FAKE_CLOUD_TEST_STATE").unwrap().into());
    let stubborn = "trap '' TERM HUP; nohup setsid sleep 1000 & echo ready; sleep 1000";
    let (running, frozen) = (fixture.boot(stubborn).await, fixture.boot(stubborn).await);
    fixture.console_shows(running.id, "ready\n").await;
    fixture.console_shows(frozen.id, "ready\n").await;
    fixture.backend.pause(frozen.id, true).await.unwrap();
    println!("\nservers are there");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_a_killed_cloud_leaves_is_listed_and_removed() {
    let state = tempfile::tempdir().unwrap();
    let mut cloud = processes::Cloud::start(state.path(), "crashes::cloud_to_clean_up_after");
    cloud.says("servers are there").await;
    cloud.kill().await;
    let unfinished = state.path().join("volumes").join(Uuid::new_v4().to_string());
    std::fs::write(unfinished.with_extension("new"), "").unwrap();

    let leftovers = fake_cloud::Leftovers::find(state.path()).unwrap();
    let listed = leftovers.list();
    for temporary in ["/base", ".new"] {
        assert!(listed.iter().any(|thing| thing.ends_with(temporary)), "{listed:?}");
    }
    assert!(fake_cloud::Leftovers::find(state.path()).is_err(), "nobody starts it meanwhile");
    leftovers.remove().unwrap();

    assert_eq!(processes::servers_of(state.path()).len(), 0);
    let again = fake_cloud::Leftovers::find(state.path()).unwrap();
    assert_eq!(again.list(), [] as [String; 0]);
    drop(again);
    assert_eq!(Fixture::at(state.path().to_owned()).backend.disks().await.unwrap().len(), 2);
}

/// How many control groups have the name.
fn groups_of(group: &Path, name: &str, depth: usize) -> usize {
    let inside = std::fs::read_dir(group).into_iter().flatten().flatten();
    let groups = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    groups
        .map(|entry| {
            let found = usize::from(entry.file_name().to_str() == Some(name));
            found + if depth > 0 { groups_of(&entry.path(), name, depth - 1) } else { 0 }
        })
        .sum()
}
