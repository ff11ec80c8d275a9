//! `appliance pack`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use appliance::ovf::{Machine, Network, Product};

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

    /// Name of the machine
    #[arg(long, default_value = "Nutshell")]
    name: String,

    /// Processors of the machine
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    processors: u32,

    /// Memory of the machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 3072, value_parser = clap::value_parser!(u64).range(128..=1_048_576))]
    memory: u64,

    /// What its owner reads when VirtualBox imports it
    #[arg(long, value_name = "TEXT", default_value = "")]
    annotation: String,

    /// The time of the files in the archive, in seconds since 1970
    #[arg(
        long,
        env = "SOURCE_DATE_EPOCH",
        value_name = "SECONDS",
        default_value_t = 0,
        hide_env_values = true
    )]
    time: u64,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let Arguments { disk, output, name, processors, memory, annotation, time } = arguments;
    let machine = Machine {
        name,
        product: Product {
            name: "Nutshell".to_owned(),
            vendor: "Nutshell".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        annotation,
        processors,
        memory_mib: memory,
        networks: vec![Network::Nat, Network::HostOnly],
    };
    let packed = appliance::pack::pack(&disk, &machine, &output, time)?;
    let (mib, gib) = (packed.bytes >> 20, packed.capacity_bytes >> 30);
    writeln!(io::stdout(), "{}: {mib} MiB, with a disk of {gib} GiB", output.display())?;
    Ok(ExitCode::SUCCESS)
}
