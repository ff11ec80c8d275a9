//! `nutshell agent`: the process in every VM of a service.

use super::runtime::block_on;
use crate::args::Vm;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging;

impl Advice for agent::Error {
    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

/// Works until it is told to end.
pub(crate) fn agent(options: &Vm) -> Result<Exit, Failure> {
    logging::to_file(&agent::log_file(&options.root))?;
    let settings = agent::Settings {
        boot_file: options.boot.clone(),
        root: options.root.clone(),
        listen: None,
    };
    block_on(agent::run(settings))??;
    Ok(Exit::Success)
}
