//! Start, stop, pause, end and delete.

use std::time::Duration;

use fake_cloud::backends::{Backend as _, BackendError, ImageSource, ServerSpec};

use crate::fixture::{Fixture, PATIENCE, server};
use crate::processes;

#[tokio::test]
async fn user_data_runs_once_and_the_disk_stays() {
    let fixture = Fixture::new();
    let script = "echo first >> /root/boots
                  printf '#!/bin/sh\\necho again; cat /root/boots /etc/mine /usr/local/mine\\n' > /etc/rc.local
                  chmod +x /etc/rc.local; echo etc > /etc/mine; echo usr > /usr/local/mine";
    let server = fixture.boot(script).await;
    fixture.console_shows(server.id, "user-data finished").await;
    fixture.backend.stop(server.id).await.unwrap();
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.console_shows(server.id, "rc.local finished").await;
    assert!(console.contains("again\nfirst\netc\nusr\n"), "{console}");
    assert_eq!(console.matches("running user-data").count(), 1, "{console}");
    let last = fixture.backend.console(server.id, Some(1)).await.unwrap();
    assert!(last.ends_with("rc.local finished\n") && last.lines().count() == 1, "{last}");
}

#[tokio::test]
async fn links_on_a_disk_do_not_lead_out_of_it() {
    let fixture = Fixture::new();
    let machine = tempfile::tempdir().unwrap();
    let place = machine.path().display();
    let script = format!(
        "mv /root /root.old; ln -s {place} /root; rm -rf /var/mail; ln -s {place}/new /var/mail
         mv /srv /srv.old; ln -s ../../../../../../..{place} /srv
         mv /media /media.old; ln -s {place}/media /media; ls -l / > /var/log/links"
    );
    let server = fixture.boot(&script).await;
    fixture.console_shows(server.id, "user-data finished").await;
    fixture.backend.stop(server.id).await.unwrap();
    fixture.backend.start(&server).await.unwrap();
    assert_eq!(std::fs::read_dir(machine.path()).unwrap().count(), 0, "written on the machine");
    let disk = fixture.state.path().join("servers").join(server.id.to_string()).join("disk");
    assert!(disk.join("root.old").exists() && !disk.join("root").is_symlink());
    assert!(disk.join("root/.ssh/authorized_keys").exists());
}

#[tokio::test]
async fn a_disk_survives_the_cloud() {
    let mut fixture = Fixture::new();
    let server = fixture.boot("echo kept > /srv/file; cp /srv/file /etc/file").await;
    fixture.console_shows(server.id, "user-data finished").await;
    fixture.reopen();
    assert_eq!(fixture.backend.disks().await.unwrap(), [server.id]);
    std::fs::write(
        fixture.state.path().join("servers").join(server.id.to_string()).join("disk/srv/more"),
        "#!/bin/sh\n",
    )
    .unwrap();
    fixture.backend.start(&server).await.unwrap();
    let console = fixture.backend.console(server.id, None).await.unwrap();
    assert_eq!(console.matches("running user-data").count(), 1, "{console}");
}

#[tokio::test]
async fn stop_ends_every_process_and_lets_them_say_goodbye() {
    let fixture = Fixture::new();
    let script = "(trap '' TERM; /usr/bin/setsid sleep 1000) & nohup sleep 1000 &
                  trap 'echo goodbye; exit' TERM; echo ready; while :; do sleep 1000 & wait; done";
    let server = fixture.boot(script).await;
    fixture.console_shows(server.id, "ready").await;
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    assert!(processes::count_in(&namespace) > 3);
    fixture.backend.stop(server.id).await.unwrap();
    assert_eq!(processes::count_in(&namespace), 0);
    let console = fixture.backend.console(server.id, None).await.unwrap();
    assert!(console.contains("shutting down\n") && console.contains("goodbye\n"), "{console}");
    fixture.backend.stop(server.id).await.unwrap();
}

#[tokio::test]
async fn a_cut_asks_nobody_and_the_disk_stays() {
    let fixture = Fixture::new();
    let server = fixture.boot("trap 'echo goodbye' TERM; echo ready; sleep 1000 & wait").await;
    fixture.console_shows(server.id, "ready\n").await;
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    fixture.backend.cut(server.id).await.unwrap();
    assert_eq!(processes::count_in(&namespace), 0);
    let console = fixture.backend.console(server.id, None).await.unwrap();
    assert!(!console.contains("goodbye"), "{console}");
    assert_eq!(fixture.backend.disks().await.unwrap(), [server.id]);
}

