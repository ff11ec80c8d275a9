//! `cps director`.

use super::{Caller, CpsError};
use crate::args::DirectorCommand;
use crate::diagnostics::Exit;

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: DirectorCommand) -> Result<Exit, CpsError> {
    match command {
        DirectorCommand::Version => version(caller).await,
    }
}

async fn version(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let answer = caller.client.version().await?;
    caller.printer.answer(&answer, |answer| {
        format!("Nutshell director version {}", answer["version"].as_str().unwrap_or("unknown"))
    });
    Ok(Exit::Success)
}
