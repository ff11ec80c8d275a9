//! The platform in trouble. A few runs here; `cargo run --bin chaos -- --seeds 100` does many.

use std::process::Command;

use integration::executable;
use integration::stack::Output;

/// Seeds are fixed, so that a failure is one that can be looked for again.
fn survive(seed: &str) {
    let arguments = ["--seed", seed, "--rounds", "12"];
    let output = Output::of(Command::new(executable::built("chaos")).args(arguments));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

#[test]
fn everything_becomes_what_was_asked_for_whatever_is_killed() {
    survive("2");
}

#[test]
fn everything_becomes_what_was_asked_for_whatever_is_killed_meanwhile() {
    survive("3");
}

#[test]
fn everything_becomes_what_was_asked_for_whatever_fails() {
    survive("4");
}
