//! `nutshell manager`: the process in the VM of an application's manager.

use super::runtime::block_on;
use crate::args::Vm;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging;

impl Advice for manager::Error {
    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

/// Manages until it is told to end.
pub(crate) fn manager(options: &Vm) -> Result<Exit, Failure> {
    logging::to_file(&manager::log_file(&options.root))?;
    let settings = manager::Settings {
        boot_file: options.boot.clone(),
        root: options.root.clone(),
        listen: None,
    };
    block_on(manager::run(settings))??;
    Ok(Exit::Success)
}
