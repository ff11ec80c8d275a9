//! Services: added and removed, started and stopped, grown and shrunk.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use protocol::ServiceId;
use protocol::api::internal::{NodesReplace, ServiceAdd, ServiceReport};
use protocol::api::{NodesAdd, NodesRemove, ServiceStart};

use super::{Answer, Manager};

pub(super) async fn add_service(
    State(manager): State<Arc<Manager>>,
    Json(add): Json<ServiceAdd>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.add(&add).await?))
}

pub(super) async fn remove_service(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
) -> Answer<()> {
    let application = Arc::clone(&manager.application);
    // Completed also when the caller has gone.
    let removal = tokio::spawn(async move { application.remove(id).await });
    removal.await.expect("removing a service does not panic")?;
    Ok(Json(()))
}

pub(super) async fn startup(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
    Json(start): Json<ServiceStart>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.service(id)?.startup(start).await?))
}

pub(super) async fn shutdown(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.service(id)?.shutdown().await?))
}

pub(super) async fn add_nodes(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
    Json(add): Json<NodesAdd>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.service(id)?.add_nodes(add).await?))
}

pub(super) async fn remove_nodes(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
    Json(remove): Json<NodesRemove>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.service(id)?.remove_nodes(remove).await?))
}

pub(super) async fn replace_nodes(
    State(manager): State<Arc<Manager>>,
    Path(id): Path<ServiceId>,
    Json(lost): Json<NodesReplace>,
) -> Answer<ServiceReport> {
    Ok(Json(manager.application.service(id)?.replace_nodes(lost).await?))
}
