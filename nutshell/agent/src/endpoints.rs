//! The agent's API, as [`protocol::client::AgentClient`] calls it. Translates only.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use futures::{StreamExt, TryStreamExt};
use protocol::api::internal::ProcessStatus;
use protocol::api::log::{LogQuery, LogText};
use protocol::api::usage::UsageHistory;
use protocol::identity::{Identity, may_call};
use protocol::tls::Peer;
use protocol::{ApiError, ErrorCode};
use serde_json::{Map, Value};
use services::usage::Meter;
use services::{AgentHalf, ServiceError};

/// What the endpoints work on.
pub(crate) struct Agent {
    pub(crate) identity: Identity,
    pub(crate) half: Arc<dyn AgentHalf>,
    pub(crate) log_file: PathBuf,
    pub(crate) meter: Arc<Meter>,
}

/// Commands carry names and lists of nodes; files are streamed.
const LONGEST_COMMAND: usize = 4 << 20;

type Answer<T> = Result<Json<T>, ApiError>;
type Parameters = Query<Map<String, Value>>;

pub(crate) fn router(agent: Arc<Agent>) -> Router {
    Router::new()
        .route("/v1/check_agent_process", get(check_agent_process))
        .route("/v1/get_logs", get(get_logs))
        .route("/v1/get_usage", get(get_usage))
        .route("/v1/methods/{method}", get(method_query).post(method_call))
        .fallback(async || ApiError::not_found("the agent has nothing of this name"))
        .layer(middleware::from_fn_with_state(Arc::clone(&agent), check_caller))
        .with_state(agent)
}

/// Nobody but the manager of the agent's own application gets further.
async fn check_caller(
    State(agent): State<Arc<Agent>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match peer.identity {
        Some(caller) if may_call(caller, agent.identity) => Ok(next.run(request).await),
        _ => Err(ApiError::new(ErrorCode::Forbidden, "an agent listens to its manager alone")),
    }
}

async fn check_agent_process() -> Json<ProcessStatus> {
    Json(ProcessStatus { version: env!("CARGO_PKG_VERSION").to_owned() })
}

async fn get_usage(State(agent): State<Arc<Agent>>) -> Json<UsageHistory> {
    Json(agent.meter.history())
}

/// The names are looked up, never made into a path.
async fn get_logs(
    State(agent): State<Arc<Agent>>,
    Query(query): Query<LogQuery>,
) -> Answer<LogText> {
    const OWN: &str = "agent.log";
    let mut logs = vec![(OWN, agent.log_file.clone())];
    logs.extend(agent.half.logs());
    let available: Vec<String> = logs.iter().map(|(name, _)| (*name).to_owned()).collect();
    let wanted = query.name.as_deref().unwrap_or(OWN);
    let Some((_, path)) = logs.into_iter().find(|(name, _)| *name == wanted) else {
        return Err(ApiError::not_found(format!("there is no log `{wanted}`"))
            .hint(format!("there are {}", available.join(", "))));
    };
    let log = services::logs::tail(&path, query.lines).map_err(ServiceError::file(&path))?;
    Ok(Json(LogText { log, available }))
}

async fn method_query(
    State(agent): State<Arc<Agent>>,
    Path(method): Path<String>,
    Query(parameters): Parameters,
) -> Answer<Value> {
    Ok(Json(agent.half.query(&method, parameters.into()).await?))
}

/// What comes as JSON is a command; anything else is a file with its parameters in the query.
async fn method_call(
    State(agent): State<Arc<Agent>>,
    Path(method): Path<String>,
    Query(parameters): Parameters,
    request: Request,
) -> Answer<Value> {
    let (head, body) = request.into_parts();
    if head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        let body = to_bytes(body, LONGEST_COMMAND)
            .await
            .map_err(|_| ApiError::new(ErrorCode::TooLarge, "the command is too large"))?;
        let parameters = serde_json::from_slice(&body)
            .map_err(|error| ApiError::invalid(format!("the command is no JSON: {error}")))?;
        return Ok(Json(agent.half.command(&method, parameters).await?));
    }
    let content = body.into_data_stream().map_err(std::io::Error::other).boxed();
    Ok(Json(agent.half.upload(&method, parameters.into(), content).await?))
}

#[cfg(test)]
mod tests;
