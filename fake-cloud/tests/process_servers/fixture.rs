//! A backend with a state directory of its own, and servers with addresses of their own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fake_cloud::backends::process::{Process, Settings};
use fake_cloud::backends::{Backend as _, ImageSource, ServerExit, ServerSpec};
use fake_cloud::network::Wiring;
use fake_cloud::network::loopback::Loopback;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::console;

/// Far longer than anything here takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Fixture {
    pub(crate) backend: Process,
    pub(crate) network: Loopback,
    pub(crate) exits: mpsc::UnboundedReceiver<ServerExit>,
    pub(crate) state: State,
}

/// A state directory, removed at the end if it is ours.
pub(crate) enum State {
    Ours(tempfile::TempDir),
    Given(PathBuf),
}

impl State {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Ours(directory) => directory.path(),
            Self::Given(path) => path,
        }
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::open(State::Ours(tempfile::tempdir().unwrap()))
    }

    pub(crate) fn at(state: PathBuf) -> Self {
        Self::open(State::Given(state))
    }

    fn open(state: State) -> Self {
        let (backend, network, exits) = open(state.path());
        Self { backend, network, exits, state }
    }

    /// As if the cloud was started again.
    pub(crate) fn reopen(&mut self) {
        (self.backend, self.network, self.exits) = open(self.state.path());
    }

    /// Starts a server that runs the script at its first boot.
    pub(crate) async fn boot(&self, script: &str) -> ServerSpec {
        let server = server(script);
        self.backend.start(&server).await.unwrap();
        server
    }

    /// Waits until the server's console shows the text; returns the console until then.
    pub(crate) async fn console_shows(&self, id: Uuid, text: &str) -> String {
        console::shows(self.backend.follow_console(id, None).await.unwrap(), text, PATIENCE).await
    }

    /// Boots a server and returns its console when its script has ended.
    pub(crate) async fn output_of(&self, script: &str) -> String {
        let server = self.boot(script).await;
        self.console_shows(server.id, "server: user-data ").await
    }

    pub(crate) async fn until(&self, condition: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition() {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain");
            // Nobody tells when it changes.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn open(state: &Path) -> (Process, Loopback, mpsc::UnboundedReceiver<ServerExit>) {
    let (sender, exits) = mpsc::unbounded_channel();
    let network = Loopback::new();
    let settings = Settings { state_dir: state.to_owned(), init_program: init_program() };
    let backend =
        Process::open(settings, sender, Wiring::Shared(Arc::new(network.clone()))).unwrap();
    (backend, network, exits)
}

/// Elsewhere when the tests were copied, such as for a run by another user.
fn init_program() -> PathBuf {
    std::env::var_os("FAKE_CLOUD_INIT")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_fake-cloud")), PathBuf::from)
}

/// A server with an address that no other test has.
pub(crate) fn server(script: &str) -> ServerSpec {
    let id = Uuid::new_v4();
    let [a, b, ..] = id.into_bytes();
    ServerSpec {
        id,
        hostname: "web-1".to_owned(),
        image: ImageSource::Host { extra_files: vec![] },
        layer: None,
        vcpus: 1,
        memory_mib: 512,
        disk_gib: 1,
        fixed_ip: Ipv4Addr::new(127, 33, a, b),
        interfaces: vec![],
        metadata_url: "http://127.0.0.1:1".to_owned(),
        meta_data: serde_json::Value::Null,
        user_data: (!script.is_empty()).then(|| format!("#!/bin/sh\n{script}\n").into_bytes()),
        authorized_keys: vec!["ssh-ed25519 AAAA key".to_owned()],
        hosts: vec![(Ipv4Addr::new(127, 33, 0, 9), "db-1".to_owned())],
        volumes: vec![],
    }
}
