//! What runs on this machine, as `/proc` tells.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use uuid::Uuid;

use crate::fixture::PATIENCE;

/// A cloud in a process of its own, to be killed: an ignored test of this very program.
pub(crate) struct Cloud {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Cloud {
    pub(crate) fn start(state: &Path, test: &str) -> Self {
        let mut process = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env("FAKE_CLOUD_TEST_STATE", state)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Waits for a line that contains this; returns it.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.output.read_line(&mut line);
            assert_ne!(tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap(), 0);
        }
        line
    }

    pub(crate) async fn kill(mut self) {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
    }
}

/// Process 1 of every server of the state directory.
pub(crate) fn servers_of(state: &Path) -> Vec<u32> {
    let state = state.canonicalize().unwrap();
    let state = state.to_str().unwrap();
    let is_server = |process: &u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        arguments.contains("fake-cloud:server") && arguments.contains(state)
    };
    all().filter(is_server).collect()
}

/// How many processes have this very argument.
pub(crate) fn with_argument(argument: &str) -> usize {
    let has = |process: &u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|found| found == argument.as_bytes())
    };
    all().filter(has).count()
}

/// The process namespace of a running server.
pub(crate) fn namespace_of_server(state: &Path, id: Uuid) -> PathBuf {
    let has_id = |process: &u32| {
        let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&id.to_string())
    };
    let process = servers_of(state).into_iter().find(has_id).unwrap();
    let namespace = namespace(process).unwrap();
    assert_ne!(Some(&namespace), self::namespace(std::process::id()).as_ref());
    namespace
}

pub(crate) fn count_in(namespace: &Path) -> usize {
    members(namespace).count()
}

/// One letter for what each process of the namespace does.
pub(crate) fn states_in(namespace: &Path) -> String {
    let state = |process| {
        let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        status.rsplit_once(") ")?.1.chars().next()
    };
    members(namespace).filter_map(state).collect()
}

/// Whether a control group keeps processes of the namespace frozen.
pub(crate) fn are_frozen(namespace: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let unified = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let Some(unified) = unified.and_then(|line| line.split(' ').nth(1)) else { return false };
    let is_frozen = |process: u32| {
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let events = Path::new(unified).join(group).join("cgroup.events");
        Some(fs::read_to_string(events).ok()?.contains("frozen 1"))
    };
    members(namespace).filter_map(is_frozen).any(|frozen| frozen)
}

/// Kills the process that was first in the namespace.
pub(crate) fn kill_first(namespace: &Path) {
    let is_first = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
    };
    let first = members(namespace).find(is_first).unwrap();
    let status = std::process::Command::new("kill").args(["-9", &first.to_string()]).status();
    assert!(status.unwrap().success());
}

fn members(namespace: &Path) -> impl Iterator<Item = u32> {
    all().filter(move |process| self::namespace(*process).as_deref() == Some(namespace))
}

fn namespace(process: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid")).ok()
}

fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
