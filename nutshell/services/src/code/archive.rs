//! Archives of code: recognised by their content, looked through without unpacking, unpacked.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use protocol::ApiError;
use tar::EntryType;
use zip::ZipArchive;
use zip::result::ZipError;

use super::contents::{Contents, Tops, unwrapped};
use super::entry::{Kind, Refusal, Rules, inside};
use super::meter::Meter;

/// What `tar` may read, and keep in memory, to get to an entry: its header and all that extends
/// it, as long names do.
const LONGEST_HEAD: u64 = 64 << 10;
/// What an entry may take beside its content, on average.
const ENTRY: u64 = 4 << 10;

/// What an archive may unpack to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Number of entries.
    pub entries: u64,
    /// Bytes in all files together.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 50_000, bytes: 1 << 30 }
    }
}

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Its content is of no known form.
    #[error("not a tar or zip archive")]
    NotAnArchive,
    /// There is nothing in it.
    #[error("an empty archive")]
    Empty,
    /// It begins as an archive and does not go on as one.
    #[error("a damaged archive")]
    Damaged(#[source] io::Error),
    /// A zip archive with a password or an unusual compression.
    #[error("a zip archive of an unusual form")]
    Unusual,
    /// An entry would be written, or lead, outside.
    #[error("an unsafe archive: `{entry}` {}", why.as_str())]
    Unsafe {
        /// The entry's path in the archive.
        entry: String,
        /// What is wrong with it.
        why: Why,
    },
    /// It holds more entries or more bytes than allowed.
    #[error("an archive that unpacks to too much")]
    TooMuch(Limits),
    /// The file itself or what is unpacked cannot be read or written.
    #[error("failed to read the archive or to write what it holds")]
    File(#[source] io::Error),
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why(Refusal);

impl Why {
    fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

impl ArchiveError {
    /// What to tell the user who sent the file under this name.
    #[must_use]
    pub fn refusal(&self, name: &str) -> ApiError {
        match self {
            Self::NotAnArchive => {
                ApiError::invalid(format!("`{name}` is not a tar or zip archive"))
                    .hint("tar, tar.gz, tar.bz2 and zip are understood")
            }
            Self::Empty => ApiError::invalid(format!("`{name}` is empty")),
            Self::Damaged(_) => ApiError::invalid(format!("`{name}` is damaged"))
                .hint("make the archive again, or upload it again if it is whole"),
            Self::Unusual => ApiError::invalid(format!(
                "`{name}` is encrypted or compressed in an unusual way; use plain deflate"
            )),
            Self::Unsafe { entry, why } => {
                ApiError::invalid(format!("`{name}` is refused: `{entry}` {}", why.as_str()))
            }
            Self::TooMuch(limits) => ApiError::invalid(format!(
                "`{name}` unpacks to more than {} MiB or {} entries",
                limits.bytes >> 20,
                limits.entries
            )),
            Self::File(error) => {
                tracing::error!(%error, "failed to look through an archive");
                ApiError::internal()
            }
        }
    }
}

/// The forms an archive can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Tar,
    Gzip,
    Bzip2,
    Zip,
}

/// Tells the form from the first 512 bytes.
fn recognise(head: &[u8]) -> Option<Form> {
    match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Form::Zip),
        [0x1f, 0x8b, ..] => Some(Form::Gzip),
        [b'B', b'Z', b'h', ..] => Some(Form::Bzip2),
        _ if is_tar(head) => Some(Form::Tar),
        _ => None,
    }
}

/// A tar header, or the zero block that ends (and here begins) an empty tar.
fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<512>() else { return false };
    let header = tar::Header::from_byte_slice(block);
    let sum = |range: &[u8]| range.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    // The checksum counts its own field as spaces.
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    block.iter().all(|byte| *byte == 0) || header.cksum().is_ok_and(|cksum| cksum == expected)
}

/// Looks through all of an archive without unpacking it, and says what it would unpack to.
///
/// # Errors
/// When it is not an archive, is damaged or unsafe.
pub fn check(path: &Path, limits: Limits) -> Result<Contents, ArchiveError> {
    let mut tops = Tops::default();
    let mut note = |path: &Path, kind: &Kind, _| -> io::Result<Box<dyn Write>> {
        tops.note(path, matches!(kind, Kind::File | Kind::HardLink(_)));
        Ok(Box::new(io::sink()))
    };
    walk(path, limits, None, &mut note)?;
    let contents = tops.contents();
    if let Some(wrapper) = &contents.wrapper {
        // What stays inside the archive may still leave the directory that is unpacked.
        walk(path, limits, Some(wrapper), &mut |_, _, _| Ok(Box::new(io::sink())))?;
    }
    Ok(contents)
}

