//! Logs that others write: kept from growing without end, and read from their end.
//!
//! A log that has become large is copied aside (`agent.out.1`) and begins anew as the same file, for
//! its writers have it open.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How long a log, and what was put aside of it, may become.
const LARGE: u64 = 8 << 20;

/// No answer holds more of a log than this.
const MOST: u64 = 1 << 20;
const BLOCK: u64 = 16 << 10;

/// Puts a log aside when it has become large. What is written in that very moment may be lost.
///
/// # Errors
/// When the file cannot be read or shortened; where it cannot be put aside it is shortened anyhow.
pub fn bound(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if file.metadata()?.len() <= LARGE {
        return Ok(());
    }
    // Where there is no room for a copy, there is even less for a log that grows.
    let copied = copy_end(&file, &aside(path));
    file.set_len(0)?;
    copied
}

/// A writer without bounds may have been faster than whoever looks after the log.
fn copy_end(mut file: &File, to: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LARGE)))?;
    let mut to = File::create(to)?;
    io::copy(&mut file.take(LARGE), &mut to)?;
    to.flush()
}

fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    name.into()
}

/// The last `lines` lines of a log, all of them when `None`, but never more than a mebibyte.
/// A file that does not exist (yet) is an empty log.
///
/// # Errors
/// When the file cannot be read.
pub fn tail(path: &Path, lines: Option<usize>) -> io::Result<String> {
    let mut end = end(path, MOST, lines)?;
    let missing = MOST.saturating_sub(end.len() as u64);
    if missing > 0 && lines.is_none_or(|lines| newlines(&end) < lines) {
        let mut earlier = self::end(&aside(path), missing, lines)?;
        earlier.append(&mut end);
        end = earlier;
    }
    Ok(String::from_utf8_lossy(last(&end, lines)).into_owned())
}

/// The end of one file: so many bytes at most, or enough for so many lines.
pub(crate) fn end(path: &Path, most: u64, lines: Option<usize>) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let length = file.seek(SeekFrom::End(0))?;
    let floor = length.saturating_sub(most);
    let mut end = Vec::new();
    let mut start = length;
    // From the end, until there are enough lines: a further newline shows where the first begins.
    while start > floor && lines.is_none_or(|lines| newlines(&end) <= lines) {
        let block = (start - floor).min(BLOCK);
        start -= block;
        file.seek(SeekFrom::Start(start))?;
        let mut read = Vec::new();
        Read::by_ref(&mut file).take(block).read_to_end(&mut read)?;
        read.append(&mut end);
        end = read;
    }
    Ok(end)
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

fn last(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else { return text };
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if lines == 0 {
        return &[];
    }
    let begin = body.iter().rposition({
        let mut left = lines;
        move |byte| {
            left -= usize::from(*byte == b'\n');
            left == 0
        }
    });
    begin.map_or(text, |newline| &text[newline + 1..])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_lines_are_found_whatever_the_file_ends_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(tail(&path, Some(3)).unwrap(), "");
        for (content, lines, expected) in [
            ("", Some(2), ""),
            ("a\nb\nc\n", Some(2), "b\nc\n"),
            ("a\nb\nc", Some(2), "b\nc"),
            ("a\nb\n", Some(9), "a\nb\n"),
            ("a\nb\n", None, "a\nb\n"),
            ("a\nb\n", Some(0), ""),
            ("a\n\n\n", Some(2), "\n\n"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(tail(&path, lines).unwrap(), expected, "{content:?} {lines:?}");
        }
    }

    #[test]
    fn a_large_log_is_put_aside_and_read_as_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.out");
        bound(&path).unwrap();
        let mut writer = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"small\n").unwrap();
        bound(&path).unwrap();
        assert_eq!(tail(&path, None).unwrap(), "small\n");
        let lines: String = (0..1_000_000).map(|line| format!("line {line}\n")).collect();
        writer.write_all(lines.as_bytes()).unwrap();
        bound(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert_eq!(fs::metadata(directory.path().join("agent.out.1")).unwrap().len(), LARGE);
        writer.write_all(b"new\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 4, "its writer goes on at the beginning");
        assert_eq!(tail(&path, Some(2)).unwrap(), "line 999999\nnew\n");
        assert_eq!(tail(&path, Some(1)).unwrap(), "new\n");
        assert_eq!(tail(&path, None).unwrap().len() as u64, MOST);
    }

    #[test]
    fn a_long_log_is_read_from_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let text: String = (0..300_000).map(|line| format!("line {line}\n")).collect();
        fs::write(&path, &text).unwrap();
        assert_eq!(tail(&path, Some(2)).unwrap(), "line 299998\nline 299999\n");
        assert_eq!(tail(&path, Some(5000)).unwrap().lines().count(), 5000);
        assert_eq!(tail(&path, None).unwrap().len() as u64, MOST);
    }
}
