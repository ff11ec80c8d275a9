//! Disks in the form that is made for transport: VMware's stream-optimised VMDK, compressed piece by
//! piece, empty pieces left out (*Virtual Disk Format 5.0*, VMware 2011). `qemu-img` writes it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;
use crate::tools::{QEMU_IMG, bound, require};

const SECTOR: u64 = 512;
const MAGIC: &[u8; 4] = b"KDMV";
/// Line ends as they are before anybody takes the file for text.
const LINE_ENDS: &[u8; 4] = b"\n \r\n";
const COMPRESSED: u32 = 1 << 16;
const MARKED: u32 = 1 << 17;
const DEFLATE: u16 = 1;
/// What no disk's description comes near.
const LONGEST_DESCRIPTION: u64 = 1 << 20;

/// The first sector of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// How much a machine sees.
    pub capacity_bytes: u64,
    /// Whether it is made for transport.
    pub stream_optimised: bool,
    description: std::ops::Range<u64>,
    /// Where the pieces begin, after all tables.
    overhead: u64,
}

impl Header {
    /// Reads it; the error is in words.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(mut from: impl Read) -> Result<Self, String> {
        let mut sector = [0; SECTOR as usize];
        from.read_exact(&mut sector).map_err(|_| "it is shorter than a header".to_owned())?;
        let long = |at: usize| u64::from_le_bytes(array(&sector, at));
        if sector[..4] != *MAGIC {
            return Err("it is no sparse VMDK".to_owned());
        }
        if sector[73..77] != *LINE_ENDS {
            return Err("its line ends were changed: it was copied as a text".to_owned());
        }
        let version = u32::from_le_bytes(array(&sector, 4));
        if !(1..=3).contains(&version) {
            return Err(format!("its version is {version}, which nobody knows"));
        }
        let flags = u32::from_le_bytes(array(&sector, 8));
        let compression = u16::from_le_bytes(array(&sector, 77));
        let bytes = |sectors: u64| {
            sectors.checked_mul(SECTOR).ok_or("its header names impossible sizes".to_owned())
        };
        let start = bytes(long(28))?;
        let length = bytes(long(36))?.min(LONGEST_DESCRIPTION);
        Ok(Self {
            capacity_bytes: bytes(long(12))?,
            stream_optimised: flags & (COMPRESSED | MARKED) == COMPRESSED | MARKED
                && compression == DEFLATE,
            description: start..start.saturating_add(length),
            overhead: bytes(long(64))?,
        })
    }
}

fn array<const N: usize>(sector: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&sector[at..at + N]);
    array
}

/// Writes a disk of any format that `qemu-img` knows in the one for transport. The same content and the same file
/// name make the same bytes.
///
/// # Errors
/// When `qemu-img` is missing or fails; then there may be half a file.
pub fn convert(disk: &Path, target: &Path) -> Result<Header, Error> {
    let options = ["convert", "-O", "vmdk", "-o", "subformat=streamOptimized"];
    require(&[QEMU_IMG])?;
    let output = bound(QEMU_IMG.program).args(options).args([disk, target]).output();
    let output = output.map_err(Error::file("run qemu-img on", disk))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let complaint = said.lines().next().unwrap_or("it said nothing").to_owned();
        return Err(Error::Program { program: QEMU_IMG.program, path: disk.to_owned(), complaint });
    }
    identify(disk, target)
}

/// Replaces the number by which versions of a disk are told apart, which `qemu-img` makes of the time, by one that
/// follows from the content.
fn identify(source: &Path, disk: &Path) -> Result<Header, Error> {
    let mut file =
        File::options().read(true).write(true).open(disk).map_err(Error::file("open", disk))?;
    let header = Header::read(&mut file)
        .map_err(|reason| Error::NotADisk { path: disk.to_owned(), reason })?;
    let length = file.metadata().map_err(Error::file("measure", disk))?.len();
    if length <= header.overhead {
        // VirtualBox does not take one, and nobody would want it.
        return Err(Error::NotADisk { path: source.to_owned(), reason: "it is empty".to_owned() });
    }
    describe_anew(&mut file, &header).map_err(Error::file("describe", disk))?;
    Ok(header)
}

fn describe_anew(file: &mut File, header: &Header) -> io::Result<()> {
    let std::ops::Range { start, end } = header.description;
    file.seek(SeekFrom::Start(end))?;
    let mut content = Sha256::new();
    io::copy(file, &mut content)?;
    let digest = content.finalize();
    file.seek(SeekFrom::Start(start))?;
    let mut description = vec![];
    Read::by_ref(file).take(end - start).read_to_end(&mut description)?;
    let text = String::from_utf8_lossy(&description).trim_end_matches('\0').to_owned();
    let lines = text.lines().map(|line| match line.starts_with("CID=") {
        true => format!("CID={:08x}\n", u32::from_be_bytes(array(&digest, 0))),
        false => format!("{line}\n"),
    });
    let mut anew = lines.collect::<String>().into_bytes();
    if anew.len() > description.len() {
        return Err(io::Error::other("its description has no room for the number"));
    }
    anew.resize(description.len(), 0);
    file.seek(SeekFrom::Start(start))?;
    file.write_all(&anew)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut sector = vec![0; 512];
        sector[..4].copy_from_slice(MAGIC);
        sector[4] = 3;
        sector[8..12].copy_from_slice(&(COMPRESSED | MARKED | 3).to_le_bytes());
        sector[12..20].copy_from_slice(&2048_u64.to_le_bytes());
        sector[28..36].copy_from_slice(&1_u64.to_le_bytes());
        sector[36..44].copy_from_slice(&20_u64.to_le_bytes());
        sector[73..77].copy_from_slice(LINE_ENDS);
        sector[77] = 1;
        sector
    }

    #[test]
    fn a_header_tells_size_and_kind() {
        let read = Header::read(header().as_slice()).unwrap();
        assert_eq!((read.capacity_bytes, read.stream_optimised), (1 << 20, true));
        assert_eq!(read.description, 512..512 * 21);
        let mut plain = header();
        plain[10] = 0;
        assert!(!Header::read(plain.as_slice()).unwrap().stream_optimised);
    }

    #[test]
    fn what_is_no_disk_is_told_in_words() {
        let broken = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut sector = header();
            change(&mut sector);
            Header::read(sector.as_slice()).unwrap_err()
        };
        assert!(broken(&|it| it.truncate(100)).contains("shorter"));
        assert!(broken(&|it| it[0] = 0).contains("no sparse VMDK"));
        assert!(broken(&|it| it[75] = b'\n').contains("as a text"));
        assert!(broken(&|it| it[4] = 9).contains("version is 9"));
        assert!(broken(&|it| it[12..20].fill(0xff)).contains("impossible"));
    }
}
