//! `appliance check`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Outcome;

/// Tells what is wrong with an OVA, before VirtualBox does
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The OVA
    file: PathBuf,
}

pub(crate) fn run(Arguments { file }: &Arguments) -> Outcome {
    let problems = appliance::check::check(file)?;
    let mut out = io::stdout().lock();
    for problem in &problems {
        writeln!(out, "{}: {problem}", file.display())?;
    }
    if problems.is_empty() {
        writeln!(out, "{}: as it should be", file.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
