//! `nutshell man`: the manual pages of all programs.

use std::io;
use std::path::PathBuf;

use crate::args::{self, Man};
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::Printer;

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
#[error("failed to write manual pages to {}", directory.display())]
pub(crate) struct ManError {
    directory: PathBuf,
    #[source]
    source: io::Error,
}

impl Advice for ManError {}

/// Writes the pages.
pub(crate) fn man(wanted: &Man, printer: &Printer) -> Result<Exit, Failure> {
    let directory = &wanted.directory;
    args::manual_pages(directory)
        .map_err(|source| ManError { directory: directory.clone(), source })?;
    printer.answer(directory, |directory| {
        format!("Manual pages are in {0}: `man -l {0}/cps.1`", directory.display())
    });
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_and_group_has_a_page() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = Man { directory: directory.path().join("man1") };
        let (printer, output) = Printer::captured();
        assert_eq!(man(&wanted, &printer).unwrap(), Exit::Success);
        assert!(output.stdout().contains("cps.1"));
        for page in ["nutshell.1", "nutshell-up.1", "cps.1", "cps-manifest-deploy.1", "cpsclient.1"]
        {
            let text = std::fs::read_to_string(wanted.directory.join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
}
