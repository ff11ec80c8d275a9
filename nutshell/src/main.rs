//! The executable `nutshell`, known by many names.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A server of the cloud begins here, before anything else exists.
    fake_cloud::guest::run_if_guest();
    nutshell::run(std::env::args_os())
}
