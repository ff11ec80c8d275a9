//! What a server may use, where this machine has control groups for us.

use fake_cloud::backends::{Backend as _, ServerSpec};

use crate::fixture::{Fixture, server};
use crate::processes;

/// Needs much more memory than a small server has, and says what became of it.
const GREEDY: &str = "/usr/bin/python3 -c 'x = b\"x\" * (400 << 20)'; echo status $?";

#[tokio::test]
async fn a_server_that_runs_out_of_memory_harms_nobody_else() {
    let mut fixture = Fixture::new();
    let neighbour = fixture.boot("while :; do echo tick; sleep 0.01; done > /srv/ticks").await;
    let greedy = ServerSpec { memory_mib: 64, ..server(&format!("sleep 1000 & {GREEDY}")) };
    fixture.backend.start(&greedy).await.unwrap();
    let console = fixture.console_shows(greedy.id, "status ").await;
    if console.contains("without limits of memory") {
        return println!("skipped: this machine has no limits of memory for us");
    }
    assert!(console.contains("status 137"), "{console}");
    fixture.console_shows(greedy.id, "server: out of memory: the kernel kills a process\n").await;

    assert!(fixture.backend.runs(greedy.id).await, "its other processes live");
    assert!(fixture.backend.runs(neighbour.id).await);
    let disk = fixture.state.path().join("servers").join(neighbour.id.to_string());
    let ticks = || std::fs::metadata(disk.join("disk/srv/ticks")).map_or(0, |file| file.len());
    let before = ticks();
    fixture.until(|| ticks() > before).await;
    let other = fixture.backend.console(neighbour.id, None).await.unwrap();
    assert!(!other.contains("out of memory"), "{other}");
    assert!(fixture.exits.try_recv().is_err());
}

#[tokio::test]
async fn what_a_process_has_stopped_stays_so_when_its_server_was_frozen() {
    let fixture = Fixture::new();
    let server = fixture.boot("sleep 1000 & kill -STOP $!; echo ready; wait").await;
    fixture.console_shows(server.id, "ready\n").await;
    let namespace = processes::namespace_of_server(fixture.state.path(), server.id);
    fixture.backend.pause(server.id, true).await.unwrap();
    if !processes::are_frozen(&namespace) {
        return println!("skipped: this machine has no freezer for us");
    }
    fixture.backend.pause(server.id, false).await.unwrap();
    assert!(!processes::are_frozen(&namespace));
    assert!(processes::states_in(&namespace).contains('T'));
}
