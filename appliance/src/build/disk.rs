//! A disk that boots, made of Debian's packages without a device, an installer or a machine: mmdebstrap makes the
//! root file system, mke2fs puts it into the disk's only partition, and GRUB goes before it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::boot_sector::{self, PARTITION_START};
use super::recipe::{Mirrors, Project};
use super::steps::{Ingredients, Observer, Workshop};
use super::{Flavour, Settings};
use crate::scratch::remove;
use crate::{Error, tools};

/// The file system's; any, but always the same.
const FILE_SYSTEM: &str = "6e757473-6865-4c6c-8000-000000000001";
/// Where Debian's package of GRUB has its parts for a BIOS, and which package it is.
const GRUB_PARTS: &str = "/usr/lib/grub/i386-pc";
const GRUB_MODULES: [&str; 8] =
    ["biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "test", "echo"];
/// What nobody reads in a machine of this kind.
const LEFT_OUT: [&str; 3] = ["/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*"];

/// Debian as the flavour has it, as an archive: takes minutes, and is the same for every version of the project.
pub(super) fn base(
    project: &Project,
    packages: &BTreeSet<String>,
    settings: &Settings,
    workshop: &Workshop,
    observer: &mut dyn Observer,
) -> Result<PathBuf, Error> {
    let include = packages.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let provisioning = project.provisioning();
    let sources = settings.mirrors.lines();
    let ingredients = ingredients_of_base(&include, &settings.mirrors, &provisioning)?;
    workshop.step("base", "base.tar", ingredients, observer, |place| {
        let mut command = tools::bound(tools::MMDEBSTRAP.program);
        command
            .args([
                "--format=tar",
                "--variant=minbase",
                "--aptopt=APT::Install-Recommends \"false\"",
            ])
            .arg(format!("--include={include}"))
            .args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")))
            .arg(format!("--essential-hook={}", hook(&provisioning, "before-kernel", &[])))
            .arg(&settings.mirrors.suite)
            .arg(place)
            .args(sources.lines());
        run(command, workshop, "base")
    })
}

fn ingredients_of_base(
    include: &str,
    mirrors: &Mirrors,
    provisioning: &Path,
) -> Result<Ingredients, Error> {
    // Without mirrors there are no lines that name the suite.
    let mut ingredients =
        Ingredients::default().and(include).and(&mirrors.suite).and(mirrors.lines());
    for name in ["before-kernel", "initramfs-modules", "initramfs.conf"] {
        ingredients = ingredients.and_files(&provisioning.join("disk").join(name))?;
    }
    Ok(ingredients)
}

/// The disk, with what provisioning makes of it.
pub(super) fn disk(
    project: &Project,
    base: &Path,
    package: Option<&Path>,
    settings: &Settings,
    workshop: &Workshop,
    observer: &mut dyn Observer,
) -> Result<PathBuf, Error> {
    let provisioning = project.provisioning();
    let mut ingredients = Ingredients::default().and_product(base)?.and_files(&provisioning)?;
    if let Some(package) = package {
        ingredients = ingredients.and_files(package)?;
    }
    let size = settings.flavour.disk_bytes();
    let ingredients = ingredients.and(settings.time.to_string()).and(size.to_string());
    workshop.step("disk", "disk.qcow2", ingredients, observer, |place| {
        let raw = workshop.path().join("disk.raw");
        // Whatever a killed build started may still be writing to its own.
        remove(&raw).map_err(Error::file("remove", &raw))?;
        let made = (|| {
            let disk = File::create(&raw).map_err(Error::file("make", &raw))?;
            disk.set_len(size).map_err(Error::file("make", &raw))?;
            fill(&provisioning, base, package, &raw, settings, workshop)?;
            make_bootable(disk, size, &raw, workshop)?;
            let mut convert = tools::bound(tools::QEMU_IMG.program);
            convert.args(["convert", "-f", "raw", "-O", "qcow2"]).args([&raw, place]);
            tools::run(convert, tools::QEMU_IMG.program, &workshop.log("convert"))
        })();
        remove(&raw).map_err(Error::file("remove", &raw))?;
        made
    })
}

/// Puts the file system into the partition. Every step is a hook of mmdebstrap, which gives them the rights of root
/// in the file system, whoever runs it.
fn fill(
    provisioning: &Path,
    base: &Path,
    package: Option<&Path>,
    raw: &Path,
    settings: &Settings,
    workshop: &Workshop,
) -> Result<(), Error> {
    let kib = (settings.flavour.disk_bytes() - PARTITION_START) >> 10;
    let mut command = tools::bound(tools::MMDEBSTRAP.program);
    command
        .args(["--format=null", "--variant=custom", "--skip=update,setup,tar-in/mknod,cleanup"])
        .arg(format!(
            "--setup-hook=tar --extract --numeric-owner --file {} --directory \"$1\"",
            quoted(base)
        ));
    command.arg(format!(
        "--customize-hook={}",
        match (settings.flavour, package) {
            (Flavour::Lean, Some(package)) => hook(provisioning, "appliance", &[package]),
            _ => hook(provisioning, "services", &[]),
        }
    ));
    let write = hook(provisioning, "file-system", &[raw]);
    command
        .arg(format!("--customize-hook={write} {PARTITION_START} {FILE_SYSTEM} {kib}"))
        .arg(&settings.mirrors.suite)
        .arg("/dev/null")
        .args(settings.mirrors.lines().lines())
        .env("E2FSPROGS_FAKE_TIME", settings.time.max(1).to_string())
        .env("SOURCE_DATE_EPOCH", settings.time.to_string());
    run(command, workshop, "disk")
}

fn make_bootable(mut disk: File, size: u64, raw: &Path, workshop: &Workshop) -> Result<(), Error> {
    let parts = Path::new(GRUB_PARTS);
    let first = parts.join("boot.img");
    if !first.is_file() {
        let (program, package) = ("GRUB for a BIOS", "grub-pc-bin");
        return Err(Error::NoProgram { program, package });
    }
    let core = workshop.path().join("grub");
    let mut command = tools::bound(tools::GRUB_MKIMAGE.program);
    command
        .args(["--format=i386-pc", "--prefix=(hd0,msdos1)/boot/grub", "--output"])
        .arg(&core)
        .args(GRUB_MODULES);
    tools::run(command, tools::GRUB_MKIMAGE.program, &workshop.log("grub"))?;
    let read = |path: &Path| fs::read(path).map_err(Error::file("read", path));
    let bytes = boot_sector::render(&read(&first)?, &read(&core)?, size)?;
    let written = disk.write_all(&bytes).and_then(|()| disk.sync_all());
    written.map_err(Error::file("write", raw))
}

fn run(command: std::process::Command, workshop: &Workshop, step: &str) -> Result<(), Error> {
    tools::run(command, tools::MMDEBSTRAP.program, &workshop.log(step))
}

/// A script of provisioning/disk as mmdebstrap calls it: with the root file system, and more.
fn hook(provisioning: &Path, name: &str, more: &[&Path]) -> String {
    let script = quoted(&provisioning.join("disk").join(name));
    let more: String = more.iter().map(|path| format!(" {}", quoted(path))).collect();
    format!("{script} \"$1\"{more}")
}

/// As a shell reads it back.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_is_another_base_with_mirrors_and_without() {
        let provisioning = Path::new("../provisioning");
        for main in [None, Some("http://mirror.example/debian".to_owned())] {
            let of = |suite: &str| {
                let mirrors =
                    Mirrors { suite: suite.to_owned(), main: main.clone(), security: None };
                ingredients_of_base("nginx", &mirrors, provisioning).unwrap().digest()
            };
            assert_ne!(of("bookworm"), of("trixie"), "{main:?}");
            assert_eq!(of("trixie"), of("trixie"));
        }
    }
}
