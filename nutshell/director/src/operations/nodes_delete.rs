//! Removes VMs of a service.

use futures::FutureExt;
use protocol::{ApplicationId, NodeId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::server::{self, Account};
use super::{Begun, Nature, Operation, Step};
use crate::app::{App, Result};
use crate::db;
use crate::db::Writer;

/// Which nodes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodesDeletion {
    nodes: Vec<NodeId>,
}

impl Operation for NodesDeletion {
    const KIND: &'static str = "nodes_delete";
    const NATURE: Nature = Nature::Insistent;
    const STEPS: &'static [Step<Self>] = &[
        Step::new("servers_delete", |app, deletion| servers_delete(app, deletion).boxed()),
        Step::new("nodes_forget", |app, deletion| {
            server::forget(app, &deletion.nodes, Account::Charge).boxed()
        }),
    ];
}

impl NodesDeletion {
    /// Refuses the VMs from now on.
    pub(crate) async fn begin(
        tx: &mut Writer,
        application: ApplicationId,
        nodes: Vec<NodeId>,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, application, now).await?;
        for node in &nodes {
            db::node::set_stopping(tx, *node, operation).await?;
        }
        Begun::record(tx, operation, Self { nodes }).await
    }
}

async fn servers_delete(app: &App, deletion: &NodesDeletion) -> Result<()> {
    for node in &deletion.nodes {
        app.events.node_changed(*node);
    }
    server::delete_all(app, &deletion.nodes).await
}
