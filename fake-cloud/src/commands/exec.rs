//! `fake-cloud exec`: a cloud for as long as a command runs.

use std::error::Error;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use fake_cloud::FakeCloud;
use tokio::process::{Child, Command};

use super::run::{self, Ending};

/// Run a command with a cloud of its own, which ends with it.
///
/// The command finds in its environment what `openstack`, boto3 and the like need to use the cloud as
/// its administrator. Its exit status is passed on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  fake-cloud exec -- openstack server create --image host --flavor m1.tiny --wait vm1")]
pub(crate) struct Arguments {
    #[command(flatten)]
    cloud: run::Arguments,

    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut ending = Ending::listen()?;
    let cloud = arguments.cloud.builder()?.start().await?;
    let mut words = arguments.command.into_iter();
    // The parser has made sure of the first.
    let program = words.next().unwrap_or_default();
    let environment = cloud.control().environment(run::ADMIN)?;
    let spawned = Command::new(&program).args(words).envs(environment).spawn();
    let status = match spawned {
        Ok(mut child) => finish(&mut child, &cloud, &mut ending).await,
        Err(error) => Err(error),
    };
    cloud.shutdown().await;
    match status {
        Ok(status) => Ok(passed_on(status)),
        Err(error) => Err(format!("failed to run {}: {error}", program.display()).into()),
    }
}

/// Waits for the command; it is asked to end when this process is.
async fn finish(
    child: &mut Child,
    cloud: &FakeCloud,
    ending: &mut Ending,
) -> std::io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = ending.asked(cloud) => {}
    }
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // It may have ended just now.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    child.wait().await
}

/// As a shell tells of it.
fn passed_on(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_passed_on_as_shells_do() {
        assert_eq!(passed_on(ExitStatus::from_raw(3 << 8)), ExitCode::from(3));
        assert_eq!(passed_on(ExitStatus::from_raw(9)), ExitCode::from(137));
    }
}