/// Unpacks an archive that was looked through into an empty directory.
///
/// # Errors
/// When it is not an archive, is damaged or unsafe, or cannot be written.
pub fn unpack(path: &Path, contents: &Contents, into: &Path) -> Result<(), ArchiveError> {
    let mut taker = |entry: &Path, kind: &Kind, mode| write(&into.join(entry), into, kind, mode);
    walk(path, Limits::default(), contents.wrapper.as_deref(), &mut taker)
}

fn write(path: &Path, into: &Path, kind: &Kind, mode: u32) -> io::Result<Box<dyn Write>> {
    if let Kind::Directory = kind {
        fs::create_dir_all(path)?;
        return Ok(Box::new(io::sink()));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match kind {
        Kind::Symlink(target) => symlink(target, path)?,
        Kind::HardLink(target) => {
            fs::hard_link(into.join(inside(target).unwrap_or_default()), path)?;
        }
        Kind::Directory | Kind::File | Kind::Special => {
            let mode = (mode & 0o777) | 0o600;
            let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
            return Ok(Box::new(file));
        }
    }
    Ok(Box::new(io::sink()))
}

/// Takes each entry: its path, kind and mode; gives back where its content goes.
type Taker<'a> = &'a mut dyn FnMut(&Path, &Kind, u32) -> io::Result<Box<dyn Write>>;

fn walk(
    path: &Path,
    limits: Limits,
    wrapper: Option<&Path>,
    taker: Taker<'_>,
) -> Result<(), ArchiveError> {
    let mut file = File::open(path).map_err(ArchiveError::File)?;
    let mut head = Vec::with_capacity(512);
    Read::by_ref(&mut file).take(512).read_to_end(&mut head).map_err(ArchiveError::File)?;
    if head.is_empty() {
        return Err(ArchiveError::Empty);
    }
    let form = recognise(&head).ok_or(ArchiveError::NotAnArchive)?;
    file.rewind().map_err(ArchiveError::File)?;
    let rules = Rules::default();
    let mut walk = Walk { rules, wrapper, limits, left: limits, some: false, taker };
    match form {
        Form::Tar => walk.tar(BufReader::new(file))?,
        Form::Gzip => walk.compressed(MultiGzDecoder::new(BufReader::new(file)))?,
        Form::Bzip2 => walk.compressed(MultiBzDecoder::new(BufReader::new(file)))?,
        Form::Zip => walk.zip(file)?,
    }
    if walk.some { Ok(()) } else { Err(ArchiveError::Empty) }
}

struct Walk<'a> {
    rules: Rules,
    wrapper: Option<&'a Path>,
    limits: Limits,
    left: Limits,
    /// Whether there was anything but directories.
    some: bool,
    taker: Taker<'a>,
}

