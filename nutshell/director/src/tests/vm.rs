//! What runs in a server of the cloud in memory: a manager or an agent that does as the real ones.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State as Shared};
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use protocol::api::code::{CodeUpload, CodeVersionName, CodeVersions};
use protocol::api::generic::VolumeAdd;
use protocol::api::internal::{
    NodesCreate, NodesDelete, NodesReplace, ProcessStatus, ServiceAdd, ServiceReport,
};
use protocol::api::log::LogText;
use protocol::api::{CodeVersion, NodeCounts, NodesAdd, State, Volume, VolumeCreate};
use protocol::boot::{BootConfig, BootRole};
use protocol::client::VmClient;
use protocol::membership::{JoinError, Membership};
use protocol::tls::server::{TlsListener, serve};
use protocol::{ApiError, ClientError, ErrorCode, MANAGER_PORT, ServiceId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Boots: joins, listens, reports, until the server is deleted.
pub(super) async fn run(boot: BootConfig, address: Ipv4Addr) {
    // Started again for as long as the director is away, as the boot script does.
    let membership = loop {
        match obtain(&boot).await {
            Ok(membership) => break membership,
            Err(JoinError::Refused(ClientError::Api(told)))
                if told.code == ErrorCode::Unauthenticated =>
            {
                return;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let director = membership.director().unwrap();
    match boot.role {
        BootRole::Manager => manage(&membership, director, address).await,
        BootRole::Agent { .. } => {
            report_ready(&director).await;
            std::future::pending::<()>().await;
        }
    }
}

/// Joins as the real ones do; `None` when the director will not have it.
pub(crate) async fn join(boot: &BootConfig) -> Option<Membership> {
    obtain(boot).await.ok()
}

async fn obtain(boot: &BootConfig) -> Result<Membership, JoinError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("boot.json");
    std::fs::write(&file, serde_json::to_vec(boot).unwrap()).unwrap();
    Membership::obtain(&file, directory.path()).await
}

async fn manage(membership: &Membership, director: VmClient, address: Ipv4Addr) {
    let listener = tokio::net::TcpListener::bind((address, MANAGER_PORT)).await.unwrap();
    let config = membership.server_config().unwrap();
    let listener = TlsListener::new(listener, config, membership.trust.clone()).unwrap();
    let router = Router::new()
        .route("/v1/check_process", get(check_process))
        .route("/v1/get_logs", get(get_logs))
        .route("/v1/services", post(add_service))
        .route("/v1/services/{id}", delete(remove_service))
        .route("/v1/services/{id}/get_logs", get(get_logs))
        .route("/v1/services/{id}/startup", post(startup))
        .route("/v1/services/{id}/shutdown", post(shutdown))
        .route("/v1/services/{id}/add_nodes", post(add_nodes))
        .route("/v1/services/{id}/replace_nodes", post(replace))
        .route("/v1/services/{id}/methods/get_script_status", get(async || "{\"nodes\":{}}"))
        .route("/v1/services/{id}/methods/run", post(run_script))
        .route("/v1/services/{id}/methods/create_volume", post(create_volume))
        .route("/v1/services/{id}/methods/list_code", get(list_code))
        .route("/v1/services/{id}/methods/enable_code", post(enable_code))
        .route("/v1/services/{id}/methods/upload_code", post(upload_code))
        .route("/v1/services/{id}/methods/download_code", get(download_code))
        .with_state(Manager { director: director.clone(), services: Arc::default() });
    // Its connections go with the server, not only its listener.
    let power = CancellationToken::new();
    tokio::spawn(serve(listener, router, power.clone()));
    let _off = power.drop_guard();
    report_ready(&director).await;
    std::future::pending::<()>().await;
}

/// A manager, and what it keeps.
#[derive(Clone)]
struct Manager {
    director: VmClient,
    services: Arc<Mutex<BTreeMap<ServiceId, Kept>>>,
}

#[derive(Default)]
struct Kept {
    service_type: String,
    versions: Vec<CodeVersion>,
    contents: Vec<Bytes>,
}

impl Manager {
    fn keep<T>(&self, id: ServiceId, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(self.services.lock().unwrap().entry(id).or_default())
    }
}

async fn report_ready(director: &VmClient) {
    while let Err(error) = director.ready().await {
        if error.api().is_some_and(|told| told.code == ErrorCode::Unauthenticated) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn check_process() -> Json<ProcessStatus> {
    Json(ProcessStatus { version: "test".to_owned() })
}

async fn get_logs() -> Json<LogText> {
    Json(LogText { log: "all is well\n".to_owned(), available: vec![] })
}

/// One count for all managers of a test is as good as one each.
fn next_revision() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn report(state: State) -> ServiceReport {
    ServiceReport { revision: next_revision(), state, reason: None }
}

async fn add_service(
    Shared(manager): Shared<Manager>,
    Json(add): Json<ServiceAdd>,
) -> Json<ServiceReport> {
    manager.keep(add.service, |kept| kept.service_type = add.service_type);
    Json(report(State::Init))
}

async fn remove_service(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
) -> Json<Value> {
    remove_nodes(&manager.director, id).await;
    Json(Value::Null)
}

/// Starts with the nodes of its type.
async fn startup(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
) -> Json<ServiceReport> {
    let service_type = manager.keep(id, |kept| kept.service_type.clone());
    let service_type = services::service_type(&service_type).unwrap();
    let counts = service_type.roles.iter().map(|role| (role.name.clone(), role.initial));
    grow(manager, id, counts.collect());
    Json(report(State::Prologue))
}

async fn add_nodes(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
    Json(add): Json<NodesAdd>,
) -> Json<ServiceReport> {
    // `count` means the default role.
    let named = |(role, count): (String, u32)| match role.as_str() {
        "count" => ("node".to_owned(), count),
        _ => (role, count),
    };
    grow(manager, id, add.nodes.into_iter().map(named).collect());
    Json(report(State::Adapting))
}

fn grow(manager: Manager, id: ServiceId, counts: NodeCounts) {
    tokio::spawn(async move {
        let roles = |(role, count): (String, u32)| std::iter::repeat_n(role, count as usize);
        let roles: Vec<String> = counts.into_iter().flat_map(roles).collect();
        let wanted = roles.len();
        let create =
            NodesCreate { service: id, roles, cloud: "default".to_owned(), instance_type: None };
        let outcome = match manager.director.create_nodes(&create).await {
            Ok(nodes) => {
                assert_eq!(nodes.nodes.len(), wanted);
                report(State::Running)
            }
            Err(error) => ServiceReport {
                revision: next_revision(),
                state: State::Error,
                reason: Some(error.to_string()),
            },
        };
        let _ = manager.director.report_service(id, &outcome).await;
    });
}

/// Makes one node for each that is lost, and gives those back.
async fn replace(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
    Json(lost): Json<NodesReplace>,
) -> Json<ServiceReport> {
    if lost.nodes.is_empty() {
        let reason = lost.left.into_values().next();
        return Json(ServiceReport { reason, ..report(State::Running) });
    }
    tokio::spawn(async move {
        let roles = vec!["node".to_owned(); lost.nodes.len()];
        let create =
            NodesCreate { service: id, roles, cloud: "default".to_owned(), instance_type: None };
        let (state, reason) = match manager.director.create_nodes(&create).await {
            Ok(_) => {
                let _ = manager.director.delete_nodes(&NodesDelete { nodes: lost.nodes }).await;
                (State::Running, None)
            }
            Err(error) if lost.last => (State::Error, Some(error.to_string())),
            Err(error) => (State::Running, Some(error.to_string())),
        };
        let outcome = ServiceReport { revision: next_revision(), state, reason };
        let _ = manager.director.report_service(id, &outcome).await;
    });
    Json(report(State::Adapting))
}

async fn shutdown(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
) -> Json<ServiceReport> {
    tokio::spawn(async move {
        remove_nodes(&manager.director, id).await;
        let _ = manager.director.report_service(id, &report(State::Stopped)).await;
    });
    Json(report(State::Epilogue))
}

async fn remove_nodes(director: &VmClient, id: ServiceId) {
    let Ok(nodes) = director.nodes().await else { return };
    let own = nodes.nodes.into_iter().filter(|node| node.service == Some(id));
    let nodes = own.map(|node| node.id).collect();
    let _ = director.delete_nodes(&NodesDelete { nodes }).await;
}

async fn run_script(Json(parameters): Json<Value>) -> Result<Json<Value>, ApiError> {
    match parameters.get("fail") {
        Some(_) => Err(ApiError::conflict("no code is active").hint("upload some")),
        None => Ok(Json(parameters)),
    }
}

async fn create_volume(
    Shared(manager): Shared<Manager>,
    Path(service): Path<ServiceId>,
    Json(VolumeAdd { name, size_mib, node }): Json<VolumeAdd>,
) -> Result<Json<Volume>, ApiError> {
    let create = VolumeCreate { service, node, name, size_mib };
    let made = manager.director.create_volume(&create).await;
    made.map(Json).map_err(|error| ApiError::conflict(error.to_string()))
}

async fn list_code(Shared(manager): Shared<Manager>, Path(id): Path<ServiceId>) -> Json<Value> {
    Json(json!(manager.keep(id, |kept| CodeVersions { code_versions: kept.versions.clone() })))
}

/// Answers how much it was sent, too.
async fn upload_code(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
    Query(about): Query<CodeUpload>,
    body: Body,
) -> Json<Value> {
    let content = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let length = content.len();
    let code_version = manager.keep(id, |kept| {
        let number = kept.versions.len() + 1;
        let version = CodeVersion {
            id: format!("code-{number}").parse().unwrap(),
            filename: about.filename,
            description: about.description,
            current: false,
            created: time::OffsetDateTime::UNIX_EPOCH,
        };
        kept.versions.push(version.clone());
        kept.contents.push(content);
        version.id
    });
    Json(json!({ "length": length, "code_version": code_version }))
}

async fn enable_code(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
    Json(name): Json<CodeVersionName>,
) -> Json<Value> {
    manager.keep(id, |kept| {
        for version in &mut kept.versions {
            version.current = version.id == name.code_version;
        }
    });
    Json(json!({ "code_version": name.code_version }))
}

async fn download_code(
    Shared(manager): Shared<Manager>,
    Path(id): Path<ServiceId>,
    Query(name): Query<CodeVersionName>,
) -> impl IntoResponse {
    let (filename, content) = manager.keep(id, |kept| {
        let found = kept.versions.iter().position(|version| version.id == name.code_version);
        match found {
            Some(at) => (kept.versions[at].filename.clone(), kept.contents[at].clone()),
            None => ("app.tar.gz".to_owned(), Bytes::from_static(b"the archive")),
        }
    });
    ([(CONTENT_DISPOSITION, format!("attachment; filename=\"{filename}\""))], content)
}
