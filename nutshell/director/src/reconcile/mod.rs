//! Compares what should be with what is, and brings the two together: orphaned servers, volumes and
//! security groups, lost nodes, unfinished operations, hours to be charged.
//!
//! One function without input, so that the happy path and the recovery are the same. It runs at
//! the start, when asked, and from time to time; running it again changes nothing.

mod lost;
mod plan;
mod silent;
mod volumes;

use std::sync::Arc;

use cloud::Cloud;
use time::Duration;

use crate::app::{App, Error, Result, error};
use crate::db;
use crate::db::node::NodeRecord;
use crate::operations::TAG_INSTALLATION;
use lost::Loss;
pub(crate) use lost::Watch;
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
            logged("tidy the security groups", self.security_groups_tidy(name).await);
        }
        logged("replace what is lost", self.replace_lost().await);
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
        let mut servers = cloud.servers(TAG_INSTALLATION, &self.tag).await.map_err(failed)?;
        self.watch.judge(name, &mut servers, self.meter.shows());
        let after = self.nodes_of_cloud(name).await?;
        for action in plan::plan(&before, &servers, &after) {
            match action {
                Action::DeleteServer(server) => {
                    tracing::warn!(cloud = name, server, "deleting a server that no node has");
                    cloud.server_delete(&server).await.map_err(failed)?;
                }
                Action::MarkLost(node) => self.node_lost(node, Loss::Gone).await?,
            }
        }
        let released =
            cloud.addresses_release_unused(TAG_INSTALLATION, &self.tag).await.map_err(failed)?;
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
}

fn logged(what: &str, result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(error = error::chain(&error), "failed to {what}");
    }
}
