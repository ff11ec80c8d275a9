//! What autoscaling must not forget: `<cache>/autoscaling/<id>.jsonl`. Its first line holds what was
//! known when it was begun, each further one what came since.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use protocol::api::autoscaling::Decision;
use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};
use services::web::autoscaling::{History, Measurement};

/// The decisions that are kept.
const DECISIONS: usize = 300;
/// With so many lines the file is begun anew.
const LINES: usize = 500;

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) history: History,
    /// Oldest first.
    pub(crate) decisions: VecDeque<Decision>,
    /// How many seconds the latest new nodes took until they served.
    pub(crate) boot: Option<f64>,
}

/// What there is to remember.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    Measured(Measurement),
    Decided(Decision),
    /// The latest decision could not be carried out.
    Failed(String),
    /// New nodes serve, after so many seconds.
    Grown(f64),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Known(Memory),
    News(News),
}

impl Memory {
    fn learn(&mut self, news: News) {
        match news {
            News::Measured(measurement) => self.history.add(measurement),
            News::Decided(decision) => {
                self.decisions.push_back(decision);
                while self.decisions.len() > DECISIONS {
                    self.decisions.pop_front();
                }
            }
            News::Failed(reason) => {
                if let Some(last) = self.decisions.back_mut() {
                    last.failure = Some(reason);
                }
            }
            News::Grown(seconds) => self.boot = Some(seconds),
        }
    }
}

/// The memory and its file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    lines: usize,
    pub(crate) memory: Memory,
}

impl Journal {
    /// What the last manager left. Lines that make no sense are left out: who begins with less decides
    /// with more care.
    pub(crate) fn open(path: PathBuf) -> Self {
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    tracing::warn!(%error, "what autoscaling knew cannot be read");
                }
                Vec::new()
            }
        };
        let mut memory = Memory::default();
        let mut lines = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            match serde_json::from_slice(line) {
                Ok(Line::Known(known)) => memory = known,
                Ok(Line::News(news)) => memory.learn(news),
                Err(error) => tracing::warn!(%error, "a line of autoscaling's journal is lost"),
            }
        }
        // Nothing is added to a line that was torn.
        let is_whole = text.ends_with(b"\n");
        Self { path, lines: if is_whole { lines } else { LINES }, memory }
    }

    /// Remembers, and writes it down.
    pub(crate) fn add(&mut self, news: News) {
        let line = Line::News(news);
        let written = self.append(&line);
        if let Line::News(news) = line {
            self.memory.learn(news);
        }
        let kept = match written {
            Ok(true) => Ok(()),
            Ok(false) => self.begin_anew(),
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "what autoscaling knows is not kept on disk");
        }
    }

    /// Whether there was room for the line.
    fn append(&mut self, line: &Line) -> io::Result<bool> {
        if self.lines >= LINES {
            return Ok(false);
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&text(line))?;
        self.lines += 1;
        Ok(true)
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let known = Line::Known(self.memory.clone());
        files::write(&self.path, &text(&known), Access::Public)?;
        self.lines = 1;
        Ok(())
    }
}

fn text(line: &Line) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("numbers, words and dates are always JSON");
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::api::autoscaling::Action;
    use time::{Duration, OffsetDateTime};

    use super::*;

    fn measured(minute: i64) -> News {
        News::Measured(Measurement {
            at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute),
            requests_per_second: minute as f64,
            response: None,
            backends: BTreeMap::new(),
            nodes: BTreeMap::new(),
        })
    }

    fn decided(minute: i64) -> News {
        News::Decided(Decision {
            at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute),
            action: Action::Hold,
            weights: BTreeMap::new(),
            reason: minute.to_string(),
            forecast: None,
            failure: None,
        })
    }

    #[test]
    fn days_are_remembered_in_a_small_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.jsonl");
        let mut journal = Journal::open(path.clone());
        for minute in 0..4000 {
            journal.add(measured(minute));
            journal.add(decided(minute));
        }
        journal.add(News::Failed("the pool is empty".to_owned()));
        journal.add(News::Grown(7.5));
        let again = Journal::open(path.clone());
        assert_eq!(again.memory, journal.memory);
        assert_eq!(again.memory.decisions.len(), DECISIONS);
        let last = again.memory.decisions.back().unwrap();
        assert_eq!(last.failure.as_deref(), Some("the pool is empty"));
        assert_eq!(again.memory.boot, Some(7.5));
        assert!(std::fs::metadata(&path).unwrap().len() < 300_000);
    }

    #[test]
    fn a_torn_line_costs_itself_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.jsonl");
        let mut journal = Journal::open(path.clone());
        journal.add(measured(1));
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(&text(&Line::News(measured(2)))[..20]);
        std::fs::write(&path, torn).unwrap();
        let mut again = Journal::open(path.clone());
        assert_eq!(again.memory, journal.memory);
        again.add(measured(3));
        again.add(decided(4));
        assert_eq!(Journal::open(path).memory, again.memory);
    }
}
