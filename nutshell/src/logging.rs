//! Where the parts of a process leave their logs. `NUTSHELL_LOG` says how much: `info`, `debug`, …

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A log that would become larger becomes the previous log.
const LARGE: u64 = 10 << 20;

/// The parts of a stack that have a log of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Nutshell,
    FakeCloud,
    Director,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Nutshell, Self::FakeCloud, Self::Director];

    /// Its name, as users know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nutshell => "nutshell",
            Self::FakeCloud => "fake-cloud",
            Self::Director => "director",
        }
    }

    /// Its log.
    pub(crate) fn log(self, logs: &Path) -> PathBuf {
        logs.join(format!("{}.log", self.name()))
    }

    /// The part that the code with this target belongs to.
    fn of(target: &str) -> Self {
        match target.split("::").next().unwrap_or_default() {
            "fake_cloud" => Self::FakeCloud,
            "director" | "cloud" | "frontend" | "services" => Self::Director,
            _ => Self::Nutshell,
        }
    }
}

/// A log could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the log {}", path.display())]
pub(crate) struct LogError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl crate::diagnostics::Advice for LogError {}

/// Sends what the parts of a stack say to their logs.
pub(crate) fn to_parts(logs: &Path) -> Result<(), LogError> {
    let level = level();
    let mut layers = Vec::new();
    for part in Part::ALL {
        let ours = move |metadata: &Metadata<'_>| {
            Part::of(metadata.target()) == part && wanted(metadata, level)
        };
        let file = Mutex::new(open(&part.log(logs))?);
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file);
        layers.push(layer.with_filter(filter_fn(ours)));
    }
    // Whoever made a subscriber before, as tests do, keeps it.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(())
}

/// Sends everything to stderr: whoever started the process keeps it.
pub(crate) fn to_stderr() {
    to(io::stderr);
}

/// Sends everything to a log.
pub(crate) fn to_file(path: &Path) -> Result<(), LogError> {
    to(Mutex::new(open(path)?));
    Ok(())
}

fn to<W>(writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = level();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let layer = layer.with_filter(filter_fn(move |metadata| wanted(metadata, level)));
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Our own code is heard from the level on, other people's when something is wrong.
fn wanted(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    let ours = ["nutshell", "fake_cloud", "director", "cloud", "frontend", "services", "manager"];
    let krate = metadata.target().split("::").next().unwrap_or_default();
    let ours = ours.contains(&krate) || matches!(krate, "agent" | "protocol");
    *metadata.level() <= level && (ours || *metadata.level() <= Level::WARN)
}

fn level() -> LevelFilter {
    std::env::var("NUTSHELL_LOG")
        .ok()
        .filter(|level| !level.is_empty())
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
}

fn open(path: &Path) -> Result<Log, LogError> {
    let failed = |source| LogError { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    Ok(Log { path: path.to_owned(), file })
}

/// A log that does not grow without end: before it becomes too large it is copied aside, in place
/// of the copy before, and begins anew. It stays the same file, for stderr may go there too.
struct Log {
    path: PathBuf,
    file: File,
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let written = self.file.metadata()?.len();
        if written > 0 && written.saturating_add(length) > LARGE {
            // Where there is no room for a copy, there is even less for a log that grows.
            let _ = std::fs::copy(&self.path, self.path.with_extension("log.1"));
            self.file.set_len(0)?;
        }
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_belongs_to_a_part() {
        assert_eq!(Part::of("fake_cloud::openstack"), Part::FakeCloud);
        assert_eq!(Part::of("director::app::service"), Part::Director);
        assert_eq!(Part::of("cloud::openstack"), Part::Director);
        assert_eq!(Part::of("nutshell::stack"), Part::Nutshell);
        assert_eq!(Part::of("sqlx::query"), Part::Nutshell);
    }

    #[test]
    fn a_log_is_put_aside_before_it_becomes_too_large() {
        let directory = tempfile::tempdir().unwrap();
        let path = Part::Director.log(directory.path());
        let mut log = open(&path).unwrap();
        log.write_all(b"first\n").unwrap();
        log.write_all(b"second\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first\nsecond\n");
        log.file.set_len(LARGE - 1).unwrap();
        log.write_all(b"third\n").unwrap();
        log.write_all(b"fourth\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"third\nfourth\n");
        let aside = std::fs::read(directory.path().join("director.log.1")).unwrap();
        assert!(aside.starts_with(b"first\nsecond\n"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
