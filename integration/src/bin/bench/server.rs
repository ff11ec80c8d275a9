//! A cloud under measurement: its process, and where it answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use integration::{http, processes, wait_for};
use tempfile::TempDir;

/// The variable that `fake-cloud` prints last.
const LAST: &str = "AWS_SECRET_ACCESS_KEY";

/// What has not used the processor for so long has nothing to do.
const REST: Duration = Duration::from_millis(500);

/// A running cloud; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, as in `127.0.0.1:5000`.
    pub(crate) address: String,
    /// How long it took until the first answer.
    pub(crate) started: Duration,
    /// What it printed as `export NAME='VALUE'`.
    pub(crate) environment: BTreeMap<String, String>,
    /// What it prints later goes here: without a reader it would end.
    _output: Option<BufReader<ChildStdout>>,
    _state: Option<TempDir>,
}

impl Server {
    /// Starts `fake-cloud` on a fresh state.
    pub(crate) fn fake_cloud(backend: &str) -> Self {
        let state = tempfile::tempdir().expect("a directory for the state");
        let program = integration::executable::built("fake-cloud");
        let mut command = Command::new(program);
        command.arg("--state").arg(state.path()).args(["--backend", backend]);
        command.env("FAKE_CLOUD_LOG", "error");
        let mut server = Self::start(command, |command, address| {
            command.args(["--listen", address]).stdout(Stdio::piped());
        });
        let out = server.child.stdout.take().expect("its output is piped");
        let mut out = BufReader::new(out);
        for line in out.by_ref().lines().map_while(Result::ok) {
            server.environment.extend(exported(&line));
            if server.environment.contains_key(LAST) {
                break;
            }
        }
        server._output = Some(out);
        server._state = Some(state);
        server
    }

    /// Starts a cloud on a free port, and waits until it answers.
    pub(crate) fn start(mut command: Command, listen: impl FnOnce(&mut Command, &str)) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a free port");
        listen(&mut command, &address.to_string());
        let begin = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        wait_for("the first answer", Duration::from_secs(60), || match http::get(address, "/") {
            // Any status will do: the server is there.
            Err(error) if error.kind() != io::ErrorKind::Other => Err(error),
            _ => Ok(()),
        });
        Self {
            child,
            address: address.to_string(),
            started: begin.elapsed(),
            environment: BTreeMap::new(),
            _output: None,
            _state: None,
        }
    }

    /// Its memory now, in KiB, with that of its children.
    pub(crate) fn memory(&self) -> u64 {
        processes::pss_kib(self.child.id()).unwrap_or(0)
    }

    /// Its memory when it has nothing to do, in KiB: what its start goes on with in the background
    /// is done.
    pub(crate) fn idle_memory(&self) -> u64 {
        let mut last = (processes::ticks(self.child.id()), Instant::now());
        wait_for("rest", Duration::from_secs(60), || {
            let ticks = processes::ticks(self.child.id());
            if ticks != last.0 {
                last = (ticks, Instant::now());
            }
            if last.1.elapsed() > REST { Ok(()) } else { Err(ticks) }
        });
        self.memory()
    }

    /// A variable that it printed.
    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.environment[name]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').to_owned()))
}
