//! The whole way from Debian's packages to the file that people download.
//!
//! ```text
//!  package ──────────────┐
//!  packages ──► base ──► disk ──► machine ──► output
//!  of Debian    (tar)    │  GRUB  │  packer    OVA, qcow2 or raw
//!                        ▼        ▼
//!                    provisioning/appliance, in the root file system and once more in the machine that has booted
//! ```

mod boot_sector;
mod disk;
mod machine;
mod recipe;
mod room;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::recipe::{Flavour, Mirrors};
pub use self::steps::{Done, Observer};
use self::steps::{Ingredients, Workshop};
use crate::accelerator::Accelerator;
use crate::ovf::Machine;
use crate::{Error, pack, scratch, tools};

/// What is to be built.
#[derive(Debug)]
pub struct Settings {
    /// Which one.
    pub flavour: Flavour,
    /// Where the project's files are: a checkout of it.
    pub project: PathBuf,
    /// The project's Debian package; made when it is not given.
    pub package: Option<PathBuf>,
    /// Where the products of the steps are kept.
    pub work: PathBuf,
    /// What is made in the end; its name says in which format.
    pub output: PathBuf,
    /// The format.
    pub format: Format,
    /// Where Debian's packages come from.
    pub mirrors: Mirrors,
    /// How the machine runs while it is provisioned; the best way that works when not given.
    pub accelerator: Option<Accelerator>,
    /// The machine that people get.
    pub machine: Machine,
    /// The time of all files in the output, in seconds since 1970.
    pub time: u64,
}

/// What the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A machine for VirtualBox.
    Ova,
    /// A disk for QEMU and OpenStack.
    Qcow2,
    /// A disk as it is, for EC2 and others.
    Raw,
}

impl Format {
    /// The one that the name of a file asks for.
    ///
    /// # Errors
    /// When it asks for none.
    pub fn of(output: &Path) -> Result<Self, Error> {
        match output.extension().and_then(|it| it.to_str()) {
            Some("ova") => Ok(Self::Ova),
            Some("qcow2") => Ok(Self::Qcow2),
            Some("raw" | "img") => Ok(Self::Raw),
            _ => Err(Error::Refused(format!(
                "{} names no format: let it end in .ova, .qcow2 or .raw",
                output.display()
            ))),
        }
    }
}

/// Builds it, and says how large the output is. What an earlier build on the same work directory did is not done again.
///
/// # Errors
/// When something is missing, or a step fails; what the steps before it did is kept.
pub fn build(settings: &Settings, observer: &mut dyn Observer) -> Result<u64, Error> {
    let project = recipe::Project::open(&settings.project)?;
    settings.flavour.check_tools(settings.package.is_some())?;
    let workshop = Workshop::open(&settings.work)?;
    room::check(workshop.path(), settings.flavour)?;

    let package = match (settings.flavour, &settings.package) {
        (Flavour::Services, _) => None,
        (Flavour::Lean, Some(package)) => {
            Some(package.canonicalize().map_err(Error::file("open", package))?)
        }
        (Flavour::Lean, None) => Some(make_package(&project, &workshop, observer)?),
    };
    let packages = settings.flavour.packages(&project)?;
    let base = disk::base(&project, &packages, settings, &workshop, observer)?;
    let mut disk = disk::disk(&project, &base, package.as_deref(), settings, &workshop, observer)?;
    if let Some(package) = &package {
        disk = machine::machine(&project, &disk, package, settings, &workshop, observer)?;
    }
    finish(&disk, settings, &workshop, observer)
}

/// The project's own package, made each time: the compiler itself knows what has changed.
fn make_package(
    project: &recipe::Project,
    workshop: &Workshop,
    observer: &mut dyn Observer,
) -> Result<PathBuf, Error> {
    let ingredients = Ingredients::default().and(std::process::id().to_le_bytes());
    workshop.step("package", "nutshell.deb", ingredients, observer, |place| {
        let log = workshop.log("package");
        let mut command = Command::new(project.package_script());
        command.stdin(std::process::Stdio::null());
        tools::run(command, "nutshell/debian/build", &log)?;
        let said = fs::read_to_string(&log).map_err(Error::file("read", &log))?;
        let made = said.lines().rev().find(|line| line.ends_with(".deb"));
        let made = made.ok_or_else(|| Error::Refused("no package was made".to_owned()))?;
        fs::copy(made, place).map(drop).map_err(Error::file("copy", made))
    })
}

fn finish(
    disk: &Path,
    settings: &Settings,
    workshop: &Workshop,
    observer: &mut dyn Observer,
) -> Result<u64, Error> {
    let Settings { output, format, machine, time, .. } = settings;
    let begun = std::time::Instant::now();
    let name = "output";
    observer.begins(name);
    match format {
        Format::Ova => {
            pack::pack(disk, machine, output, *time)?;
        }
        Format::Qcow2 => convert(disk, output, &["-c", "-O", "qcow2"], workshop)?,
        Format::Raw => convert(disk, output, &["-O", "raw"], workshop)?,
    }
    observer.done(&Done { name, took: Some(begun.elapsed()) });
    Ok(fs::metadata(output).map_err(Error::file("measure", output))?.len())
}

/// Writes a disk in another format; all of it appears at once.
fn convert(disk: &Path, target: &Path, how: &[&str], workshop: &Workshop) -> Result<(), Error> {
    let unfinished = scratch::unfinished(target);
    scratch::remove(&unfinished).map_err(Error::file("remove", &unfinished))?;
    let mut command = tools::bound(tools::QEMU_IMG.program);
    command.arg("convert").args(how).arg(disk).arg(&unfinished);
    tools::run(command, tools::QEMU_IMG.program, &workshop.log("convert"))?;
    fs::rename(&unfinished, target).map_err(Error::file("write", target))
}
