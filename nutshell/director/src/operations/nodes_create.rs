//! Makes VMs for a service: all of them, with their agents ready, or none.

use futures::FutureExt;
use protocol::api::Service;
use protocol::api::internal::NodesCreate;
use protocol::{NodeId, UserId};
use serde::{Deserialize, Serialize};

use super::server::{self, Account};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Result};
use crate::db;
use crate::db::Writer;
use crate::db::node::NewNode;

/// Which nodes, and whose.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodesCreation {
    user: UserId,
    pub(crate) nodes: Vec<NodeId>,
}

impl Operation for NodesCreation {
    const KIND: &'static str = "nodes_create";
    const NATURE: Nature = Nature::Unwound;
    const STEPS: &'static [Step<Self>] = &[
        Step::recorded("nodes_record", |app, creation, _| {
            server::forget(app, &creation.nodes, Account::Refund).boxed()
        }),
        Step::undoable(
            "servers_create",
            |app, creation| server::create_all(app, creation.user, &creation.nodes).boxed(),
            |app, creation, _| server::delete_all(app, &creation.nodes).boxed(),
        ),
        Step::new("agents_ready", |app, creation| {
            server::await_all_ready(app, &creation.nodes).boxed()
        }),
    ];
}

impl NodesCreation {
    /// Records the nodes with the charge of their first hour.
    pub(crate) async fn begin(
        tx: &mut Writer,
        app: &App,
        user: UserId,
        service: &Service,
        create: NodesCreate,
    ) -> Result<Begun<Self>> {
        let NodesCreate { roles, cloud, instance_type, .. } = create;
        let usual = app.cloud(&cloud)?.usual_instance_type();
        let instance_type = instance_type.unwrap_or_else(|| usual.to_owned());
        let (application, now) = (service.application, app.now());
        let metered_from = app.meter.shows();
        let operation = super::insert::<Self>(tx, application, now).await?;
        let mut nodes = Vec::with_capacity(roles.len());
        for role in &roles {
            let service = Some(service.id);
            let (cloud, instance_type) = (cloud.as_str(), instance_type.as_str());
            let new = NewNode {
                application,
                service,
                role,
                cloud,
                instance_type,
                operation,
                metered_from,
            };
            let node = db::node::insert(tx, &new, now).await?;
            db::credit::charge(tx, user, node, 0, now).await?;
            nodes.push(node);
        }
        Begun::record(tx, operation, Self { user, nodes }).await
    }
}
