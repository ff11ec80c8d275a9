//! `nutshell manager` and `nutshell agent`: the processes in an application's VMs.

use std::path::{Path, PathBuf};

use protocol::vm::Settings;

use super::runtime::block_on;
use crate::args::Vm;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging;

impl Advice for manager::Error {
    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

impl Advice for agent::Error {
    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

/// Manages until it is told to end.
pub(crate) fn manager(options: &Vm) -> Result<Exit, Failure> {
    member(options, manager::log_file, manager::run)
}

/// Works until it is told to end.
pub(crate) fn agent(options: &Vm) -> Result<Exit, Failure> {
    member(options, agent::log_file, agent::run)
}

fn member<E, F>(
    options: &Vm,
    log_file: impl FnOnce(&Path) -> PathBuf,
    run: impl FnOnce(Settings) -> F,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Advice,
{
    logging::to_file(&log_file(&options.root))?;
    let (boot_file, root) = (options.boot.clone(), options.root.clone());
    block_on(run(Settings { boot_file, root, listen: None }))??;
    Ok(Exit::Success)
}
