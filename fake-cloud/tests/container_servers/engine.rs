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

/// Which engine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Docker,
    /// Never needed: nothing is installed for it.
    Podman,
}

impl Kind {
    /// The executable, and Debian's package that has it.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Docker => ("dockerd", "docker.io"),
            Self::Podman => ("podman", "podman"),
        }
    }

    fn must_run(self) -> bool {
        matches!(self, Self::Docker) && std::env::var_os("FAKE_CLOUD_MUST_RUN").is_some()
    }

    /// What starts it, and what it says when it answers.
    fn command(self, path: impl Fn(&str) -> String) -> (Command, &'static str) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", self.program().0]);
        let socket = format!("unix://{}", path("socket"));
        match self {
            Self::Docker => {
                command.args(["--bridge", "none", "--data-root", &path("data")]);
                command.args(["--exec-root", "/run/engine", "--pidfile", "/run/engine.pid"]);
                command.args(["--host", &socket]);
                (command, "API listen on")
            }
            Self::Podman => {
                // It wants to raise limits, which not every machine lets root do.
                let settings =
                    "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
                std::fs::write(path("containers.conf"), settings).unwrap();
                command.env("CONTAINERS_CONF", path("containers.conf"));
                command.args(["--root", &path("data"), "--runroot", "/run/engine"]);
                command.args(["--network-config-dir", &path("networks")]);
                command.args(["--log-level", "info", "system", "service", "--time", "0", &socket]);
                (command, "API service listening on")
            }
        }
    }
}

impl Engine {
    /// Moves this thread into namespaces of its own and starts an engine there; `None`, and says
    /// why, where that is not possible.
    #[expect(clippy::print_stdout, reason = "whoever runs the tests should know")]
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        if let Err(reason) = separate(kind) {
            assert!(!kind.must_run(), "cannot test containers: {reason}");
            println!("skipped: {reason}");
            return None;
        }
        let state = tempfile::tempdir().unwrap();
        let path = |name: &str| state.path().join(name).display().to_string();
        let (mut command, ready) = kind.command(path);
        let mut daemon = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.by_ref().take_while(|line| !line.contains(ready)).collect();
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
fn separate(kind: Kind) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can start a container engine".to_owned());
    }
    let (engine, package) = kind.program();
    for program in [engine, "setpriv", "ip"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|directory| directory.join(program).exists());
        if !found {
            return Err(format!("{program} is not installed ({package}, util-linux, iproute2)"));
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
