//! Logs: the manager's own, its log of each service, and what agents offer.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use protocol::api::log::{LogQuery, LogText};
use protocol::{ApiError, ServiceId};
use services::ServiceError;
use services::manager_half::at;

use super::{Answer, Manager};

/// The one log that the manager itself has, of itself and of each service.
const NAME: &str = "manager.log";

pub(super) async fn get_logs(
    State(manager): State<Arc<Manager>>,
    Query(query): Query<LogQuery>,
) -> Answer<LogText> {
    own(&manager.log_file, &query)
}

pub(super) async fn get_service_logs(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
    Query(query): Query<LogQuery>,
) -> Answer<LogText> {
    let service = manager.application.service(id)?;
    let Some(wanted) = query.node else { return own(&service.log_file(), &query) };
    let context = service.context();
    let node = context.nodes.iter().find(|node| node.id == wanted).ok_or_else(|| {
        ApiError::not_found(format!("service {id} has no node {wanted}"))
            .hint(format!("`cps service list-nodes {id}` lists its nodes"))
    })?;
    let query = LogQuery { node: None, ..query };
    let agent = context.agents.agent(node)?;
    let text = agent.get_logs(&query).await.map_err(at(wanted)).map_err(ApiError::from)?;
    Ok(Json(text))
}

fn own(path: &FilePath, query: &LogQuery) -> Answer<LogText> {
    if let Some(name) = query.name.as_deref().filter(|name| *name != NAME) {
        return Err(ApiError::not_found(format!("the manager has no log `{name}`"))
            .hint("name the node whose log is meant"));
    }
    let log = services::logs::tail(path, query.lines).map_err(ServiceError::file(path))?;
    Ok(Json(LogText { log, available: vec![NAME.to_owned()] }))
}
