//! A director, a manager, and what a test asks of them.

mod authority;
mod backups;
mod director;
#[path = "../../../../services/src/process/guard.rs"]
mod guard;
mod process;
mod volumes;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use protocol::api::internal::{ServiceAdd, ServiceReport, ServicesWanted};
use protocol::api::{Node, NodesAdd, NodesRemove, ServiceStart, State};
use protocol::boot::BootRole;
use protocol::client::{ManagerClient, Upload};
use protocol::{ApiError, ClientError, Identity, NodeId, ServiceId};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use director::{APPLICATION, Director};
use guard::Guard;
use process::Process;

pub(crate) const SERVICE: ServiceId = ServiceId(7);

pub(crate) struct World {
    pub(crate) director: &'static Director,
    pub(crate) client: ManagerClient,
    pub(crate) node: NodeId,
    pub(crate) root: PathBuf,
    pub(crate) address: SocketAddr,
    boot_file: PathBuf,
    manager: Option<Process>,
    _guard: Guard,
    /// Goes last: all else lives in it.
    _directory: TempDir,
}

impl World {
    /// A manager with one service of this type, not started yet.
    pub(crate) async fn new(service_type: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let guard = Guard::of(directory.path());
        let director = Director::start(directory.path()).await;
        director.want(&ServicesWanted {
            services: vec![ServiceAdd { service: SERVICE, service_type: service_type.to_owned() }],
            stopped: Vec::new(),
        });
        let (node, boot_file, root) = director.boot(BootRole::Manager);
        let address = free_port();
        let client = client(director, address, Identity::Director);
        let manager = Some(run(&boot_file, &root, address));
        let world = Self {
            director,
            client,
            node,
            root,
            address,
            boot_file,
            manager,
            _guard: guard,
            _directory: directory,
        };
        world.ready(1).await;
        world
    }

    /// The same with a generic service at work, whose code is these scripts.
    pub(crate) async fn running(scripts: &[(&str, &str)]) -> Self {
        let world = Self::new("generic").await;
        let version = world.upload(scripts).await.unwrap();
        world.command("enable_code", json!({ "code_version": version })).await.unwrap();
        world.startup().await;
        world
    }

    async fn ready(&self, times: usize) {
        let reports = || (self.director.ready_count(self.node) >= times).then_some(());
        self.director.until("a manager that is ready", reports).await;
    }

    /// Ends the manager as `kill -9` does.
    pub(crate) async fn kill_manager(&mut self) {
        self.manager.take().unwrap().kill().await;
    }

    pub(crate) async fn restart_manager(&mut self) {
        let before = self.director.ready_count(self.node);
        self.manager = Some(run(&self.boot_file, &self.root, self.address));
        self.ready(before + 1).await;
    }

    /// The manager's VM is no more, and another takes its place.
    pub(crate) async fn replace_manager(&mut self) {
        self.kill_manager().await;
        std::fs::remove_dir_all(&self.root).unwrap();
        (self.node, self.boot_file, self.root) = self.director.boot(BootRole::Manager);
        self.restart_manager().await;
    }

    pub(crate) fn client_of(&self, identity: Identity) -> ManagerClient {
        client(self.director, self.address, identity)
    }

    /// Waits until the service is reported to be in a state.
    pub(crate) async fn reported(&self, state: State) -> ServiceReport {
        let last = || {
            let last = self.director.reports(SERVICE).pop();
            last.filter(|report| report.state == state)
        };
        self.director.until(state.as_str(), last).await
    }

    pub(crate) async fn startup(&self) {
        self.director.forget_reports();
        let start = ServiceStart { cloud: None };
        assert_eq!(self.client.startup(SERVICE, &start).await.unwrap().state, State::Prologue);
        self.reported(State::Running).await;
    }

