//! Packer: the disk boots, is provisioned once more by SSH, as it would be anywhere, and shuts down.

use std::fs;
use std::path::{Path, PathBuf};

use super::Settings;
use super::recipe::Project;
use super::room::MACHINE_MIB;
use super::steps::{Ingredients, Observer, Workshop};
use crate::accelerator::Accelerator;
use crate::scratch::remove;
use crate::{Error, tools};

/// The disk of the machine that packer made of a disk.
pub(super) fn machine(
    project: &Project,
    disk: &Path,
    package: &Path,
    settings: &Settings,
    workshop: &Workshop,
    observer: &mut dyn Observer,
) -> Result<PathBuf, Error> {
    let ingredients = Ingredients::default().and_product(disk)?.and_files(&project.packer())?;
    workshop.step("machine", "machine.qcow2", ingredients, observer, |place| {
        let accelerator = match settings.accelerator {
            Some(accelerator) => accelerator,
            None => Accelerator::find()?,
        };
        let directory = workshop.path().join("machine");
        let clean = || remove(&directory).map_err(Error::file("remove", &directory));
        // Packer makes it, and refuses one that is there.
        clean()?;
        let variable = |name: &str, value: &str| format!("-var={name}={value}");
        let mut command = tools::bound(tools::PACKER.program);
        command
            .args(["build", "-color=false", "-only=qemu.lean"])
            .arg(variable("disk", &disk.to_string_lossy()))
            .arg(variable("package", &package.to_string_lossy()))
            .arg(variable("output", &directory.to_string_lossy()))
            .arg(variable("accelerator", accelerator.name()))
            .arg(variable("memory", &MACHINE_MIB.to_string()))
            .arg(project.packer())
            .env("PACKER_CACHE_DIR", workshop.path().join("packer-cache"))
            .env("CHECKPOINT_DISABLE", "1");
        tools::run(command, tools::PACKER.program, &workshop.log("machine"))?;
        let made = directory.join("machine.qcow2");
        fs::rename(&made, place).map_err(Error::file("keep", &made))?;
        clean()
    })
}
