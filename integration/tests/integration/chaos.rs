//! The platform in trouble. A few runs here; `cargo run --bin chaos -- --seeds 100` does many.

use std::process::Command;

use integration::executable;
use integration::stack::Output;

/// Fixed, so that a failure is one that can be looked for again.
const SEEDS: [&str; 3] = ["1", "2", "3"];

#[test]
fn everything_becomes_what_was_asked_for_whatever_is_killed() {
    for seed in SEEDS {
        let arguments = ["--seed", seed, "--rounds", "12"];
        let output = Output::of(Command::new(executable::built("chaos")).args(arguments));
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
}
