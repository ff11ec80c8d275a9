//! The manager's API, as [`protocol::client::ManagerClient`] calls it. Translates only.

mod incoming;
mod logs;
mod methods;
mod services;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use protocol::api::internal::ProcessStatus;
use protocol::identity::{Identity, may_call};
use protocol::tls::Peer;
use protocol::{ApiError, ErrorCode};

use ::services::usage::Meter;

use crate::application::Application;

/// What the endpoints work on.
pub(crate) struct Manager {
    pub(crate) identity: Identity,
    pub(crate) application: Arc<Application>,
    pub(crate) log_file: PathBuf,
    pub(crate) meter: Arc<Meter>,
}

type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) fn router(manager: Arc<Manager>) -> Router {
    Router::new()
        .route("/v1/check_process", get(check_process))
        .route("/v1/get_logs", get(logs::get_logs))
        .route("/v1/services", post(services::add_service))
        .route("/v1/services/{id}", delete(services::remove_service))
        .route("/v1/services/{id}/startup", post(services::startup))
        .route("/v1/services/{id}/shutdown", post(services::shutdown))
        .route("/v1/services/{id}/add_nodes", post(services::add_nodes))
        .route("/v1/services/{id}/remove_nodes", post(services::remove_nodes))
        .route("/v1/services/{id}/replace_nodes", post(services::replace_nodes))
        .route("/v1/services/{id}/get_logs", get(logs::get_service_logs))
        .route("/v1/services/{id}/methods/{method}", get(methods::read).post(methods::write))
        .fallback(async || ApiError::not_found("the manager has nothing of this name"))
        .layer(middleware::from_fn_with_state(Arc::clone(&manager), check_caller))
        .with_state(manager)
}

/// Agents may call their manager, but there is nothing here for them: all that follows is the
/// director's.
async fn check_caller(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match peer.identity {
        Some(caller @ Identity::Director) if may_call(caller, manager.identity) => {
            Ok(next.run(request).await)
        }
        _ => Err(ApiError::new(ErrorCode::Forbidden, "a manager listens to the director alone")),
    }
}

async fn check_process() -> Json<ProcessStatus> {
    Json(ProcessStatus { version: env!("CARGO_PKG_VERSION").to_owned() })
}
