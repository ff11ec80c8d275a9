//! The code that runs as a server: what a boot loader, a kernel and an init are to a machine.
//!
//! The cloud starts the very executable it runs in again, with `MARKER` as its first argument:
//!
//! ```text
//!  cloud ── spawns ──► launch   new namespaces, alone in its process; the cloud maps its users
//!    │                   │
//!    │                   └─ forks ──► init   builds the root, runs the boot scripts, reaps; its
//!    │                                  │    parent is the cloud, process 1 of its own world
//!    └───────── control channel ────────┘
//! ```
//!
//! The control channel is the server's lifeline: when the cloud dies, however suddenly, the channel
//! closes, init ends, and the kernel ends every process of the server with it.

pub(crate) mod channel;
pub(crate) mod directory;
mod helpers;
mod identity;
mod init;
mod launch;
pub(crate) mod order;
mod plain;
mod probe;
pub(crate) mod root;
mod user_data;
pub(crate) mod volumes;

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use directory::ServerDirectory;

/// First argument of a process that is to become a server; its second is the server's directory.
pub(crate) const MARKER: &str = "fake-cloud:server";

/// First argument of a process that is to try out what servers need of this machine; its second is
/// an empty directory to try it in.
pub(crate) const PROBE_MARKER: &str = "fake-cloud:probe";

/// First argument of a process that is to hand out a mount of a directory, its second.
pub(crate) const MOUNT_MARKER: &str = "fake-cloud:mount";

/// First argument of a process that is to keep a file system still.
pub(crate) const FREEZE_MARKER: &str = "fake-cloud:freeze";

static CALLED: AtomicBool = AtomicBool::new(false);

/// Turns this process into a server if it was started to be one, and returns at once otherwise.
///
/// The first line of `main` of every program that embeds the process backend: there must be no
/// other thread yet.
#[expect(clippy::exit, reason = "a server's process never returns to the program it came from")]
pub fn run_if_guest() {
    CALLED.store(true, Ordering::Relaxed);
    let mut arguments = std::env::args_os().skip(1);
    let Some(first) = arguments.next() else { return };
    if first == OsStr::new(MARKER) {
        let directory = PathBuf::from(arguments.next().unwrap_or_default());
        std::process::exit(launch::run(&ServerDirectory::new(directory)));
    }
    if first == OsStr::new(PROBE_MARKER) {
        let directory = PathBuf::from(arguments.next().unwrap_or_default());
        std::process::exit(probe::run(&directory));
    }
    if first == OsStr::new(MOUNT_MARKER) {
        let directory = PathBuf::from(arguments.next().unwrap_or_default());
        std::process::exit(helpers::mount(&directory));
    }
    if first == OsStr::new(FREEZE_MARKER) {
        std::process::exit(helpers::freeze());
    }
}

/// Whether this executable can be started again as a server.
pub(crate) fn is_embedded() -> bool {
    CALLED.load(Ordering::Relaxed)
}

/// A step on the way to a running server that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}")]
pub(crate) struct Failure {
    /// What was being done, as it follows "failed to".
    pub(crate) step: String,
    /// Why it failed.
    #[source]
    pub(crate) source: io::Error,
}

impl Failure {
    /// For `map_err`: names the step that failed.
    pub(crate) fn step<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Self {
        let step = step.into();
        move |source| Self { step, source: source.into() }
    }
}
