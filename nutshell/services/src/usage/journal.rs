//! Measurements on disk, a line each: those of the last hour outlive the process.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use protocol::api::usage::{KEPT, Usage};
use protocol::files::{self, Access};
use time::{Duration, OffsetDateTime};

/// Nothing older counts.
const HOUR: Duration = Duration::hours(1);

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// In it; at twice as many as are kept it is written anew.
    lines: usize,
}

impl Journal {
    /// What the last process left, oldest first. Lines that make no sense are left out: whatever
    /// happened to them, the file is only for looking at.
    pub(super) fn open(path: PathBuf, now: OffsetDateTime) -> (Self, VecDeque<Usage>) {
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "earlier measurements cannot be read");
                Vec::new()
            }
        };
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let read = |line: &&[u8]| serde_json::from_slice::<Usage>(line).ok();
        let mut samples: VecDeque<Usage> =
            lines.iter().filter_map(read).filter(|sample| (now - sample.at).abs() < HOUR).collect();
        samples.drain(..samples.len().saturating_sub(KEPT));
        let is_torn = !text.is_empty() && !text.ends_with(b"\n");
        let lines = if is_torn { KEPT * 2 } else { lines.len() };
        (Self { path, lines }, samples)
    }

    /// Adds the latest of these.
    pub(super) fn append(&mut self, samples: &VecDeque<Usage>) -> io::Result<()> {
        if self.lines >= KEPT * 2 {
            let all: String = samples.iter().map(line).collect();
            files::write(&self.path, all.as_bytes(), Access::Public)?;
            self.lines = samples.len();
        } else if let Some(latest) = samples.back() {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            file.write_all(line(latest).as_bytes())?;
            self.lines += 1;
        }
        Ok(())
    }
}

fn line(usage: &Usage) -> String {
    let mut line = serde_json::to_string(usage).expect("numbers and a date are always JSON");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::tests::at;
    use super::*;

    #[test]
    fn the_last_hour_comes_back_and_the_file_stays_small() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("usage.jsonl");
        let moment = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let (mut journal, mut samples) = Journal::open(path.clone(), moment(0));
        for index in 0..2000 {
            super::super::keep(&mut samples, at(index * 15));
            journal.append(&samples).unwrap();
        }
        let now = moment(1999 * 15);
        assert_eq!(Journal::open(path.clone(), now).1, samples);
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!((KEPT..=KEPT * 2).contains(&lines), "{lines}");
        let later = Journal::open(path, now + Duration::minutes(59)).1;
        assert_eq!(
            later.into_iter().collect::<Vec<_>>(),
            [at(1996 * 15), at(1997 * 15), at(1998 * 15), at(1999 * 15)]
        );
    }

    #[test]
    fn a_torn_line_costs_itself_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("usage.jsonl");
        let now = at(30).at;
        std::fs::write(&path, line(&at(0)) + "no\n" + &line(&at(15))[..40]).unwrap();
        let (mut journal, mut samples) = Journal::open(path.clone(), now);
        assert_eq!(samples, [at(0)]);
        samples.push_back(at(30));
        journal.append(&samples).unwrap();
        samples.push_back(at(45));
        journal.append(&samples).unwrap();
        assert_eq!(Journal::open(path, now).1, samples);
    }
}
