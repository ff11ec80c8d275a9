//! The process that manages one application: hosts the manager halves of its services.
//!
//! What it must not forget is on its disk, and a copy of that with the director: one file a service,
//! and the code versions. It asks the director for nodes and tells it of every state; it tells the
//! agents in the nodes what to do.

mod agents;
mod application;
mod autoscaling;
mod backup;
mod director;
mod endpoints;
mod git;
mod record;
mod recovery;
mod scaling;
mod service;
mod volumes;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::MANAGER_PORT;
use protocol::boot::BootRole;
use protocol::vm::Vm;
use services::ServiceError;
use services::usage::Meter;

use application::Application;
use autoscaling::Pace;
use backup::Keeper;
use director::Director;
use endpoints::Manager;
use git::Git;
use service::World;

pub use protocol::vm::{Settings, StartError};

/// Why a manager cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not start, or ended.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What the last manager left with the director cannot be taken up.
    #[error("failed to restore the application from its backup")]
    Restore(#[source] ServiceError),
    /// What an earlier manager left here cannot be read.
    #[error("failed to take up the services of the application")]
    Services(#[source] ServiceError),
}

/// Where the manager's own log goes; whoever calls [`run`] sets up the writing.
#[must_use]
pub fn log_file(root: &Path) -> PathBuf {
    root.join("var/log/cpsmanager.log")
}

/// Joins the installation and works until the process is ended.
///
/// # Errors
/// When the manager cannot join, listen or take up the work of an earlier one.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let cache = settings.root.join("var/cache/cpsmanager");
    let logs = settings.root.join("var/log");
    let vm = Vm::join(&settings, &cache, &[&logs]).await?;
    if vm.membership.boot.role != BootRole::Manager {
        return Err(StartError::WrongRole.into());
    }
    let director = Director::new(vm.director.clone());
    backup::restore(&cache, &director).await.map_err(Error::Restore)?;
    let backup = Keeper::new(&cache, director.clone());
    let agents = Arc::new(agents::Agents::new(vm.membership.clone()));
    let git = Git::open(&cache, vm.membership.public_ip, settings.listen);
    let git = git.map_err(Error::Services)?;
    let measured = cache.clone();
    let world = World {
        director,
        backup: Arc::clone(&backup),
        agents,
        git: Arc::clone(&git),
        pace: Pace::new(vm.membership.boot.autoscaling_minute),
        cache,
        logs,
    };
    let application = Application::open(world).await.map_err(Error::Services)?;
    git.attach(&application).await;
    tokio::spawn(backup.run());

    let listener = vm.listen(MANAGER_PORT).await?;
    let identity = vm.membership.identity();
    let log_file = log_file(&settings.root);
    let meter = Meter::start(&settings.root, &measured, || ());
    let manager = Manager { identity, application: Arc::clone(&application), log_file, meter };
    let router = endpoints::router(Arc::new(manager));
    Ok(vm.serve(listener, router, application.join()).await?)
}
