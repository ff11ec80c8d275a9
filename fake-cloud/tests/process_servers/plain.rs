//! Servers on a machine that refuses namespaces.

use fake_cloud::backends::Backend as _;

use crate::fixture::{Fixture, PATIENCE};
use crate::processes;

/// Not a test of its own: [`without_namespaces_servers_are_plain_processes`] runs it where
/// namespaces are refused.
#[tokio::test]
#[ignore = "a part of another test"]
async fn plain_server() {
    let mut fixture = Fixture::new();
    let script = "cd $HOME; pwd; echo once >> boots; echo root=$SERVER_ROOT; cat $SERVER_ROOT/etc/hostname
                  /usr/bin/python3 -c 'import socket; l = socket.socket(); l.bind((\"\", 7000)); print(l.getsockname()[0])'
                  (setsid nohup sleep 1000 >/dev/null 2>&1 &) ; sleep 1000 & echo ready; wait";
    let server = fixture.boot(script).await;
    let console = fixture.console_shows(server.id, "ready\n").await;
    let directory = fixture.state.path().join("servers").join(server.id.to_string()).join("disk");
    let directory = directory.canonicalize().unwrap();
    for expected in [
        format!("{}/root\n", directory.display()),
        format!("root={}\n", directory.display()),
        "web-1\n".to_owned(),
        format!("{}\n", server.fixed_ip),
        "without a root directory".to_owned(),
    ] {
        assert!(console.contains(&expected), "{expected:?} in\n{console}");
    }
    assert_eq!(processes::servers_of(fixture.state.path()).len(), 1);

    fixture.backend.stop(server.id).await.unwrap();
    assert_eq!(processes::servers_of(fixture.state.path()).len(), 0);
    fixture.backend.start(&server).await.unwrap();
    let boots = std::fs::read_to_string(directory.join("root/boots")).unwrap();
    assert_eq!(boots, "once\n");
    fixture.backend.delete(server.id).await.unwrap();

    let script = "trap '' TERM; (setsid nohup sleep 31337 &); sleep 31337 & echo ready; wait";
    for end in ["delete", "power off", "drop"] {
        let server = fixture.boot(script).await;
        fixture.console_shows(server.id, "ready\n").await;
        fixture.until(|| processes::with_argument("31337") >= 2).await;
        let begin = std::time::Instant::now();
        match end {
            "delete" => fixture.backend.delete(server.id).await.unwrap(),
            "power off" => fixture.backend.power_off().await,
            _ => fixture.reopen(),
        }
        assert_eq!(processes::with_argument("31337"), 0, "{end} leaves processes");
        assert!(begin.elapsed() < std::time::Duration::from_millis(900), "{end} is slow");
    }
    println!("all is well");
}

#[tokio::test]
async fn without_namespaces_servers_are_plain_processes() {
    // A user namespace in which no further one can be made.
    let test = std::env::current_exe().unwrap();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces || exit 77
                  exec \"$0\" --exact plain::plain_server --ignored --nocapture";
    let run = tokio::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "sh", "-c", script])
        .arg(test)
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(PATIENCE, run).await.unwrap() {
        Ok(output) if output.status.code() != Some(77) => output,
        _ => {
            println!("skipped: this machine has no way to refuse namespaces to one process");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("all is well"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
