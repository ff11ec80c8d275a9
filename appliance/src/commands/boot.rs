//! `appliance boot`

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use appliance::accelerator::Accelerator;
use appliance::emulator::{Emulator, Forward, Hardware, Settings};
use appliance::host_only::FIRST_LEASE;

use crate::Outcome;

/// Boots an OVA under QEMU, tells when its page answers, and stays until the machine is switched off
///
/// Without any rights: what is on its host-only network is reached by forwarded ports. Its page and SSH are, unless
/// other forwards lead there.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The OVA; it is only read
    file: PathBuf,

    /// A port of this machine that leads to one of the host-only network: 8080=192.168.56.10:80
    #[arg(short, long, value_name = "PORT=ADDRESS:PORT")]
    forward: Vec<Forward>,

    /// Where all that the machine writes is kept, and found the next time [default: nowhere]
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,

    /// Where everything goes that it writes to its serial port
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,

    /// How it runs [default: kvm where guests run, else tcg]
    #[arg(long, value_enum)]
    accelerator: Option<Accelerator>,

    /// How many processors it has
    #[arg(long, value_name = "NUMBER", default_value_t = 2)]
    processors: u32,

    /// Its memory, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 3072)]
    memory: u64,

    /// How long its page may take to answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let begun = Instant::now();
    let mut forwards = arguments.forward;
    for port in [443, 22] {
        if !forwards.iter().any(|it| it.to.port() == port && *it.to.ip() == FIRST_LEASE) {
            forwards.push(Forward { from: free()?, to: SocketAddrV4::new(FIRST_LEASE, port) });
        }
    }
    let accelerator = match arguments.accelerator {
        Some(accelerator) => accelerator,
        None => Accelerator::find()?,
    };
    let hardware =
        Hardware { accelerator, processors: arguments.processors, memory_mib: arguments.memory };
    let settings = Settings {
        ova: arguments.file,
        changes: arguments.changes,
        console: arguments.console,
        hardware,
        forwards: forwards.clone(),
    };
    let mut out = io::stdout();
    let mut emulator = Emulator::start(&settings)?;
    writeln!(out, "booting with {}", accelerator.name())?;
    out.flush()?;
    let url = emulator.wait(Duration::from_secs(arguments.patience))?;
    writeln!(out, "answers after {:.1} s, at {url} on its network", begun.elapsed().as_secs_f64())?;
    for forward in forwards {
        let scheme = if forward.to.port() == 443 { "https://" } else { "" };
        writeln!(out, "{} leads to {scheme}{}", forward.from, forward.to)?;
    }
    out.flush()?;
    emulator.ended(&mut |url| {
        writeln!(out, "answers again, at {url} on its network")?;
        out.flush()
    })?;
    writeln!(out, "switched off")?;
    Ok(ExitCode::SUCCESS)
}

/// A port that nobody has now.
fn free() -> io::Result<SocketAddrV4> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port()))
}
