//! Down and up again: everything comes back as it was, and nothing runs in between.

use std::time::{Duration, Instant};

use integration::{Stack, http};

use crate::story::{answers, nodes, running_application};

#[test]
fn down_ends_everything_and_up_brings_it_back() {
    let stack = Stack::up();
    let address = running_application(&stack);
    assert!(!stack.processes().is_empty());

    let begin = Instant::now();
    let _ = stack.nutshell(&["down"]).ok();
    let took = begin.elapsed();
    assert_eq!(stack.processes(), Vec::<u32>::new(), "nothing is left");
    assert!(took < Duration::from_secs(5), "down took {took:?}");
    assert!(http::get((address, 8000), "/").is_err());
    let refused = stack.cps(&["service", "list"]).failed();
    assert!(refused.contains("nutshell up"), "{refused}");

    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let list = stack.cps(&["service", "list"]).ok();
    assert!(list.contains("generic") && list.contains("RUNNING"), "{list}");
    assert_eq!(nodes(&stack, "1")[0].1, address, "the same floating address");
    // The user's application runs again because the agent starts what ran.
    assert_eq!(answers(address).trim(), format!("master of {address}"));
    let _ = stack.cps(&["generic", "add-nodes", "1", "1"]).ok();
    assert_eq!(nodes(&stack, "1").len(), 2);
}

#[test]
fn destroy_leaves_nothing() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    let _ = stack.nutshell(&["destroy", "--yes"]).ok();
    assert!(!stack.state().exists());
    assert_eq!(stack.processes(), Vec::<u32>::new());
}
