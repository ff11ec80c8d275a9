//! The director's side of the conversation: gives VMs, certificates and services, takes reports.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use protocol::api::internal::{Nodes, NodesCreate, NodesDelete, ServiceReport, ServicesWanted};
use protocol::api::{Node, NodeState};
use protocol::boot::{BootConfig, BootRole, CertificateGrant, CertificateRequest};
use protocol::identity::Identity;
use protocol::tls::server::{TlsListener, serve};
use protocol::tls::{ClientCertificates, Peer, server_config};
use protocol::{AGENT_PORT, ApiError, ApplicationId, ErrorCode, NodeId, ServiceId};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::authority::{Authority, INSTALLATION};
use super::backups::Backups;
use super::process::Process;
use super::volumes::Disks;

pub(crate) const APPLICATION: ApplicationId = ApplicationId(1);

/// The whole of the director, and the VMs it has given.
pub(crate) struct Director {
    pub(crate) authority: Authority,
    directory: PathBuf,
    url: Mutex<String>,
    state: Mutex<Installation>,
    pub(crate) backups: Backups,
    pub(crate) disks: Disks,
    /// Changes whenever a VM says that it is ready, or a service is reported.
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Installation {
    next_node: i64,
    nodes: BTreeMap<NodeId, Node>,
    agents: BTreeMap<NodeId, Process>,
    roles: BTreeMap<NodeId, BootRole>,
    wanted: ServicesWanted,
    reports: BTreeMap<ServiceId, Vec<ServiceReport>>,
    refusal: Option<ApiError>,
    ready: Vec<NodeId>,
}

type Shared = State<&'static Director>;

impl Director {
    /// It lives as long as the test's process.
    pub(crate) async fn start(directory: &FilePath) -> &'static Self {
        let director: &'static Self = Box::leak(Box::new(Self {
            authority: Authority::new(),
            directory: directory.to_owned(),
            url: Mutex::default(),
            state: Mutex::default(),
            backups: Backups::default(),
            disks: Disks::default(),
            news: watch::Sender::new(0),
        }));
        let holder = director.authority.holder(Identity::Director);
        let trust = director.authority.trust();
        let config = server_config(holder, &trust, ClientCertificates::Optional).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        *director.url.lock().unwrap() = format!("https://{}", listener.local_addr().unwrap());
        let listener = TlsListener::new(listener, config, trust).unwrap();
        let router = Router::new()
            .route("/v1/vm/certificate", post(certificate))
            .route("/v1/vm/ready", post(ready))
            .route("/v1/vm/services", get(services))
            .route("/v1/vm/services/{id}", put(report))
            .route("/v1/vm/nodes", get(nodes).post(create))
            .route("/v1/vm/nodes/delete", post(delete))
            .merge(super::backups::router())
            .merge(super::volumes::router())
            .with_state(director);
        tokio::spawn(serve(listener, router, CancellationToken::new()));
        director
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Installation> {
        self.state.lock().unwrap()
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Waits until something that the director hears of is so.
    pub(crate) async fn until<T>(&self, what: &str, mut is_so: impl FnMut() -> Option<T>) -> T {
        let mut news = self.news.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = is_so() {
                    return found;
                }
                news.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .unwrap_or_else(|_| panic!("{what} never came, reported: {:?}", self.state().reports))
    }

    /// Refuses to create nodes from now on.
    pub(crate) fn refuse(&self, refusal: Option<ApiError>) {
        self.state().refusal = refusal;
    }

    pub(crate) fn want(&self, services: &ServicesWanted) {
        self.state().wanted = services.clone();
    }

    /// The application is stopped: the service has no nodes, whatever anybody remembers.
    pub(crate) fn stop(&self, service: ServiceId) {
        self.state().wanted.stopped = vec![service];
    }

    /// The service may have nodes again.
    pub(crate) fn run(&self, service: ServiceId) {
        self.state().wanted.stopped.retain(|stopped| *stopped != service);
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.state().nodes.values().cloned().collect()
    }

    pub(crate) fn reports(&self, service: ServiceId) -> Vec<ServiceReport> {
        self.state().reports.get(&service).cloned().unwrap_or_default()
    }

    pub(crate) fn forget_reports(&self) {
        self.state().reports.clear();
    }

    pub(crate) fn is_ready(&self, node: NodeId) -> bool {
        self.state().ready.contains(&node)
    }

    pub(crate) fn ready_count(&self, node: NodeId) -> usize {
        self.state().ready.iter().filter(|ready| **ready == node).count()
    }

    /// A VM with its boot file, and the root of its files.
    pub(crate) fn boot(&self, role: BootRole) -> (NodeId, PathBuf, PathBuf) {
        let mut state = self.state();
        state.next_node += 1;
        let node = NodeId(state.next_node);
        state.roles.insert(node, role.clone());
        let root = self.root(node);
        std::fs::create_dir_all(&root).unwrap();
        let boot = BootConfig {
            installation: INSTALLATION.to_owned(),
            director_url: self.url.lock().unwrap().clone(),
            ca_certificate: self.authority.certificate.clone(),
            token: node.to_string(),
            node,
            cloud: "default".to_owned(),
            application: APPLICATION,
            role,
            memory_mib: None,
            autoscaling_minute: None,
        };
        let file = root.join("boot.json");
        std::fs::write(&file, serde_json::to_vec(&boot).unwrap()).unwrap();
        (node, file, root)
    }

    pub(crate) fn root(&self, node: NodeId) -> PathBuf {
        self.directory.join(format!("node-{node}"))
    }

    /// Makes a VM with an agent for a service, without the manager knowing of it.
    pub(crate) async fn vm(&self, service: ServiceId, service_type: &str, role: &str) -> Node {
        let boot = BootRole::Agent { service, service_type: service_type.to_owned() };
        let (id, boot_file, root) = self.boot(boot);
        let address = free_address().await;
        let node = Node {
            id,
            application: APPLICATION,
            service: Some(service),
            role: role.to_owned(),
            cloud: "default".to_owned(),
            instance_type: "small".to_owned(),
            server: format!("server-{id}"),
            state: NodeState::Ready,
            public_ip: Some(address),
            private_ip: Some(address),
            created: time::OffsetDateTime::now_utc(),
        };
        let listen = Some(SocketAddr::from((address, AGENT_PORT)));
        let settings = agent::Settings { boot_file, root, listen };
        let running = Process::start(async move { agent::run(settings).await.unwrap() });
        let mut state = self.state();
        state.nodes.insert(id, node.clone());
        state.agents.insert(id, running);
        node
    }

    /// The cloud loses a VM.
    pub(crate) fn lose(&self, node: NodeId) {
        let mut state = self.state();
        state.nodes.remove(&node);
        state.agents.remove(&node);
        end_processes(&self.root(node));
    }
}

