//! `nutshell completions`.

use crate::args::{self, Completions};
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;

/// Prints the completions for a shell.
pub(crate) fn completions(wanted: &Completions, printer: &Printer) -> Result<Exit, Failure> {
    printer.data_bytes(&args::completions(wanted.shell));
    Ok(Exit::Success)
}
