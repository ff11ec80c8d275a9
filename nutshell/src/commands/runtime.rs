//! The runtime of commands that wait for others: one thread, made when it is needed.

use std::io;

use crate::diagnostics::{Advice, Exit};

/// The runtime could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to prepare for waiting")]
pub(crate) struct RuntimeError(#[source] io::Error);

impl Advice for RuntimeError {
    fn exit(&self) -> Exit {
        Exit::Unexpected
    }
}

/// Does the work on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, RuntimeError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build().map_err(RuntimeError)?.block_on(work))
}
