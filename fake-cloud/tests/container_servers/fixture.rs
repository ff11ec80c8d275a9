//! A backend on an engine of its own, and servers for it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fake_cloud::backends::container::network::Containers;
use fake_cloud::backends::container::ports::Ports;
use fake_cloud::backends::container::{Container, Settings};
use fake_cloud::backends::{Backend as _, ImageSource, Interface, ServerExit, ServerSpec};
use fake_cloud::model::SecurityGroupId;
use fake_cloud::model::address::Block;
use fake_cloud::model::firewall::{Allow, Firewall, Group, GuardedPort, Remote, Traffic};
use fake_cloud::network::loopback::Loopback;
use fake_cloud::network::{Network as _, PortWatcher};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::console;
use crate::engine::{Engine, Kind};

/// Far longer than anything here takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) backend: Container,
    pub(crate) network: Containers,
    pub(crate) exits: mpsc::UnboundedReceiver<ServerExit>,
    image: PathBuf,
    state: PathBuf,
    host: String,
}

/// Runs a test, where there can be an engine.
pub(crate) fn with_engine(test: impl AsyncFnOnce(Fixture)) {
    with(Kind::Docker, test);
}

/// Runs a test with an engine of a kind.
pub(crate) fn with(kind: Kind, test: impl AsyncFnOnce(Fixture)) {
    let Some(engine) = Engine::start(kind) else { return };
    let image = engine.state().join("image");
    make_image(&image);
    // All on this thread: only it is in the namespaces.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (state, host) = (engine.state().join("cloud"), engine.host());
        let (backend, network, exits) = open(&state, &host).await;
        test(Fixture { backend, network, exits, image, state, host }).await;
    });
}

async fn open(
    state: &Path,
    host: &str,
) -> (Container, Containers, mpsc::UnboundedReceiver<ServerExit>) {
    let (sender, exits) = mpsc::unbounded_channel();
    let ports = Arc::new(Ports::default());
    let floating = Loopback::of(Arc::clone(&ports) as _);
    let settings = Settings {
        state_dir: state.to_owned(),
        init_program: env!("CARGO_BIN_EXE_fake-cloud").into(),
        block: Block::around(Ipv4Addr::new(10, 77, 0, 0), 24),
        engine: Some(host.to_owned()),
        api: "127.0.0.1:5000".parse().unwrap(),
        enforce: true,
    };
    let watcher: Arc<dyn PortWatcher> = Arc::new(floating.clone());
    let backend = Container::open(settings, sender, ports, watcher).await.unwrap();
    let network = Containers::new(backend.clone(), floating);
    network.guard(everybody(Some(anything()))).await.unwrap();
    (backend, network, exits)
}

/// What lets everything pass.
pub(crate) fn anything() -> Allow {
    Allow { traffic: Traffic::Any, remote: Remote::Anyone }
}

/// A firewall with one group, of all servers, that lets everything out and this in.
pub(crate) fn everybody(ingress: Option<Allow>) -> Firewall {
    let group = SecurityGroupId(Uuid::from_u128(7));
    let addresses = (2..10).map(|last| Ipv4Addr::new(10, 77, 0, last));
    let ports = addresses
        .clone()
        .map(|first| (first, GuardedPort { first, mac: String::new(), groups: Some(vec![group]) }));
    let ingress = ingress.into_iter().collect();
    let rules = Group { members: addresses.collect(), ingress, egress: vec![anything()] };
    Firewall { groups: [(group, rules)].into(), ports: ports.collect(), ..Firewall::default() }
}

/// A system with a shell and Perl: both are on every Debian.
fn make_image(root: &Path) {
    let copy = |file: &str| {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    };
    for program in ["/bin/sh", "/usr/bin/perl"] {
        copy(program);
        let libraries = Command::new("ldd").arg(program).output().unwrap().stdout;
        let libraries = String::from_utf8(libraries).unwrap();
        libraries.split_whitespace().filter(|word| word.starts_with('/')).for_each(copy);
    }
    let modules = format!("/usr/lib/{}-linux-gnu/perl-base", std::env::consts::ARCH);
    let copied = Command::new("cp").args(["-r", "--parents", &modules]).arg(root).status().unwrap();
    assert!(copied.success());
    for directory in ["etc", "tmp", "mnt", "root"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
}

impl Fixture {
    /// As if the cloud was killed and started again.
    pub(crate) async fn kill_and_reopen(&mut self) {
        let (backend, network, exits) = open(&self.state, &self.host).await;
        std::mem::forget(std::mem::replace(&mut self.backend, backend));
        (self.network, self.exits) = (network, exits);
    }

    /// A server that runs the script at its first boot.
    pub(crate) fn server(&self, last: u8, script: &str) -> ServerSpec {
        ServerSpec {
            id: Uuid::new_v4(),
            hostname: "web-1".to_owned(),
            image: ImageSource::Directory { path: self.image.clone() },
            layer: None,
            vcpus: 1,
            memory_mib: 256,
            disk_gib: 1,
            fixed_ip: Ipv4Addr::new(10, 77, 0, last),
            interfaces: vec![Interface {
                mac: format!("fa:16:3e:00:00:{last:02x}"),
                ..Interface::default()
            }],
            metadata_url: "http://127.0.0.1:5000/metadata/token".to_owned(),
            meta_data: serde_json::Value::Null,
            user_data: Some(format!("#!/bin/sh\n{script}\n").into_bytes()),
            authorized_keys: vec!["ssh-ed25519 AAAA key".to_owned()],
            hosts: vec![(Ipv4Addr::new(10, 77, 0, 9), "db-1".to_owned())],
            volumes: vec![],
        }
    }

    /// The network namespace of a server that runs.
    pub(crate) fn network_of(&self, server: &ServerSpec) -> fs::File {
        let name = format!("fake-cloud-{}", server.id);
        let arguments = ["--host", &self.host, "inspect", "--format", "{{.State.Pid}}", &name];
        let output = Command::new("docker").args(arguments).output().unwrap();
        let process = String::from_utf8(output.stdout).unwrap();
        fs::File::open(format!("/proc/{}/ns/net", process.trim())).unwrap()
    }

    /// Starts a server; waits until its console shows the text.
    pub(crate) async fn boot(&self, last: u8, script: &str, text: &str) -> ServerSpec {
        let server = self.server(last, script);
        self.backend.start(&server).await.unwrap();
        self.shows(server.id, text).await;
        server
    }

    /// Waits until the server's console shows the text; returns the console until then.
    pub(crate) async fn shows(&self, id: Uuid, text: &str) -> String {
        console::shows(self.backend.follow_console(id, None).await.unwrap(), text, PATIENCE).await
    }
}
