//! Compares what should be with what is, and brings the two together: orphaned servers, lost
//! nodes, unfinished operations, hours to be charged.
//!
//! One function without input, so that the happy path and the recovery are the same. It runs at
//! the start, when asked, and from time to time; running it again changes nothing.

mod plan;
mod volumes;

use std::sync::Arc;

use cloud::Cloud;
use protocol::NodeId;
use protocol::api::{NodeState, State};
use time::Duration;

use crate::app::{App, Error, Result, error};
use crate::db;
use crate::db::node::NodeRecord;
use crate::operations::TAG_INSTALLATION;
use plan::Action;

/// How long the record of an operation that ended is kept.
const OPERATIONS_KEPT: Duration = Duration::days(30);

impl App {
    /// Reconciles until the director shuts down.
    pub(crate) async fn reconcile_forever(self) {
        loop {
            self.reconcile_once().await;
            tokio::select! {
                () = self.reconcile.notified() => {}
                () = tokio::time::sleep(self.tuning.reconcile_every) => {}
            }
        }
    }

    /// Each part does what it can; what failed is tried again next time.
    pub(crate) async fn reconcile_once(&self) {
        logged("take up operations", self.operations_take_up(false).await);
        logged("charge credits", self.credits_charge().await);
        logged("forget what has expired", self.forget_expired().await);
        for (name, cloud) in &self.clouds {
            logged("compare nodes and servers", self.reconcile_cloud(name, cloud).await);
            logged("compare volumes", self.reconcile_volumes(name, cloud).await);
        }
    }

    async fn forget_expired(&self) -> Result<()> {
        let mut tx = self.db.write().await?;
        db::session::delete_expired(&mut tx, self.now()).await?;
        db::node::certificates_delete_expired(&mut tx, self.now()).await?;
        db::operation::delete_ended(&mut tx, self.now() - OPERATIONS_KEPT).await?;
        Ok(tx.commit().await?)
    }

    async fn reconcile_cloud(&self, name: &str, cloud: &Arc<dyn Cloud>) -> Result<()> {
        let failed = |source| Error::Cloud { cloud: name.to_owned(), source };
        let before = self.nodes_of_cloud(name).await?;
        let servers = cloud.servers(TAG_INSTALLATION, &self.installation).await.map_err(failed)?;
        let after = self.nodes_of_cloud(name).await?;
        for action in plan::plan(&before, &servers, &after) {
            match action {
                Action::DeleteServer(server) => {
                    tracing::warn!(cloud = name, server, "deleting a server that no node has");
                    cloud.server_delete(&server).await.map_err(failed)?;
                }
                Action::MarkLost(node) => self.node_lost(node).await?,
            }
        }
        let released = cloud
            .addresses_release_unused(TAG_INSTALLATION, &self.installation)
            .await
            .map_err(failed)?;
        if !released.is_empty() {
            tracing::warn!(cloud = name, ?released, "released addresses that served nothing");
        }
        Ok(())
    }

    async fn nodes_of_cloud(&self, name: &str) -> Result<Vec<NodeRecord>> {
        let mut nodes = db::node::list(&mut *self.db.read().await?).await?;
        nodes.retain(|record| record.node.cloud == name);
        Ok(nodes)
    }

    /// Says where it shows that the cloud no longer has the node's server.
    async fn node_lost(&self, id: NodeId) -> Result<()> {
        let mut tx = self.db.write().await?;
        let Some(record) = db::node::view(&mut tx, id).await? else { return Ok(()) };
        if !db::node::set_state(&mut tx, id, NodeState::Lost).await? {
            return Ok(());
        }
        db::node::meter_end(&mut tx, id, self.meter.shows()).await?;
        let application = record.node.application;
        match record.node.service {
            Some(service) => {
                let reason = format!("the cloud lost node {id}");
                db::service::set_reason(&mut tx, service, &reason).await?;
            }
            None => {
                let reason = Some("the cloud lost its manager");
                let from = [State::Running, State::Adapting];
                db::application::set_state(&mut tx, application, &from, State::Error, reason)
                    .await?;
            }
        }
        tx.commit().await?;
        tracing::warn!(node = %id, "the cloud lost a node");
        self.publish_node_of(&record.node).await;
        Ok(())
    }
}

fn logged(what: &str, result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(error = error::chain(&error), "failed to {what}");
    }
}