    /// Adds nodes and waits; the reason is what the user sees afterwards.
    pub(crate) async fn add_nodes(&self, count: u32) -> Option<String> {
        self.director.forget_reports();
        let add = NodesAdd { nodes: [("count".to_owned(), count)].into(), ..Default::default() };
        assert_eq!(self.client.add_nodes(SERVICE, &add).await.unwrap().state, State::Adapting);
        self.reported(State::Running).await.reason
    }

    pub(crate) async fn remove_nodes(&self, count: u32) -> Option<String> {
        self.director.forget_reports();
        let remove = NodesRemove { nodes: [("count".to_owned(), count)].into() };
        let report = self.client.remove_nodes(SERVICE, &remove).await.unwrap();
        assert_eq!(report.state, State::Adapting);
        self.reported(State::Running).await.reason
    }

    pub(crate) async fn upload(&self, scripts: &[(&str, &str)]) -> Result<String, ApiError> {
        self.upload_bytes("app.tar", tar(scripts)).await
    }

    pub(crate) async fn upload_bytes(
        &self,
        filename: &str,
        content: Vec<u8>,
    ) -> Result<String, ApiError> {
        let parameters = [("filename", filename), ("description", "mine")];
        let content = Upload::from(content);
        let answer = self.client.upload(SERVICE, "upload_code", &parameters, content).await;
        answer.map(|answer| answer["code_version"].as_str().unwrap().to_owned()).map_err(refusal)
    }

    pub(crate) async fn command(&self, method: &str, given: Value) -> Result<Value, ApiError> {
        self.client.command(SERVICE, method, &given).await.map_err(refusal)
    }

    pub(crate) async fn query(&self, method: &str) -> Result<Value, ApiError> {
        self.client.query(SERVICE, method, &[("", ""); 0]).await.map_err(refusal)
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.director.nodes()
    }

    /// Waits for the end of a script on a node; the agent's record of it is a file that changes.
    pub(crate) async fn ended(&self, node: &Node, script: &str) -> Value {
        self.script(|status| {
            let status = &status["nodes"][node.id.to_string()][script];
            (status["state"] == json!("stopped")).then(|| status.clone())
        })
        .await
    }

    /// Waits until a script runs on some node.
    pub(crate) async fn script_runs(&self, script: &str) {
        self.script(|status| {
            let mut nodes = status["nodes"].as_object()?.values();
            nodes.any(|node| node[script]["state"] == json!("running")).then_some(())
        })
        .await;
    }

    /// No event tells a user of a script's end: like a user, it asks until it is so.
    async fn script<T>(&self, mut is_so: impl FnMut(&Value) -> Option<T>) -> T {
        let asking = async {
            loop {
                if let Ok(status) = self.query("get_script_status").await
                    && let Some(found) = is_so(&status)
                {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, asking).await.expect("the script's status never came")
    }

    /// A file in a node's own root.
    pub(crate) fn file(&self, node: &Node, path: &str) -> String {
        std::fs::read_to_string(self.director.root(node.id).join(path)).unwrap_or_default()
    }
}

fn run(boot_file: &std::path::Path, root: &std::path::Path, listen: SocketAddr) -> Process {
    let settings = manager::Settings {
        boot_file: boot_file.to_owned(),
        root: root.to_owned(),
        listen: Some(listen),
    };
    Process::start(async move { manager::run(settings).await.unwrap() })
}

fn client(director: &Director, address: SocketAddr, identity: Identity) -> ManagerClient {
    let holder = director.authority.holder(identity);
    let manager = Identity::Manager { application: APPLICATION };
    let client = director.authority.trust().client(manager, Some(holder)).unwrap();
    ManagerClient::new(client, &format!("https://{address}"))
}

/// A port on an address that only this test uses; the manager comes back to it after a restart.
fn free_port() -> SocketAddr {
    let [a, b, c]: [u8; 3] = rand::random();
    let address = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
    std::net::TcpListener::bind((address, 0)).unwrap().local_addr().unwrap()
}

fn tar(scripts: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in scripts {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn refusal(error: ClientError) -> ApiError {
    match error {
        ClientError::Api(refusal) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}
