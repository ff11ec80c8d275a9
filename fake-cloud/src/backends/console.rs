//! The console log of a server: the end of all it printed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much is kept at least; the file may hold twice as much before its beginning is dropped.
const KEPT: u64 = 1024 * 1024;

/// Copies all that comes from a server to its log, until there is nobody left to write.
pub(super) async fn record(mut log: Log, mut from: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // To the page cache: quicker than to hand it to another thread. When the disk is
            // full the server goes on without its console.
            Ok(count) => {
                if let Err(error) = log.append(&buffer[..count]) {
                    tracing::warn!(%error, "failed to write a console log");
                }
            }
        }
    }
}

/// The file; what is appended to it is bounded.
pub(super) struct Log {
    file: File,
    length: u64,
    kept: u64,
}

impl Log {
    /// Opens the log, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::keeping(path, KEPT)
    }

    fn keeping(path: &Path, kept: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length, kept })
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.write_all_at(text, self.length)?;
        self.length += text.len() as u64;
        if self.length > 2 * self.kept {
            self.drop_beginning()?;
        }
        Ok(())
    }

    fn drop_beginning(&mut self) -> io::Result<()> {
        let mut end = vec![0; usize::try_from(self.kept).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut end, self.length - self.kept)?;
        // From the first whole line.
        let start = end.iter().position(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let end = &end[start..];
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(end)?;
        self.length = end.len() as u64;
        self.file.set_len(self.length)
    }
}

/// The last lines of the log, or all of it; empty when there is none.
pub(super) fn read(path: &Path, lines: Option<usize>) -> io::Result<String> {
    let mut text = vec![];
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(match lines {
        Some(lines) => last_lines(&text, lines).to_owned(),
        None => text,
    })
}

fn last_lines(text: &str, lines: usize) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = match lines {
        0 => text.len(),
        _ => body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(newline, _)| newline + 1),
    };
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole() {
        for (text, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\n", 0, ""),
            ("", 3, ""),
        ] {
            assert_eq!(last_lines(text, lines), expected, "{text:?} {lines}");
        }
    }

    #[test]
    fn a_long_log_loses_its_beginning_and_a_restart_appends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.log");
        let mut log = Log::keeping(&path, 100).unwrap();
        for number in 0..50 {
            log.append(format!("line {number}\n").as_bytes()).unwrap();
        }
        drop(log);
        Log::keeping(&path, 100).unwrap().append(b"again\n").unwrap();

        let text = read(&path, None).unwrap();
        assert!(text.starts_with("line ") && text.ends_with("line 49\nagain\n"), "{text}");
        assert!(text.len() <= 206);
        assert_eq!(read(&directory.path().join("none"), None).unwrap(), "");
    }
}
