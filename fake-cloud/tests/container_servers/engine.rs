//! An engine of a test's own: in a network and a mount namespace that the test makes, so that
//! neither its firewall nor its mounts are this machine's.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::UnshareFlags;

/// The engine; ended when dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    daemon: Child,
    state: tempfile::TempDir,
}

impl Engine {
    /// Moves this thread into namespaces of its own and starts an engine there; `None`, and says
    /// why, where that is not possible.
    #[expect(clippy::print_stdout, reason = "whoever runs the tests should know")]
    pub(crate) fn start() -> Option<Self> {
        if let Err(reason) = separate() {
            let must_run = std::env::var_os("FAKE_CLOUD_MUST_RUN").is_some();
            assert!(!must_run, "cannot test containers: {reason}");
            println!("skipped: {reason}");
            return None;
        }
        let state = tempfile::tempdir().unwrap();
        let path = |name: &str| state.path().join(name).display().to_string();
        let mut daemon = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "dockerd", "--bridge", "none"])
            .args(["--data-root", &path("data"), "--exec-root", "/run/engine"])
            .args(["--pidfile", "/run/engine.pid", "--host", &format!("unix://{}", path("socket"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> =
            lines.by_ref().take_while(|line| !line.contains("API listen on")).collect();
        // It must not stand still because nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let engine = Self { daemon, state };
        let socket = engine.state.path().join("socket");
        assert!(socket.exists(), "the engine did not start:\n{}", said.join("\n"));
        Some(engine)
    }

    /// Its address.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.state.path().join("socket").display())
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let process = Pid::from_child(&self.daemon);
        let _ = kill_process(process, Signal::TERM);
        let _ = self.daemon.wait();
    }
}

/// Gives this thread a network and mounts of its own; the error says what is missing.
fn separate() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can start a container engine".to_owned());
    }
    for program in ["dockerd", "setpriv", "ip"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|directory| directory.join(program).exists());
        if !found {
            return Err(format!("{program} is not installed (docker.io, util-linux, iproute2)"));
        }
    }
    let namespaces = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    #[expect(unsafe_code, reason = "the call is unsafe for threads that share descriptors")]
    // SAFETY: descriptors stay shared.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }
        .map_err(|error| format!("no namespaces: {error}"))?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).unwrap();
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).unwrap();
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
    assert!(up.success());
    Ok(())
}
