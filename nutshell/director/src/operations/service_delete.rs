//! Removes a service with its nodes, whether or not its manager answers.

use std::time::Duration;

use futures::FutureExt;
use protocol::api::State;
use protocol::{ApplicationId, NodeId, OperationId, ServiceId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::server::{self, Account};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Error, Result, error, manager};
use crate::db;
use crate::db::Writer;

/// How long a manager may take to stop a service before it is removed from under it.
const GRACE: Duration = Duration::from_secs(120);

/// Which service, and whose.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServiceDelete {
    user: UserId,
    application: ApplicationId,
    service: ServiceId,
    operation: OperationId,
}

impl Operation for ServiceDelete {
    const KIND: &'static str = "service_delete";
    const NATURE: Nature = Nature::Insistent;
    const STEPS: &'static [Step<Self>] = &[
        Step::new("manager_remove", |app, delete| manager_remove(app, delete).boxed()),
        Step::new("operations_end", |app, delete| operations_end(app, delete).boxed()),
        Step::new("servers_delete", |app, delete| servers_delete(app, delete).boxed()),
        Step::new("nodes_forget", |app, delete| nodes_forget(app, delete).boxed()),
        Step::new("service_forget", |app, delete| service_forget(app, delete).boxed()),
    ];
}

impl ServiceDelete {
    /// Refuses new nodes for the service from now on.
    pub(crate) async fn begin(
        tx: &mut Writer,
        user: UserId,
        application: ApplicationId,
        service: ServiceId,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, application, now).await?;
        db::service::set_deleting(tx, service).await?;
        Begun::record(tx, operation, Self { user, application, service, operation }).await
    }
}

/// A manager at work stops the service itself. One that will not, or is gone, holds up nothing.
async fn manager_remove(app: &App, delete: &ServiceDelete) -> Result<()> {
    let id = delete.application;
    let application = match app.application_settled(delete.user, id).await {
        Err(Error::NotFound { .. }) => return Ok(()),
        settled => settled?,
    };
    if application.state != State::Running {
        return Ok(());
    }
    let manager = app.manager(&application).await?;
    if let Err(error) = manager::call(id, GRACE, manager.remove_service(delete.service)).await {
        let cause = error::chain(&error);
        tracing::warn!(service = %delete.service, error = cause, "its manager did not remove it");
    }
    Ok(())
}

/// Nodes that are still being made for it are given up.
async fn operations_end(app: &App, delete: &ServiceDelete) -> Result<()> {
    let nodes = nodes(app, delete).await?;
    let mut tx = app.db.write().await?;
    for node in &nodes {
        db::node::set_stopping(&mut tx, *node, delete.operation).await?;
    }
    tx.commit().await?;
    for node in nodes {
        app.events.node_changed(node);
    }
    app.earlier_operations_end(delete.application, delete.operation).await
}

async fn servers_delete(app: &App, delete: &ServiceDelete) -> Result<()> {
    server::delete_all(app, &nodes(app, delete).await?).await
}

async fn nodes_forget(app: &App, delete: &ServiceDelete) -> Result<()> {
    server::forget(app, &nodes(app, delete).await?, Account::Charge).await
}

async fn nodes(app: &App, delete: &ServiceDelete) -> Result<Vec<NodeId>> {
    let mut connection = app.db.read().await?;
    let nodes = db::node::list_of_service(&mut connection, delete.service).await?;
    Ok(nodes.into_iter().map(|node| node.id).collect())
}

async fn service_forget(app: &App, delete: &ServiceDelete) -> Result<()> {
    let mut tx = app.db.write().await?;
    db::service::delete(&mut tx, delete.service).await?;
    tx.commit().await?;
    app.service_gone(delete.user, delete.service).await;
    Ok(())
}
