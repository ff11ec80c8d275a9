//! Where the parts of a process leave their logs. `NUTSHELL_LOG` says how much: `info`, `debug`, …

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A log that is larger when a process starts becomes the previous log.
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

/// Sends everything to stderr, and to a log where one is given.
pub(crate) fn to_stderr(log: Option<&Path>) -> Result<(), LogError> {
    let level = level();
    let filter = move || filter_fn(move |metadata: &Metadata<'_>| wanted(metadata, level));
    let stderr = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(io::stderr);
    let file = match log {
        Some(log) => {
            let layer = tracing_subscriber::fmt::layer().with_ansi(false);
            Some(layer.with_writer(Mutex::new(open(log)?)).with_filter(filter()))
        }
        None => None,
    };
    let _ = tracing_subscriber::registry().with(stderr.with_filter(filter())).with(file).try_init();
    Ok(())
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

/// Opens the log; a large one is put aside first, in place of the one put aside before.
fn open(path: &Path) -> Result<File, LogError> {
    let failed = |source| LogError { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    if std::fs::metadata(path).is_ok_and(|log| log.len() > LARGE) {
        std::fs::rename(path, path.with_extension("log.1")).map_err(failed)?;
    }
    OpenOptions::new().create(true).append(true).open(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
    fn a_large_log_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = Part::Director.log(directory.path());
        open(&path).unwrap().write_all(b"old\n").unwrap();
        open(&path).unwrap().set_len(LARGE + 1).unwrap();
        open(&path).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new\n");
        assert!(directory.path().join("director.log.1").exists());
    }
}
