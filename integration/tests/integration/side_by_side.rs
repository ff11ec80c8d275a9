//! Any number of installations on one machine.

use integration::Stack;

use crate::story::{answers, running_application};

#[test]
fn two_stacks_do_not_meet() {
    let (one, other) = (Stack::up(), Stack::up());
    let (first, second) = (running_application(&one), running_application(&other));
    assert_ne!(first, second);
    assert_eq!(answers(first).trim(), format!("master of {first}"));
    assert_eq!(answers(second).trim(), format!("master of {second}"));
    let _ = one.nutshell(&["down"]).ok();
    assert_eq!(answers(second).trim(), format!("master of {second}"), "the other goes on");
}
