//! `nutshell up`: starts everything, tells its story, and stays until it is told to end.

mod background;
mod notify;
mod report;

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::report::{Report, Summary};
use crate::args::Up;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging;
use crate::printer::Printer;
use crate::stack::{Prepared, StackSettings, StateDirectory};

/// Why `up` failed, apart from the stack itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    #[error("failed to find this executable")]
    Executable(#[source] io::Error),
    #[error("failed to prepare for waiting")]
    Runtime(#[source] io::Error),
    #[error("failed to listen for signals")]
    Signals(#[source] io::Error),
    #[error("failed to tell the service manager that everything runs")]
    Notify(#[source] io::Error),
    #[error("failed to start in the background")]
    Background(#[source] io::Error),
    #[error("it ended while it was starting")]
    EndedEarly { log: PathBuf },
}

impl Advice for UpError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::EndedEarly { log } => Some(format!("the log is {}", log.display())),
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

/// Starts everything.
pub(crate) fn up(options: &Up, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.state.as_deref())?;
    let executable = std::env::current_exe().map_err(UpError::Executable)?;
    let settings = StackSettings {
        password: options.password.clone(),
        floating_addresses: options.floating_addresses,
        floating_range: options.floating_range,
        image: options.image.clone(),
        instance_type: options.instance_type.clone(),
        ..StackSettings::new(state.path(), executable)
    };
    if options.detach {
        background::start(&settings, printer)
    } else if options.detached {
        background::run(settings)
    } else {
        run(settings, printer)
    }
}

/// In the foreground.
fn run(settings: StackSettings, printer: &Printer) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let state = settings.state.clone();
    let prepared = Prepared::new(settings)?;
    logging::to_parts(&state.logs())?;
    wait_for(async {
        let mut ending = Ending::listen()?;
        let spinner = printer.spinner("Starting");
        let told = |step| {
            spinner.aside(|| {
                report::print(printer, &Report::Step(step));
            });
        };
        let stack = tokio::select! {
            started = spinner.watch(prepared.start(&told)) => started?,
            () = ending.asked() => {
                printer.note("Interrupted; nothing runs.");
                return Ok(Exit::Failure);
            }
        };
        drop(spinner);
        let summary = Summary::of(&stack, &state, begun, false).await;
        report::print(printer, &Report::Ready(summary));
        notify::ready().map_err(UpError::Notify)?;
        ending.asked().await;
        let begun = Instant::now();
        stack.shutdown().await;
        printer.note(format!("✓ everything ended  {:.2} s", begun.elapsed().as_secs_f64()));
        Ok(Exit::Success)
    })
}

/// Does the work, and leaves behind what does not end with it: all that counts is on disk.
pub(super) fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().map_err(UpError::Runtime)?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// The signals that ask for the end.
pub(super) struct Ending {
    signals: [Signal; 3],
}

impl Ending {
    pub(super) fn listen() -> Result<Self, UpError> {
        let listen = |kind| signal(kind).map_err(UpError::Signals);
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
        })
    }

    pub(super) async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
