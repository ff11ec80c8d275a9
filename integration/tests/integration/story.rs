//! The main job, from an empty state directory to an application that answers, and away again.

use std::net::Ipv4Addr;
use std::time::Duration;

use integration::archive::tar_gz;
use integration::stack::Output;
use integration::{Stack, http, wait_for};

pub(crate) const INIT: &str = "#!/bin/bash\necho \"$MY_ROLE of $MASTER_IP\" > index.html\n";
pub(crate) const RUN: &str = "#!/bin/bash\nexec /usr/bin/python3 -m http.server 8000\n";

/// The addresses in the output of `list-nodes`, with their roles.
pub(crate) fn nodes(stack: &Stack, service: &str) -> Vec<(String, Ipv4Addr)> {
    let text = stack.cps(&["generic", "list-nodes", service]).ok();
    text.lines()
        .map(|line| {
            let role = line.split(':').next().unwrap().to_owned();
            (role, line.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{text}")))
        })
        .collect()
}

/// Uploads the little web application and makes it the active version.
pub(crate) fn deploy(stack: &Stack, service: &str) -> String {
    let archive = stack.file("app.tar.gz", &tar_gz(&[("init.sh", INIT), ("run.sh", RUN)]));
    let version = stack.activate_code("generic", service, &archive);
    assert!(version.starts_with("code-"), "{version}");
    version
}

/// A started Generic service with the web application running on it.
pub(crate) fn running_application(stack: &Stack) -> Ipv4Addr {
    let _ = stack.cps(&["login"]).ok();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    deploy(stack, "1");
    let _ = stack.cps(&["generic", "run", "1"]).ok();
    let address = nodes(stack, "1")[0].1;
    answers(address);
    address
}

/// Waits until the application answers at the address and gives what it says.
pub(crate) fn answers(address: Ipv4Addr) -> String {
    wait_for("an answer of the application", Duration::from_secs(20), || {
        http::get((address, 8000), "/")
    })
}

#[test]
fn an_application_is_created_run_scaled_and_deleted() {
    let stack = Stack::up();
    let login = stack.cps(&["login"]).ok();
    assert!(login.contains("test"), "{login}");
    let types = stack.cps(&["service", "get-types"]).ok();
    assert!(types.lines().any(|line| line.starts_with("generic")), "{types}");
    assert!(types.lines().any(|line| line.starts_with("helloworld")), "{types}");

    let created = stack.cps(&["service", "create", "generic"]).ok();
    assert!(created.starts_with("Creating new manager on 127."), "{created}");
    assert!(created.lines().next().unwrap().ends_with("done."), "{created}");
    let started = stack.cps(&["service", "start", "1"]).ok();
    assert!(started.contains("Service 1 is starting") && started.contains("done."), "{started}");
    let list = stack.cps(&["service", "list"]).ok();
    assert!(list.contains("generic") && list.contains("RUNNING"), "{list}");

    let [(role, master)] = &nodes(&stack, "1")[..] else { panic!("one node, the master") };
    assert_eq!(role, "master");
    let version = deploy(&stack, "1");
    let uploads = stack.cps(&["generic", "list-uploads", "1"]).ok();
    let current = uploads.lines().find(|line| line.contains('*')).unwrap();
    assert!(current.contains(&version) && current.contains("app.tar.gz"), "{uploads}");
    assert!(uploads.contains("code-default"), "{uploads}");

    let _ = stack.cps(&["generic", "run", "1"]).ok();
    assert_eq!(answers(*master).trim(), format!("master of {master}"));
    let status = stack.cps(&["generic", "get-script-status", "1"]).ok();
    assert!(status.contains("STOPPED (return code 0)"), "init ended: {status}");
    assert!(status.contains("RUNNING"), "run goes on: {status}");

    let added = stack.cps(&["generic", "add-nodes", "1", "2"]).ok();
    assert!(added.contains("done."), "{added}");
    let all = nodes(&stack, "1");
    assert_eq!(all.iter().filter(|(role, _)| role == "node").count(), 2, "{all:?}");
    assert_eq!(answers(*master).trim(), format!("master of {master}"), "never interrupted");
    // Nothing may be run while the old scripts run.
    let refused = stack.cps(&["generic", "run", "1"]).failed();
    assert!(refused.contains("Scripts are still running"), "{refused}");
    let _ = stack.cps(&["generic", "interrupt", "1"]).ok();
    wait_for("the end of the script", Duration::from_secs(10), || {
        let again = stack.cps(&["generic", "run", "1"]);
        if again.code == Some(0) { Ok(()) } else { Err(again) }
    });
    for (role, address) in &all {
        assert_eq!(
            answers(*address).trim(),
            format!("{role} of {master}"),
            "each its own port 8000"
        );
    }

    let manager_log = stack.cps(&["service", "get-log", "1"]).ok();
    assert!(!manager_log.trim().is_empty());
    let _ = stack.cps(&["generic", "interrupt", "1"]).ok();
    let removed = stack.cps(&["generic", "remove-nodes", "1", "2"]).ok();
    assert!(removed.contains("done."), "{removed}");
    assert_eq!(nodes(&stack, "1").len(), 1);
    assert!(http::get((all[1].1, 8000), "/").is_err(), "its address answers no more");

    let stopped = stack.cps(&["service", "stop", "1"]).ok();
    assert!(stopped.contains("done."), "{stopped}");
    let deleted = stack.cps(&["service", "delete", "1"]).ok();
    assert!(deleted.contains("Service 1 has been deleted."), "{deleted}");
    let list = stack.cps(&["service", "list"]).ok();
    assert!(!list.contains("generic"), "{list}");
}

#[test]
fn every_vm_knows_all_agents() {
    let stack = Stack::up();
    let show = "#!/bin/bash\ncat /var/cache/cpsagent/agents.json\n";
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", show)]));
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let _ = stack.cps(&["generic", "add-nodes", "1", "1"]).ok();
    stack.activate_code("generic", "1", &archive);
    let _ = stack.cps(&["generic", "run", "1"]).ok();
    let ids: Vec<String> = stack
        .cps(&["generic", "list-nodes", "1"])
        .ok()
        .lines()
        .map(|line| line.split_whitespace().nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    let addresses = nodes(&stack, "1");
    for id in &ids {
        let log = wait_for("the output of run.sh", Duration::from_secs(10), || {
            let log = stack.cps(&["generic", "get-agent-log", "1", id, "-f", "agent.out"]).ok();
            if log.contains('[') { Ok(log) } else { Err(log) }
        });
        for (role, address) in &addresses {
            assert!(log.contains(role) && log.contains(&address.to_string()), "{id}: {log}");
        }
    }
}

#[test]
fn hello_world_greets_from_every_node() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let _ = stack.cps(&["helloworld", "add-nodes", "1", "1"]).ok();
    let greeting = stack.cps(&["helloworld", "get-helloworld", "1"]).ok();
    assert_eq!(greeting.matches("Received helloworld from").count(), 2, "{greeting}");
}

#[test]
fn every_spelling_of_the_guide_reaches_the_same_service() {
    let stack = Stack::up();
    let names = stack.directory().join("names");
    let _ = stack.nutshell(&["install", "--directory", names.to_str().unwrap()]).ok();
    let run = |name: &str, arguments: &[&str]| {
        Output::of(stack.program(names.join(name)).args(arguments))
    };
    let created = run("cpsclient", &["create", "generic"]).ok();
    assert!(created.contains("Creating new manager on"), "{created}");
    let _ = run("cps-tools", &["service", "create", "generic"]).ok();
    let _ = run("cps-generic", &["create"]).ok();
    let list = run("cpsclient.py", &["list"]).ok();
    assert_eq!(list.lines().filter(|line| line.contains("generic")).count(), 3, "{list}");
    let _ = run("cps-service", &["start", "2"]).ok();
    let one = run("cps-generic", &["list_nodes", "2"]).ok();
    let other = run("cps", &["generic", "list-nodes", "2"]).ok();
    let third = run("cpsclient.py", &["list_nodes", "2"]).ok();
    assert_eq!(one, other);
    assert_eq!(one, third);
}
