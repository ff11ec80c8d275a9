//! The console log of a server: the end of all it printed, and what it prints just now.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::ConsoleStream;

/// How many pieces of a console someone who follows it may be behind before some are left out.
const BEHIND: usize = 1024;

/// The consoles of a backend's servers, for those who follow them.
#[derive(Debug, Default)]
pub(super) struct Consoles(Mutex<HashMap<Uuid, Arc<Live>>>);

/// A console as it is written.
#[derive(Debug)]
pub(super) struct Live {
    /// Kept as long as a piece is on its way to both the log and those who follow.
    turn: Mutex<()>,
    pieces: broadcast::Sender<Bytes>,
}

impl Consoles {
    /// That of a server, until it is forgotten.
    pub(super) fn of(&self, id: Uuid) -> Arc<Live> {
        let new =
            || Arc::new(Live { turn: Mutex::default(), pieces: broadcast::Sender::new(BEHIND) });
        Arc::clone(self.all().entry(id).or_insert_with(new))
    }

    /// Nothing more will be written: who follows it learns that.
    pub(super) fn forget(&self, id: Uuid) {
        self.all().remove(&id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines of the log, or all of it, and then all that is written: nothing is missed, and
    /// nothing is there twice.
    pub(super) fn follow(&self, log: &Path, lines: Option<usize>) -> io::Result<ConsoleStream> {
        let (before, pieces) = {
            let _turn = self.turn();
            (read(log, lines)?, self.pieces.subscribe())
        };
        let live = stream::unfold(pieces, async |mut pieces| {
            let piece = match pieces.recv().await {
                Ok(piece) => piece,
                Err(RecvError::Lagged(_)) => Bytes::from_static(b"\n[...]\n"),
                Err(RecvError::Closed) => return None,
            };
            Some((piece, pieces))
        });
        let before = stream::iter((!before.is_empty()).then(|| Bytes::from(before)));
        Ok(before.chain(live).boxed())
    }
}

/// How much is kept at least; the file may hold twice as much before its beginning is dropped.
const KEPT: u64 = 1024 * 1024;

/// Copies all that comes from a server to its log, until there is nobody left to write.
pub(super) async fn record(mut log: Log, live: Arc<Live>, mut from: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // To the page cache: quicker than to hand it to another thread. When the disk is
            // full the server goes on without its console.
            Ok(count) => {
                let piece = &buffer[..count];
                let _turn = live.turn();
                if let Err(error) = log.append(piece) {
                    tracing::warn!(%error, "failed to write a console log");
                }
                if live.pieces.receiver_count() > 0 {
                    // They may all have left just now.
                    let _ = live.pieces.send(Bytes::copy_from_slice(piece));
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

    #[tokio::test]
    async fn who_follows_sees_all_of_it_once_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.log");
        let (consoles, id) = (Consoles::default(), Uuid::new_v4());
        let (mut server, pipe) = tokio::io::duplex(64);
        let (log, live) = (Log::open(&path).unwrap(), consoles.of(id));
        let recorder = tokio::spawn(record(log, live, pipe));
        tokio::io::AsyncWriteExt::write_all(&mut server, b"one\ntwo\n").await.unwrap();
        let mut all = consoles.of(id).follow(&path, None).unwrap();
        let mut seen = vec![];
        while !seen.ends_with(b"two\n") {
            seen.extend(all.next().await.unwrap());
        }
        let mut last = consoles.of(id).follow(&path, Some(1)).unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut server, b"three\n").await.unwrap();
        drop(server);
        recorder.await.unwrap();
        consoles.forget(id);
        while let Some(piece) = all.next().await {
            seen.extend(piece);
        }
        assert_eq!(seen, b"one\ntwo\nthree\n");
        assert_eq!(last.next().await.unwrap().as_ref(), b"two\n");
        assert_eq!(last.next().await.unwrap().as_ref(), b"three\n");
        assert_eq!(last.next().await, None);
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
