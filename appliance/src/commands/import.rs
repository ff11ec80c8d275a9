//! `appliance import`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use appliance::{check, virtualbox};

use crate::Outcome;

/// Has VirtualBox import an OVA, on a host-only network that is made when there is none
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The OVA
    file: PathBuf,

    /// Name of the machine in VirtualBox
    #[arg(long, default_value = "Nutshell")]
    name: String,
}

pub(crate) fn run(Arguments { file, name }: &Arguments) -> Outcome {
    let problems = check::check(file)?;
    for problem in &problems {
        writeln!(io::stderr(), "error: {}: {problem}", file.display())?;
    }
    if !problems.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let network = virtualbox::import(file, name)?;
    writeln!(io::stdout(), "{name} is there, on {network}; start it: VBoxManage startvm {name}")?;
    Ok(ExitCode::SUCCESS)
}
