//! Makes an application's manager, and waits until it is at work.

use futures::FutureExt;
use protocol::api::State;
use protocol::{ApiError, ApplicationId, NodeId, UserId};
use serde::{Deserialize, Serialize};

use super::server::{self, Account};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Error, Result};
use crate::db;
use crate::db::Writer;
use crate::db::node::NewNode;

/// The role of a manager's node.
const ROLE: &str = "manager";

/// Which application, and the node of its manager.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ApplicationStart {
    user: UserId,
    application: ApplicationId,
    node: NodeId,
}

impl Operation for ApplicationStart {
    const KIND: &'static str = "application_start";
    const NATURE: Nature = Nature::Resumed;
    const STEPS: &'static [Step<Self>] = &[
        Step::recorded("node_record", |app, start, failure| {
            node_forget(app, start, failure).boxed()
        }),
        Step::undoable(
            "server_create",
            |app, start| server::create(app, start.user, start.node).boxed(),
            |app, start, _| server::delete(app, start.node).boxed(),
        ),
        Step::new("manager_ready", |app, start| server::await_ready(app, start.node).boxed()),
        Step::new("services_push", |app, start| app.services_push(start.application).boxed()),
        Step::new("application_run", |app, start| application_run(app, start).boxed()),
    ];
}

impl ApplicationStart {
    /// Records the node with its first hour's charge, and the application as PROLOGUE.
    pub(crate) async fn begin(
        tx: &mut Writer,
        app: &App,
        user: UserId,
        application: ApplicationId,
        cloud: &str,
    ) -> Result<Begun<Self>> {
        let (now, metered_from) = (app.now(), app.meter.shows());
        let operation = super::insert::<Self>(tx, application, now).await?;
        let new = NewNode {
            application,
            service: None,
            role: ROLE,
            cloud,
            instance_type: app.cloud(cloud)?.usual_instance_type(),
            operation,
            metered_from,
        };
        let node = db::node::insert(tx, &new, now).await?;
        db::credit::charge(tx, user, node, 0, now).await?;
        let from = [State::Init, State::Stopped, State::Error];
        db::application::set_state(tx, application, &from, State::Prologue, None).await?;
        Begun::record(tx, operation, Self { user, application, node }).await
    }
}

async fn node_forget(app: &App, start: &ApplicationStart, failure: &ApiError) -> Result<()> {
    server::forget(app, &[start.node], Account::Refund).await?;
    let mut tx = app.db.write().await?;
    // Left alone when the user stops it: then the failure is that very wish.
    let (id, from, reason) =
        (start.application, [State::Prologue, State::Running], Some(failure.message.as_str()));
    db::application::set_state(&mut tx, id, &from, State::Error, reason).await?;
    tx.commit().await?;
    app.managers.forget(id);
    app.publish_application(id).await;
    Ok(())
}

async fn application_run(app: &App, start: &ApplicationStart) -> Result<()> {
    let id = start.application;
    let mut tx = app.db.write().await?;
    let from = [State::Prologue, State::Running];
    let runs = db::application::set_state(&mut tx, id, &from, State::Running, None).await?;
    tx.commit().await?;
    if !runs {
        return Err(Error::Cancelled);
    }
    app.publish_application(id).await;
    Ok(())
}
