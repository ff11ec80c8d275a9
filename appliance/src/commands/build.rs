//! `appliance build`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use appliance::accelerator::Accelerator;
use appliance::build::{self, Done, Flavour, Format, Mirrors, Observer, Settings};
use indicatif::{ProgressBar, ProgressStyle};

use super::machine::MachineArguments;
use crate::Outcome;

/// Builds the appliance, from Debian's packages to the file that people download
///
/// The output's name says what it is: .ova for VirtualBox, .qcow2 for QEMU and OpenStack, .raw. What an interrupted build
/// has done is kept in the work directory, and the next one goes on there.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `lean`, the appliance with fake-cloud as its cloud; `services`, a disk for the VMs of a real cloud
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    flavour: Flavour,

    /// The file to make
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Where steps keep what they made [default: FILE.work]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,

    /// A checkout of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,

    /// The project's Debian package [default: made by nutshell/debian/build]
    #[arg(long, value_name = "DEB")]
    package: Option<PathBuf>,

    /// How the machine runs while it is provisioned [default: kvm where guests run, else tcg]
    #[arg(long, value_enum)]
    accelerator: Option<Accelerator>,

    /// The release of Debian
    #[arg(long, default_value = "bookworm")]
    suite: String,

    /// Where its packages come from [default: Debian's own servers]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,

    /// Where its security updates come from, if a mirror is named
    #[arg(long, value_name = "URL", requires = "mirror")]
    security_mirror: Option<String>,

    #[command(flatten)]
    machine: MachineArguments,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let Arguments { flavour, output, work, project, package, accelerator, .. } = arguments;
    let beside = || {
        let mut name = output.clone().into_os_string();
        name.push(".work");
        name.into()
    };
    let settings = Settings {
        flavour,
        format: Format::of(&output)?,
        work: work.unwrap_or_else(beside),
        project,
        package,
        output,
        mirrors: Mirrors {
            suite: arguments.suite,
            main: arguments.mirror,
            security: arguments.security_mirror,
        },
        accelerator,
        time: arguments.machine.time,
        machine: arguments.machine.machine(),
    };
    let bytes = build::build(&settings, &mut Progress::default())?;
    writeln!(io::stdout(), "{}: {} MiB", settings.output.display(), bytes >> 20)?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each step; on a terminal, how long the present one has taken.
#[derive(Default)]
struct Progress(Option<ProgressBar>);

impl Observer for Progress {
    fn begins(&mut self, name: &'static str) {
        let style = ProgressStyle::with_template("{spinner} {msg:12} {elapsed}");
        let bar = ProgressBar::new_spinner().with_message(name);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(200));
        self.0 = Some(bar);
    }

    fn done(&mut self, done: &Done) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
        let took = match done.took {
            Some(took) => format!("{:7.1} s", took.as_secs_f64()),
            None => "as before".to_owned(),
        };
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "✓ {:12} {took}", done.name);
    }
}
