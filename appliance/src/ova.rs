//! The archive: a POSIX tar of plain files, the descriptor first, so that whoever reads it from a
//! network knows at once what comes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tar::{Builder, EntryType, Header};

/// A file to be packed.
#[derive(Debug)]
pub struct Member<'a> {
    /// Its name in the archive.
    pub name: &'a str,
    /// Its content.
    pub content: Content<'a>,
}

/// What is in it.
#[derive(Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// What this file has.
    File(&'a Path),
}

/// The longest file that this kind of archive has.
pub const LONGEST: u64 = (8 << 30) - 1;

/// Writes an archive. Who made it and on which machine is not in it; all files are of one time, in seconds since
/// 1970.
///
/// # Errors
/// When a file cannot be read or is too long, or the archive cannot be written.
pub fn write(archive: &mut File, members: &[Member<'_>], time: u64) -> io::Result<()> {
    let mut builder = Builder::new(archive);
    for Member { name, content } in members {
        match content {
            Content::Bytes(bytes) => {
                builder.append(&header(name, bytes.len() as u64, time)?, *bytes)?;
            }
            Content::File(path) => {
                let file = File::open(path)?;
                builder.append(&header(name, file.metadata()?.len(), time)?, file)?;
            }
        }
    }
    builder.into_inner().map(drop)
}

fn header(name: &str, length: u64, time: u64) -> io::Result<Header> {
    if length > LONGEST {
        return Err(io::Error::other(format!("{name} is longer than 8 GiB")));
    }
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_cksum();
    Ok(header)
}

/// A file that is in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Its name.
    pub name: String,
    /// Its length.
    pub length: u64,
    /// Whether it is a plain file, and no link, directory or device.
    pub plain: bool,
    /// Where in the archive it begins.
    pub start: u64,
}

impl Packed {
    /// Its content.
    ///
    /// # Errors
    /// When the archive cannot be read there.
    pub fn content<'a>(&self, archive: &'a mut File) -> io::Result<impl Read + use<'a>> {
        archive.seek(SeekFrom::Start(self.start))?;
        Ok(archive.take(self.length))
    }
}

/// What is in an archive.
///
/// # Errors
/// When it is none, or ends too early.
pub fn list(archive: &mut File) -> io::Result<Vec<Packed>> {
    let end = archive.metadata()?.len();
    archive.rewind()?;
    let mut listed = vec![];
    for entry in tar::Archive::new(archive).entries_with_seek()? {
        let entry = entry?;
        let packed = Packed {
            name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            length: entry.size(),
            plain: matches!(entry.header().entry_type(), EntryType::Regular),
            start: entry.raw_file_position(),
        };
        if packed.start.saturating_add(packed.length) > end {
            let message = format!("it ends in the middle of {}", packed.name);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        listed.push(packed);
    }
    Ok(listed)
}
