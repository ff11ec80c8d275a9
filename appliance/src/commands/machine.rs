//! What can be said of the machine that people get.

use appliance::ovf::{Machine, Network, Product};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The machine")]
pub(crate) struct MachineArguments {
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
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Log in as stack, password contrail. The login message says where the page is."
    )]
    annotation: String,

    /// The time of the files in it, in seconds since 1970
    #[arg(
        long,
        env = "SOURCE_DATE_EPOCH",
        value_name = "SECONDS",
        default_value_t = 0,
        hide_env_values = true
    )]
    pub(super) time: u64,
}

impl MachineArguments {
    pub(super) fn machine(self) -> Machine {
        let Self { name, processors, memory, annotation, .. } = self;
        Machine {
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
        }
    }
}
