//! `appliance pack`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::machine::MachineArguments;
use crate::Outcome;

/// Packs a disk as an OVA, which VirtualBox imports
///
/// The same disk and the same name make the same bytes. Files in it are of the time that SOURCE_DATE_EPOCH says.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The disk, in any format that qemu-img reads
    disk: PathBuf,

    /// The OVA to make
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    machine: MachineArguments,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let Arguments { disk, output, machine } = arguments;
    let time = machine.time;
    let packed = appliance::pack::pack(&disk, &machine.machine(), &output, time)?;
    let (mib, gib) = (packed.bytes >> 20, packed.capacity_bytes >> 30);
    writeln!(io::stdout(), "{}: {mib} MiB, with a disk of {gib} GiB", output.display())?;
    Ok(ExitCode::SUCCESS)
}