impl Walk<'_> {
    /// A compressed file that holds no tar is no archive; one that breaks off is damaged.
    fn compressed(&mut self, mut content: impl Read) -> Result<(), ArchiveError> {
        let mut head = Vec::with_capacity(512);
        Read::by_ref(&mut content).take(512).read_to_end(&mut head).map_err(damaged)?;
        if head.is_empty() {
            return Err(ArchiveError::Empty);
        }
        if !is_tar(&head) {
            return Err(ArchiveError::NotAnArchive);
        }
        self.tar(head.as_slice().chain(content))
    }

    fn tar(&mut self, content: impl Read) -> Result<(), ArchiveError> {
        let Limits { entries, bytes } = self.limits;
        let meter = Meter::new(bytes.saturating_add(entries.saturating_mul(ENTRY)));
        let walked = self.tar_entries(&meter, content);
        if meter.is_exceeded() { Err(ArchiveError::TooMuch(self.limits)) } else { walked }
    }

    fn tar_entries(&mut self, meter: &Meter, content: impl Read) -> Result<(), ArchiveError> {
        let mut archive = tar::Archive::new(meter.reader(content));
        let mut entries = archive.entries().map_err(damaged)?;
        while let Some(entry) = meter.at_most(LONGEST_HEAD, || entries.next()) {
            let mut entry = entry.map_err(damaged)?;
            let header = entry.header();
            let target = || {
                let target = entry.link_name_bytes().unwrap_or_default();
                PathBuf::from(OsStr::from_bytes(&target))
            };
            let kind = match header.entry_type() {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
                EntryType::Directory => Kind::Directory,
                EntryType::Symlink => Kind::Symlink(target()),
                EntryType::Link => Kind::HardLink(target()),
                EntryType::XGlobalHeader => {
                    self.count_entry()?;
                    self.copy(&mut entry, &mut io::sink())?;
                    continue;
                }
                _ => Kind::Special,
            };
            let mode = header.mode().unwrap_or(0o644);
            let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
            let size = entry.size();
            self.take(&path, &kind, mode, size, &mut entry)?;
        }
        // What follows the end mark is padding; reading it verifies the checksum of a compressed one.
        let rest = io::copy(&mut archive.into_inner().take(self.left.bytes), &mut io::sink());
        rest.map(|_| ()).map_err(damaged)
    }

    fn zip(&mut self, mut file: File) -> Result<(), ArchiveError> {
        // Before the directory is read into memory.
        let entries = zip_entries(&mut file)
            .map_err(ArchiveError::File)?
            .ok_or_else(|| damaged(io::ErrorKind::UnexpectedEof.into()))?;
        // The largest number stands for "see the 64-bit record".
        if u64::from(entries) > self.limits.entries || entries == u16::MAX {
            return Err(ArchiveError::TooMuch(self.limits));
        }
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(zip_error)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(zip_error)?;
            let path = PathBuf::from(entry.name());
            let mode = entry.unix_mode().unwrap_or(0o644);
            let size = entry.size();
            let kind = if entry.is_dir() {
                Kind::Directory
            } else if entry.is_symlink() {
                let mut target = Vec::new();
                Read::by_ref(&mut entry).take(4096).read_to_end(&mut target).map_err(damaged)?;
                Kind::Symlink(PathBuf::from(OsStr::from_bytes(&target)))
            } else {
                match mode & 0o170_000 {
                    0 | 0o100_000 => Kind::File,
                    _ => Kind::Special,
                }
            };
            self.take(&path, &kind, mode, size, &mut entry)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        path: &Path,
        kind: &Kind,
        mode: u32,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        self.count_entry()?;
        let kind = &match kind {
            Kind::HardLink(target) => Kind::HardLink(unwrapped(target, self.wrapper)),
            other => other.clone(),
        };
        let admitted = self.rules.admit(&unwrapped(path, self.wrapper), kind);
        let admitted = admitted.map_err(|why| ArchiveError::Unsafe {
            entry: path.display().to_string(),
            why: Why(why),
        })?;
        let mut target: Box<dyn Write> = match admitted {
            Some(path) => {
                self.some |= *kind != Kind::Directory;
                (self.taker)(&path, kind, mode).map_err(ArchiveError::File)?
            }
            None => Box::new(io::sink()),
        };
        // Only files should have a content; that of others goes nowhere, and counts.
        let read = self.copy(content, &mut target)?;
        if read == size || *kind != Kind::File {
            return Ok(());
        }
        Err(ArchiveError::Damaged(io::ErrorKind::UnexpectedEof.into()))
    }

    fn count_entry(&mut self) -> Result<(), ArchiveError> {
        let left = self.left.entries.checked_sub(1);
        self.left.entries = left.ok_or(ArchiveError::TooMuch(self.limits))?;
        Ok(())
    }

    /// Copies the content of an entry and says how long it was.
    fn copy(
        &mut self,
        content: &mut dyn Read,
        target: &mut dyn Write,
    ) -> Result<u64, ArchiveError> {
        let mut read = 0;
        let mut buffer = [0; 16 << 10];
        loop {
            let count = content.read(&mut buffer).map_err(damaged)?;
            if count == 0 {
                break;
            }
            read += count as u64;
            if read > self.left.bytes {
                return Err(ArchiveError::TooMuch(self.limits));
            }
            target.write_all(&buffer[..count]).map_err(ArchiveError::File)?;
        }
        self.left.bytes -= read;
        Ok(read)
    }
}

fn damaged(error: io::Error) -> ArchiveError {
    ArchiveError::Damaged(error)
}

fn zip_error(error: ZipError) -> ArchiveError {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => ArchiveError::Unusual,
        other => ArchiveError::Damaged(io::Error::other(other)),
    }
}

/// How many entries the end record counts; `None` without such a record.
fn zip_entries(file: &mut File) -> io::Result<Option<u16>> {
    const RECORD: usize = 22;
    const LONGEST_COMMENT: u64 = 65_535;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_COMMENT + RECORD as u64)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    file.rewind()?;
    let record = end.windows(RECORD).rev().find(|record| record.starts_with(b"PK\x05\x06"));
    Ok(record.map(|record| u16::from_le_bytes([record[10], record[11]])))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
