//! `nutshell up --detach`: the same process once more, in a session of its own.
//!
//! Its stdout is a pipe to the process that the user started: one [`Report`] a line, until it is
//! ready or has failed. Then the pipe is closed, and nothing ties it to the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::report::{self, Report, Summary};
use super::{Ending, UpError, wait_for};
use crate::diagnostics::{Exit, Failure};
use crate::logging::{self, Part};
use crate::printer::Printer;
use crate::stack::{Prepared, StackSettings};

/// Starts the background process, and tells its story until it is ready.
pub(super) fn start(settings: &StackSettings, printer: &Printer) -> Result<Exit, Failure> {
    let mut command = Command::new(&settings.executable);
    command.args(["up", "--detached", "--state"]).arg(settings.state.path());
    if let Some(count) = settings.floating_addresses {
        command.args(["--floating-addresses", &count.to_string()]);
    }
    if let Some(range) = &settings.floating_range {
        command.args(["--floating-range", &range.pool().to_string()]);
    }
    if let Some(image) = &settings.image {
        command.args(["--image", image]);
    }
    if let Some(instance_type) = &settings.instance_type {
        command.args(["--instance-type", instance_type]);
    }
    if let Some(password) = &settings.password {
        // Not an argument: those can be read by everybody.
        command.env("NUTSHELL_PASSWORD", password);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).current_dir("/");
    let mut process = command.spawn().map_err(UpError::Background)?;
    let stdout = process.stdout.take().ok_or_else(|| io::Error::other("no pipe"));
    for line in BufReader::new(stdout.map_err(UpError::Background)?).lines() {
        let line = line.map_err(UpError::Background)?;
        let report: Report =
            serde_json::from_str(&line).map_err(|error| UpError::Background(error.into()))?;
        let exit = report::print(printer, &report);
        if !matches!(report, Report::Step(_)) {
            return Ok(exit);
        }
    }
    let _ = process.wait();
    Err(UpError::EndedEarly { log: Part::Nutshell.log(&settings.state.logs()) }.into())
}

/// Is the background process.
pub(super) fn run(settings: StackSettings) -> Result<Exit, Failure> {
    // Of no consequence where the process leads a session already.
    let _ = rustix::process::setsid();
    match serve(settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => {
            let exit = failure.exit;
            tell(&Report::from(failure));
            Ok(exit)
        }
    }
}

fn serve(settings: StackSettings) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let state = settings.state.clone();
    let prepared = Prepared::new(settings)?;
    logging::to_parts(&state.logs())?;
    wait_for(async {
        let mut ending = Ending::listen()?;
        let stack = tokio::select! {
            started = prepared.start(&|step| tell(&Report::Step(step))) => started?,
            () = ending.asked() => return Ok(Exit::Failure),
        };
        let summary = Summary::of(&stack, &state, begun, true).await;
        tell(&Report::Ready(summary));
        let log = Part::Nutshell.log(&state.logs());
        leave_terminal(&log).map_err(UpError::Background)?;
        ending.asked().await;
        stack.shutdown().await;
        Ok(Exit::Success)
    })
}

/// A line to the process that the user started; it may be gone.
fn tell(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}

/// Closes the pipe; what nobody foresaw goes to the log from now on.
fn leave_terminal(log: &std::path::Path) -> io::Result<()> {
    let nowhere = File::options().write(true).open("/dev/null")?;
    let log = OpenOptions::new().append(true).create(true).open(log)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&log)?;
    Ok(())
}
