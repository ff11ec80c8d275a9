//! Any process may be killed at any instant.

use std::process::Command;
use std::time::Duration;

use integration::{Stack, http, wait_for};

use crate::story::{answers, nodes, running_application};

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_stack_leaves_nothing_and_comes_back() {
    let stack = Stack::up();
    let address = running_application(&stack);
    kill(stack.pid());
    wait_for("the end of every process", Duration::from_secs(10), || {
        let left = stack.processes();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    assert!(http::get((address, 8000), "/").is_err());
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    assert_eq!(answers(address).trim(), format!("master of {address}"));
    assert_eq!(nodes(&stack, "1")[0].1, address);
}

#[test]
fn a_stack_killed_in_the_middle_of_work_unwinds_or_finishes_it() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let mut adding = stack.command(&["cps", "generic", "add-nodes", "1", "5"]).spawn().unwrap();
    kill(stack.pid());
    let _ = adding.wait().unwrap();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let state = wait_for("a stable state", Duration::from_secs(30), || {
        let list = stack.cps(&["service", "list"]).ok();
        if list.contains("RUNNING") { Ok(list) } else { Err(list) }
    });
    assert!(state.contains("generic"), "{state}");
    let count = nodes(&stack, "1").len();
    assert!(count == 1 || count == 6, "all of the new nodes or none, found {count}");
    let _ = stack.cps(&["generic", "add-nodes", "1", "1"]).ok();
    assert_eq!(nodes(&stack, "1").len(), count + 1);
}
