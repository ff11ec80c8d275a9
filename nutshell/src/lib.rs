//! The one executable: `nutshell` with the platform and a cloud on this machine, and the clients.
//!
//! ```text
//!  args/      what can be typed            commands/  what each command does
//!  printer/   all output                   stack/     a whole nutshell on this machine
//!  diagnostics.rs  errors, hints, exit codes     logging.rs  who logs where
//! ```

mod args;
mod commands;
mod diagnostics;
mod identity_provider;
mod logging;
mod printer;
pub mod stack;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::diagnostics::Exit;
use crate::printer::Printer;

/// Does what the command line says, the program's name first, and returns the exit code.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (output, invocation) = match args::parse(line) {
        Ok(parsed) => parsed,
        Err(answer) => {
            // Help and the version go to stdout and are no failure; wrong usage goes to stderr.
            let _ = answer.print();
            return if answer.use_stderr() { Exit::Unexpected } else { Exit::Success }.into();
        }
    };
    let printer = Printer::new(output.settings());
    match commands::run(invocation, &printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(&printer);
            failure.exit.into()
        }
    }
}
