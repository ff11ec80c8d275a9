//! Makes an OVA of a disk.

use std::fs;
use std::path::Path;

use crate::ova::{self, Content, Member};
use crate::ovf::{self, Disk, Machine};
use crate::scratch::Scratch;
use crate::{Error, manifest, vmdk};

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The size of the file.
    pub bytes: u64,
    /// How much disk the machine sees.
    pub capacity_bytes: u64,
}

/// Packs a disk, in any format that `qemu-img` reads, as a machine. All of it appears under the target's name at once, or
/// nothing does. The same disk, machine and time (seconds since 1970) make the same bytes.
///
/// # Errors
/// When the disk cannot be read or is not one, the target cannot be written, or `qemu-img` is missing.
pub fn pack(disk: &Path, machine: &Machine, target: &Path, time: u64) -> Result<Packed, Error> {
    let stem = file_stem(machine)?;
    let scratch = Scratch::of(target)?;

    // The name is in the disk too: it must be the one that it has in the archive.
    let file_name = format!("{stem}-disk1.vmdk");
    let converted = scratch.path().join(&file_name);
    let header = vmdk::convert(disk, &converted)?;
    let read = |path: &Path| fs::File::open(path).map_err(Error::file("open", path));
    let file_bytes = fs::metadata(&converted).map_err(Error::file("measure", &converted))?.len();
    let disk_digest =
        manifest::digest(read(&converted)?).map_err(Error::file("read", &converted))?;

    let disk = Disk { file_name, file_bytes, capacity_bytes: header.capacity_bytes };
    let descriptor = ovf::render(machine, &disk);
    let descriptor_name = format!("{stem}.ovf");
    let descriptor_digest =
        manifest::digest(descriptor.as_bytes()).map_err(Error::file("digest", &descriptor_name))?;
    let digests =
        manifest::render(&[(&descriptor_name, descriptor_digest), (&disk.file_name, disk_digest)]);

    let members = [
        Member { name: &descriptor_name, content: Content::Bytes(descriptor.as_bytes()) },
        Member { name: &format!("{stem}.mf"), content: Content::Bytes(digests.as_bytes()) },
        Member { name: &disk.file_name, content: Content::File(&converted) },
    ];
    let archive = scratch.path().join("archive");
    let written = Error::file("write", target);
    let bytes = (|| {
        let mut file = fs::File::create(&archive)?;
        ova::write(&mut file, &members, time)?;
        file.sync_all()?;
        fs::rename(&archive, target)?;
        Ok(file.metadata()?.len())
    })();
    Ok(Packed { bytes: bytes.map_err(written)?, capacity_bytes: disk.capacity_bytes })
}

/// What the files in the archive are called after: the machine's name, where it can be one.
fn file_stem(machine: &Machine) -> Result<&str, Error> {
    let name = machine.name.as_str();
    let fits = |it: char| it.is_ascii_alphanumeric() || "-._".contains(it);
    if name.is_empty() || name.len() > 60 || name.starts_with(['.', '-']) || !name.chars().all(fits)
    {
        return Err(Error::Refused(format!(
            "`{name}` cannot name a machine: use up to 60 letters, digits, dots, hyphens and underscores"
        )));
    }
    Ok(name)
}