#[tokio::test]
async fn a_reset_server_boots_for_the_first_time_and_its_console_stays() {
    let fixture = Fixture::new();
    let script = "ls /srv /root/mine /usr/local/mine; touch /srv/old /root/mine /usr/local/mine";
    let server = fixture.boot(script).await;
    fixture.console_shows(server.id, "user-data finished").await;
    fixture.backend.reset(server.id).await.unwrap();
    let before = fixture.backend.console(server.id, None).await.unwrap();
    let other = ServerSpec { user_data: Some(b"#!/bin/sh\nls /srv; echo other".into()), ..server };
    fixture.backend.start(&other).await.unwrap();
    let console = fixture.console_shows(other.id, "other\n").await;
    let after = console.strip_prefix(&before).expect("the console goes on where it was");
    assert!(after.contains("running user-data") && !after.contains("old"), "{console}");
    fixture.backend.reset(uuid::Uuid::new_v4()).await.unwrap();
}

#[tokio::test]
async fn who_follows_a_console_sees_all_of_it_until_the_server_is_deleted() {
    use futures::StreamExt as _;

    let fixture = Fixture::new();
    let server = fixture.boot("echo before").await;
    fixture.console_shows(server.id, "user-data finished\n").await;
    let mut followed = fixture.backend.follow_console(server.id, Some(1)).await.unwrap();
    fixture.backend.stop(server.id).await.unwrap();
    fixture.backend.start(&server).await.unwrap();
    fixture.console_shows(server.id, "booting web-1\n").await;
    fixture.backend.delete(server.id).await.unwrap();
    let mut seen = vec![];
    while let Some(piece) = tokio::time::timeout(PATIENCE, followed.next()).await.unwrap() {
        seen.extend(piece);
    }
    let seen = String::from_utf8(seen).unwrap();
    let lines = seen.lines().filter_map(|line| line.split("server: ").nth(1));
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("without ")).collect();
    assert_eq!(lines, ["user-data finished", "shutting down", "booting web-1"], "{seen}");
}

#[tokio::test]
async fn what_a_server_uses_is_told() {
    let fixture = Fixture::new();
    let script = "head -c 3M /dev/zero > /srv/file; echo written; sleep 1000";
    let server = fixture.boot(script).await;
    let console = fixture.console_shows(server.id, "written\n").await;
    let usage = fixture.backend.usage(server.id).await;
    assert!((3 << 20..6 << 20).contains(&usage.disk_bytes.unwrap()), "{usage:?}");
    if !console.contains("without limits of") {
        assert!(usage.memory_bytes.unwrap() > 1 << 20, "{usage:?}");
        assert!(usage.processor_nanoseconds.unwrap() > 0, "{usage:?}");
        assert!(usage.processes.unwrap() >= 2, "{usage:?}");
    }
    fixture.backend.stop(server.id).await.unwrap();
    let usage = fixture.backend.usage(server.id).await;
    assert!(usage.memory_bytes.is_none() && usage.disk_bytes.is_some(), "{usage:?}");
}

#[tokio::test]
async fn delete_leaves_nothing() {
    let fixture = Fixture::new();
    let server = fixture.boot("chmod 0 /srv; sleep 1000").await;
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    fixture.backend.delete(server.id).await.unwrap();
    assert_eq!(processes::count_in(&namespace), 0);
    assert!(fixture.backend.disks().await.unwrap().is_empty());
    assert_eq!(fixture.backend.console(server.id, None).await.unwrap(), "");
    fixture.backend.delete(server.id).await.unwrap();
    let empty = || std::fs::read_dir(fixture.state.path().join("trash")).unwrap().next().is_none();
    fixture.until(empty).await;
}

