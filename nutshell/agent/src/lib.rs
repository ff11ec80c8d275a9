//! The process in every VM of a service: hosts one agent half and does what its manager asks.

mod endpoints;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::AGENT_PORT;
use protocol::boot::BootRole;
use protocol::vm::{Vm, tell_ready};
use services::usage::Meter;
use services::{AgentContext, ServiceError};

pub use protocol::vm::{Settings, StartError};
pub use services::{Need, needs, service_types};

use endpoints::Agent;

/// Why an agent cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not start, or ended.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What an earlier agent left cannot be taken up.
    #[error("failed to take up the service's work")]
    Half(#[source] ServiceError),
}

/// Where the agent's own log goes; whoever calls [`run`] sets up the writing.
#[must_use]
pub fn log_file(root: &Path) -> PathBuf {
    root.join("var/log/cpsagent.log")
}

/// Joins the installation and works until the process is ended.
///
/// # Errors
/// When the agent cannot join, listen or take up the work of an earlier one.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let cache = settings.root.join("var/cache/cpsagent");
    let vm = Vm::join(&settings, &cache, &[]).await?;
    let boot = &vm.membership.boot;
    let BootRole::Agent { service_type, .. } = &boot.role else {
        return Err(StartError::WrongRole.into());
    };
    let mut context = AgentContext::new(boot.node, &settings.root);
    context.memory_mib = boot.memory_mib;
    let half = services::agent_half(service_type, context)
        .ok_or(StartError::WrongRole)?
        .map_err(Error::Half)?;
    let identity = vm.membership.identity();
    let logs: Vec<_> = half.logs().into_iter().map(|(_, path)| path).collect();
    let tended = Arc::clone(&half);
    let meter = Meter::start(&settings.root, &cache, move || {
        tended.tend();
        bound(&logs);
    });
    let agent = Arc::new(Agent { identity, half, log_file: log_file(&settings.root), meter });
    let listener = vm.listen(AGENT_PORT).await?;
    // The manager's calls are served while the director is being told.
    let director = vm.director.clone();
    let ready = async move { tell_ready(&director).await };
    Ok(vm.serve(listener, endpoints::router(agent), ready).await?)
}

/// Scripts write as much as they like: what is too much is put aside.
fn bound(logs: &[PathBuf]) {
    for path in logs {
        if let Err(error) = services::logs::bound(path) {
            tracing::warn!(path = %path.display(), %error, "a log cannot be put aside");
        }
    }
}
