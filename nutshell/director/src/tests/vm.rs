//! What runs in a server of the cloud in memory: a manager or an agent that does as the real ones.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use futures::StreamExt;
use protocol::api::State;
use protocol::api::internal::{NodesCreate, NodesDelete, ProcessStatus, ServiceAdd, ServiceReport};
use protocol::api::log::LogText;
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
        .route("/v1/services/{id}/add_nodes", post(startup))
        .route("/v1/services/{id}/methods/get_script_status", get(async || "{\"nodes\":{}}"))
        .route("/v1/services/{id}/methods/run", post(run_script))
        .route("/v1/services/{id}/methods/upload_code", post(upload_code))
        .route("/v1/services/{id}/methods/download_code", get(download_code))
        .with_state(director.clone());
    // Its connections go with the server, not only its listener.
    let power = CancellationToken::new();
    tokio::spawn(serve(listener, router, power.clone()));
    let _off = power.drop_guard();
    report_ready(&director).await;
    std::future::pending::<()>().await;
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

async fn add_service(Json(_): Json<ServiceAdd>) -> Json<ServiceReport> {
    Json(report(State::Init))
}

async fn remove_service(
    Shared(director): Shared<VmClient>,
    Path(id): Path<ServiceId>,
) -> Json<Value> {
    remove_nodes(&director, id).await;
    Json(Value::Null)
}

/// Starts with one node, or grows by one.
async fn startup(
    Shared(director): Shared<VmClient>,
    Path(id): Path<ServiceId>,
) -> Json<ServiceReport> {
    tokio::spawn(async move {
        let roles = vec!["node".to_owned()];
        let create = NodesCreate { service: id, roles, cloud: "default".to_owned() };
        let outcome = match director.create_nodes(&create).await {
            Ok(nodes) => {
                assert_eq!(nodes.nodes.len(), 1);
                report(State::Running)
            }
            Err(error) => ServiceReport {
                revision: next_revision(),
                state: State::Error,
                reason: Some(error.to_string()),
            },
        };
        let _ = director.report_service(id, &outcome).await;
    });
    Json(report(State::Prologue))
}

async fn shutdown(
    Shared(director): Shared<VmClient>,
    Path(id): Path<ServiceId>,
) -> Json<ServiceReport> {
    tokio::spawn(async move {
        remove_nodes(&director, id).await;
        let _ = director.report_service(id, &report(State::Stopped)).await;
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

/// Answers how much it was sent.
async fn upload_code(body: Body) -> Json<Value> {
    let lengths = body.into_data_stream().map(|chunk| chunk.map(|chunk| chunk.len()).unwrap_or(0));
    let length = lengths.fold(0, |sum, length| async move { sum + length }).await;
    Json(json!({ "length": length }))
}

async fn download_code() -> impl IntoResponse {
    ([(CONTENT_DISPOSITION, "attachment; filename=\"app.tar.gz\"")], "the archive")
}