#[tokio::test]
async fn a_paused_server_stands_still() {
    let fixture = Fixture::new();
    let server = fixture.boot("while :; do echo tick; done > /srv/ticks").await;
    let ticks =
        fixture.state.path().join("servers").join(server.id.to_string()).join("disk/srv/ticks");
    let size = || std::fs::metadata(&ticks).map_or(0, |file| file.len());
    fixture.until(|| size() > 0).await;

    fixture.backend.pause(server.id, true).await.unwrap();
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    let still = || processes::states_in(&namespace).contains('T');
    fixture.until(|| still() || processes::are_frozen(&namespace)).await;
    let before = size();
    assert_eq!(size(), before);
    fixture.backend.pause(server.id, false).await.unwrap();
    fixture.until(|| size() > before).await;

    fixture.backend.pause(server.id, true).await.unwrap();
    fixture.backend.stop(server.id).await.unwrap();
    assert_eq!(processes::count_in(&namespace), 0, "a paused server can be stopped");
    let error = fixture.backend.pause(server.id, true).await.unwrap_err();
    assert!(matches!(error, BackendError::NoSuchServer(_)));
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_reported() {
    let mut fixture = Fixture::new();
    let server = fixture.boot("sleep 1000").await;
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    processes::kill_first(&namespace);
    let exit = tokio::time::timeout(PATIENCE, fixture.exits.recv()).await.unwrap().unwrap();
    assert_eq!(exit.id, server.id);
    assert!(exit.reason.contains("signal 9"), "{}", exit.reason);
    fixture.backend.start(&server).await.unwrap();
    fixture.backend.stop(server.id).await.unwrap();
    assert!(fixture.exits.try_recv().is_err(), "a stop that was asked for is not reported");
}

#[tokio::test]
async fn a_server_can_power_itself_off() {
    let mut fixture = Fixture::new();
    let call = "import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)";
    let server = fixture.boot(&format!("/usr/bin/python3 -c '{call}'")).await;
    let exit = tokio::time::timeout(PATIENCE, fixture.exits.recv()).await.unwrap().unwrap();
    assert_eq!((exit.id, exit.reason.as_str()), (server.id, "it powered itself off"));
}

#[tokio::test]
async fn an_uploaded_file_cannot_be_booted() {
    let fixture = Fixture::new();
    let server = ServerSpec { image: ImageSource::Opaque, ..server("") };
    let error = fixture.backend.start(&server).await.unwrap_err();
    assert!(matches!(error, BackendError::Image(_)), "{error}");
    assert!(fixture.backend.disks().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_servers_start_at_once() {
    let fixture = Fixture::new();
    let starts = (0..50).map(|_| {
        let (backend, server) = (fixture.backend.clone(), server("exec sleep 1000"));
        tokio::spawn(async move { backend.start(&server).await })
    });
    let starts: Vec<_> = starts.collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(fixture.backend.disks().await.unwrap().len(), 50);
    fixture.backend.power_off().await;
    assert_eq!(processes::servers_of(fixture.state.path()).len(), 0);
}

/// Not a test: the cloud that [`a_killed_cloud_leaves_nothing`] starts and kills.
#[tokio::test]
#[ignore = "a part of another test"]
async fn cloud_to_be_killed() {
    let fixture = Fixture::at(std::env::var_os("FAKE_CLOUD_TEST_STATE").unwrap().into());
    let stubborn =
        "trap '' TERM HUP; nohup setsid sleep 1000 & nohup sleep 1000 & echo ready; sleep 1000";
    let (running, paused) = (fixture.boot(stubborn).await, fixture.boot(stubborn).await);
    fixture.console_shows(running.id, "ready").await;
    fixture.console_shows(paused.id, "ready").await;
    fixture.backend.pause(paused.id, true).await.unwrap();
    println!("servers {} {}", running.id, paused.id);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_cloud_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut cloud = processes::Cloud::start(state.path(), "life::cloud_to_be_killed");
    let line = cloud.says("servers ").await;
    let namespaces: Vec<_> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .map(|id| processes::namespace_of_server(state.path(), id))
        .collect();
    assert_eq!(namespaces.len(), 2);
    assert!(namespaces.iter().all(|namespace| processes::count_in(namespace) > 2));

    cloud.kill().await;
    let gone = || namespaces.iter().all(|namespace| processes::count_in(namespace) == 0);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !gone() {
        assert!(tokio::time::Instant::now() < deadline, "processes are left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The next cloud takes over as if nothing had happened.
    let fixture = Fixture::at(state.path().to_owned());
    assert_eq!(fixture.backend.disks().await.unwrap().len(), 2);
}
