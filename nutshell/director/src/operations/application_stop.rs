//! Removes all VMs of an application; its services stay.

use std::collections::BTreeSet;

use futures::FutureExt;
use protocol::api::{Node, State};
use protocol::{ApplicationId, NodeId, OperationId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::server::{self, Account};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Result};
use crate::db;
use crate::db::Writer;

/// Which application.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ApplicationStop {
    application: ApplicationId,
    operation: OperationId,
    /// What the user reads about it afterwards.
    reason: Option<String>,
}

impl Operation for ApplicationStop {
    const KIND: &'static str = "application_stop";
    const NATURE: Nature = Nature::Insistent;
    const STEPS: &'static [Step<Self>] = &[
        Step::new("operations_end", |app, stop| {
            operations_end(app, stop.application, stop.operation).boxed()
        }),
        Step::new("servers_delete", |app, stop| servers_delete(app, stop.application).boxed()),
        Step::new("nodes_forget", |app, stop| nodes_forget(app, stop.application).boxed()),
        Step::new("application_stopped", |app, stop| application_stopped(app, stop).boxed()),
    ];
}

impl ApplicationStop {
    /// Records the application as EPILOGUE and refuses its VMs from now on.
    pub(crate) async fn begin(
        tx: &mut Writer,
        application: ApplicationId,
        reason: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, application, now).await?;
        refuse_vms(tx, application, operation).await?;
        let reason = reason.map(str::to_owned);
        Begun::record(tx, operation, Self { application, operation, reason }).await
    }
}

/// The application is going down: none of its VMs is let in any more.
pub(super) async fn refuse_vms(
    tx: &mut Writer,
    application: ApplicationId,
    operation: OperationId,
) -> Result<()> {
    for node in db::node::list_of_application(tx, application).await? {
        db::node::set_stopping(tx, node.id, operation).await?;
    }
    let from = [
        State::Init,
        State::Prologue,
        State::Running,
        State::Adapting,
        State::Epilogue,
        State::Stopped,
        State::Error,
    ];
    db::application::set_state(tx, application, &from, State::Epilogue, None).await?;
    Ok(())
}

/// Whatever was begun before ends first: it learns that its nodes are no longer wanted.
pub(super) async fn operations_end(
    app: &App,
    application: ApplicationId,
    operation: OperationId,
) -> Result<()> {
    for node in nodes(app, application).await? {
        app.events.node_changed(node);
    }
    app.earlier_operations_end(application, operation).await
}

pub(super) async fn servers_delete(app: &App, application: ApplicationId) -> Result<()> {
    let Err(error) = server::delete_all(app, &nodes(app, application).await?).await else {
        return Ok(());
    };
    // The user sees why it takes so long.
    let told = protocol::ApiError::from(error);
    let reason = format!("{}; it will be tried again", told.message);
    let mut tx = app.db.write().await?;
    let (from, reason) = ([State::Epilogue], Some(reason.as_str()));
    db::application::set_state(&mut tx, application, &from, State::Epilogue, reason).await?;
    tx.commit().await?;
    app.publish_application(application).await;
    Err(crate::app::Error::Passed(told))
}

/// Removes the records of its VMs, and the security groups that guarded them.
pub(super) async fn nodes_forget(app: &App, application: ApplicationId) -> Result<()> {
    let nodes = list(app, application).await?;
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
    server::forget(app, &ids, Account::Charge).await?;
    let clouds: BTreeSet<String> = nodes.into_iter().map(|node| node.cloud).collect();
    for cloud in clouds {
        if let Err(error) = app.security_groups_tidy(&cloud).await {
            // The reconciler does the same, again and again.
            tracing::warn!(cloud, error = crate::app::error::chain(&error), "groups are left");
        }
    }
    Ok(())
}

async fn nodes(app: &App, application: ApplicationId) -> Result<Vec<NodeId>> {
    Ok(list(app, application).await?.into_iter().map(|node| node.id).collect())
}

async fn list(app: &App, application: ApplicationId) -> Result<Vec<Node>> {
    let mut connection = app.db.read().await?;
    Ok(db::node::list_of_application(&mut connection, application).await?)
}

async fn application_stopped(app: &App, stop: &ApplicationStop) -> Result<()> {
    let (id, reason) = (stop.application, stop.reason.as_deref());
    let mut tx = app.db.write().await?;
    db::service::stop_all(&mut tx, id, app.now()).await?;
    db::application::set_state(&mut tx, id, &[State::Epilogue], State::Stopped, reason).await?;
    let services = db::service::list_of_application(&mut tx, id).await?;
    tx.commit().await?;
    app.managers.forget(id);
    app.publish_application(id).await;
    for record in services {
        app.publish_service(record.service.id).await;
    }
    Ok(())
}
