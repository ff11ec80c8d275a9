//! What the VMs of a service measured: asked of all of them when somebody wants to know.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use protocol::api::usage::{METRICS_TYPE, ServiceUsage};
use services::usage::prometheus;

use super::Manager;
use crate::service::Service;

/// How long a node may take; one that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn of_service(manager: &Manager, service: &Arc<Service>) -> ServiceUsage {
    let context = service.context();
    let nodes = join_all(context.nodes.iter().map(async |node| {
        let agent = context.agents.agent(node).ok()?;
        let history = tokio::time::timeout(PATIENCE, agent.get_usage()).await.ok()?.ok()?;
        Some((node.id, history))
    }));
    let nodes = nodes.await.into_iter().flatten().collect();
    ServiceUsage { manager: manager.meter.history(), nodes }
}

pub(super) async fn metrics(manager: &Manager, service: &Arc<Service>) -> Response {
    let text = prometheus(service.id, &of_service(manager, service).await);
    ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}
