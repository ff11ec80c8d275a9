//! Autoscaling with real load: minutes pass in a second, everything else is as it is.

use std::process::Command;
use std::time::Duration;

use integration::archive::tar_gz;
use integration::load::Connection::Kept;
use integration::load::Load;
use integration::{Stack, processes, wait_for};
use protocol::ServiceId;
use protocol::api::State;
use serde_json::Value;

/// A page that keeps a processor busy for longer than the threshold: late whatever else the machine has
/// to do.
const PAGE: &str = "<?php
$used = fn() => getrusage()['ru_utime.tv_sec'] + getrusage()['ru_utime.tv_usec'] / 1e6;
for ($begun = $used(); $used() - $begun < 0.1;) { md5('busy'); }
echo 'done';
";
/// Milliseconds.
const THRESHOLD: &str = "50";
const PATIENCE: Duration = Duration::from_secs(240);

fn status(stack: &Stack) -> Value {
    let status = stack.cps(&["php", "autoscaling", "1", "--format", "json"]).ok();
    serde_json::from_str(&status).expect("JSON")
}

/// The reasons of the decisions that did something.
fn reasons(status: &Value, action: &str) -> Vec<String> {
    let decisions = status["decisions"].as_array().expect("a list");
    let done = decisions.iter().filter(|decision| decision["action"].get(action).is_some());
    done.map(|decision| decision["reason"].as_str().expect("a reason").to_owned()).collect()
}

/// Waits until the service has as many nodes that are backends alone as wanted; how many.
async fn backends(stack: &Stack, wanted: impl Fn(usize) -> bool, what: &str) -> usize {
    let director = stack.director().await.client;
    let waiting = async {
        let mut revision = 0;
        loop {
            let service = director.service_changed(ServiceId(1), revision).await.unwrap();
            revision = service.revision;
            let nodes = director.service_nodes(ServiceId(1)).await.unwrap().nodes;
            let backends = nodes.iter().filter(|node| node.role == "backend").count();
            if service.state == State::Running && wanted(backends) {
                return backends;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
        panic!("{what} never came:\n{}", stack.cps(&["php", "autoscaling", "1"]).ok())
    })
}

#[tokio::test]
async fn backends_come_with_the_load_and_go_with_it() {
    let stack = Stack::prepared();
    std::fs::create_dir_all(stack.state()).unwrap();
    let settings = stack.state().join("nutshell.toml");
    std::fs::write(settings, "version = 1\nautoscaling_minute_ms = 1000\n").unwrap();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let cps = |line: &str| stack.cps(&line.split(' ').collect::<Vec<_>>());
    let _ = cps("login").ok();
    let _ = cps("service create php").ok();
    let _ = cps("service start 1").ok();
    let archive = stack.file("page.tar.gz", &tar_gz(&[("index.php", PAGE)]));
    stack.activate_code("php", "1", &archive);
    let [address] = stack.addresses("php", "1")[..] else { panic!("one proxy") };

    let refused = cps("php on-autoscaling 1 3 100 turbo");
    assert!(refused.stderr.contains("low, medium_down, medium, medium_up, high"), "{refused:?}");
    let refused = cps("php on-autoscaling 1 0 100 high");
    assert!(refused.stderr.contains("1..=1440"), "{refused:?}");
    assert!(cps("php autoscaling 1").ok().starts_with("Autoscaling is off."));

    let visitors = Load::start(address, "/", &[Kept; 12]);
    let enabled = cps(&format!("php on-autoscaling 1 3 {THRESHOLD} high")).ok();
    assert_eq!(enabled.trim(), "Autoscaling enabled.");
    let most = backends(&stack, |count| count > 0, "a backend of its own").await;
    let answers = visitors.end();
    assert!(answers.failed.is_empty() && answers.served() > 0, "{answers:?}");
    let grown = status(&stack);
    let added = reasons(&grown, "add");
    assert!(added[0].starts_with("adding ") && added[0].contains(" m1."), "{added:?}");
    let measured = grown["measurements"].as_array().expect("a list");
    let is_late = |point: &Value| point["response_percentile_95"].as_f64() > Some(90.0);
    assert!(measured.iter().any(is_late), "{measured:?}");

    // What it knows survives its manager.
    for manager in processes::running(stack.pid(), "manager") {
        let killed = Command::new("kill").args(["-9", &manager.to_string()]).status().unwrap();
        assert!(killed.success());
    }
    wait_for("the manager's answer", Duration::from_secs(30), || {
        let answer = cps("php autoscaling 1 --format json");
        if answer.code == Some(0) { Ok(()) } else { Err(answer) }
    });
    assert_eq!(reasons(&status(&stack), "add")[..added.len()], added);

    // Of several, each goes at the end of an hour of its own: a minute here.
    backends(&stack, |count| count < most, "the end of a backend").await;
    let removed = reasons(&status(&stack), "remove");
    assert!(removed.iter().all(|reason| reason.contains("the paid hour ends")), "{removed:?}");
    assert_eq!(cps("php off-autoscaling 1").ok().trim(), "Autoscaling disabled.");
    assert!(cps("php autoscaling 1").ok().starts_with("Autoscaling is off."));
}
