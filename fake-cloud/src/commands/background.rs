//! `fake-cloud start` and `stop`: a cloud in the background. It is the same executable once more,
//! which tells through a pipe what clients need to know, closes it, and is tied to no terminal then.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use http::Method;
use serde_json::Value;

use super::client::Target;
use super::run;

/// The file in the state directory that has what the cloud says later.
const LOG: &str = "fake-cloud.log";

/// Start a cloud in the background, and come back when it answers.
///
/// It prints what clients need to know, for `eval "$(fake-cloud start --state DIR)"`; `fake-cloud
/// env` prints it again, and `fake-cloud stop` ends the cloud.
#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    #[command(flatten)]
    cloud: run::Arguments,

    /// Tells the executable that it is the background process.
    #[arg(long, hide = true)]
    in_background: bool,
}

/// End a cloud and all its servers, and come back when they have ended.
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    /// The state directory of the cloud.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,
}

/// Starts the background process and waits until it answers; or is that process.
pub(crate) async fn start(
    Start { cloud, in_background }: Start,
) -> Result<ExitCode, Box<dyn Error>> {
    let Some(state) = cloud.state.clone() else {
        return Err("what runs in the background must be found again: give --state DIR".into());
    };
    if in_background {
        serve(cloud, &state).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).arg("--in-background");
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let told = process.stdout.as_mut().map(|told| io::copy(told, &mut io::stdout()));
    if told.transpose()?.unwrap_or_default() > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    // It has said why, where this process would.
    process.wait()?;
    Ok(ExitCode::FAILURE)
}

/// Is the background process.
async fn serve(cloud: run::Arguments, state: &Path) -> Result<(), Box<dyn Error>> {
    // Of no consequence where it leads a session already.
    let _ = rustix::process::setsid();
    run::until_asked(cloud, |cloud| {
        run::greet(cloud)?;
        Ok(leave_terminal(&state.join(LOG))?)
    })
    .await
}

/// Closes the pipe; what is said later goes to the log.
fn leave_terminal(log: &Path) -> io::Result<()> {
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    rustix::stdio::dup2_stderr(File::options().append(true).create(true).open(log)?)?;
    Ok(())
}

/// Asks a cloud to end, and waits until it has.
pub(crate) async fn stop(Stop { state }: Stop) -> Result<(), Box<dyn Error>> {
    let lock = state.join(fake_cloud::LOCK);
    Target::of(state).ask(Method::POST, "/shutdown", Value::Null).await?;
    // It holds the lock for as long as anything of it is there.
    Ok(File::open(lock)?.lock()?)
}