/// A VM takes its processes with it.
fn end_processes(root: &FilePath) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let works_below = std::fs::read_link(entry.path().join("cwd"));
        if let (Some(id), Ok(directory)) = (id.and_then(Pid::from_raw), works_below)
            && directory.starts_with(root)
        {
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// An address of this machine that nobody else uses.
async fn free_address() -> Ipv4Addr {
    loop {
        let [a, b, c]: [u8; 3] = rand::random();
        let address = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        if TcpListener::bind((address, AGENT_PORT)).await.is_ok() {
            return address;
        }
    }
}

fn caller(director: &Director, peer: Peer) -> NodeId {
    let state = director.state();
    match peer.identity.unwrap() {
        Identity::Agent { node, .. } => node,
        Identity::Manager { .. } => {
            // The latest: those before it are no more.
            *state.roles.iter().rfind(|(_, role)| **role == BootRole::Manager).unwrap().0
        }
        Identity::Director => panic!("the director does not call itself"),
    }
}

async fn certificate(
    State(director): Shared,
    Json(request): Json<CertificateRequest>,
) -> Json<CertificateGrant> {
    let node: NodeId = request.token.unwrap().parse().unwrap();
    let (role, address) = {
        let state = director.state();
        let address = state.nodes.get(&node).and_then(Node::address);
        (state.roles[&node].clone(), address.unwrap_or(Ipv4Addr::LOCALHOST))
    };
    let identity = match role {
        BootRole::Manager => Identity::Manager { application: APPLICATION },
        BootRole::Agent { service, .. } => {
            Identity::Agent { application: APPLICATION, service, node }
        }
    };
    Json(CertificateGrant {
        certificate: director.authority.sign(&request.csr, identity),
        renew_after_seconds: 3600,
        public_ip: address,
        private_ip: address,
    })
}

async fn ready(State(director): Shared, ConnectInfo(peer): ConnectInfo<Peer>) -> Json<()> {
    let node = caller(director, peer);
    director.state().ready.push(node);
    director.tell();
    Json(())
}

async fn services(State(director): Shared) -> Json<ServicesWanted> {
    Json(director.state().wanted.clone())
}

async fn report(
    State(director): Shared,
    Path(id): Path<ServiceId>,
    Json(report): Json<ServiceReport>,
) -> Json<()> {
    director.state().reports.entry(id).or_default().push(report);
    director.tell();
    Json(())
}

async fn nodes(State(director): Shared) -> Json<Nodes> {
    Json(Nodes { nodes: director.nodes() })
}

async fn create(
    State(director): Shared,
    Json(create): Json<NodesCreate>,
) -> Result<Json<Nodes>, ApiError> {
    if let Some(refusal) = director.state().refusal.clone() {
        return Err(refusal);
    }
    let service_type = {
        let state = director.state();
        let found = state.wanted.services.iter().find(|add| add.service == create.service);
        found
            .map(|add| add.service_type.clone())
            .ok_or_else(|| ApiError::new(ErrorCode::NotFound, "no such service"))?
    };
    let mut nodes = Vec::new();
    for role in &create.roles {
        nodes.push(director.vm(create.service, &service_type, role).await);
    }
    for node in &nodes {
        let ready = || director.is_ready(node.id).then_some(());
        director.until("an agent that is ready", ready).await;
    }
    Ok(Json(Nodes { nodes }))
}

async fn delete(State(director): Shared, Json(delete): Json<NodesDelete>) -> Json<()> {
    for node in delete.nodes {
        director.lose(node);
    }
    Json(())
}
