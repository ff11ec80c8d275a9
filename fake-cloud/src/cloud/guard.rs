//! Security groups at work: the network follows what the model says of them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Cloud;
use crate::model::{Change, Port, Record, Router, SecurityGroup, SecurityGroupRule, Subnet};

/// The kinds of records that a firewall is made of.
const KINDS: [&str; 5] =
    [Port::KIND, SecurityGroup::KIND, SecurityGroupRule::KIND, Subnet::KIND, Router::KIND];

/// How far the network has followed.
#[derive(Debug)]
pub(super) struct Guard {
    /// How often the model has changed in what concerns the firewall, counted from 1: the first
    /// firewall is wanted in any case.
    wanted: AtomicU64,
    /// The change that the network knows of.
    enforced: AtomicU64,
    /// Held by who tells the network.
    telling: tokio::sync::Mutex<()>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            wanted: AtomicU64::new(1),
            enforced: AtomicU64::new(0),
            telling: tokio::sync::Mutex::default(),
        }
    }
}

impl Guard {
    /// Notes what has changed. Called while the model is locked.
    pub(super) fn note(&self, changes: &[Change]) {
        if changes.iter().any(|change| KINDS.contains(&change.kind)) {
            self.wanted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Cloud {
    /// Returns when the network lets pass what the security groups let pass now. Of many calls at
    /// once the first one works for all that came before it began.
    pub(super) async fn enforce(&self) -> std::io::Result<()> {
        let Guard { wanted, enforced, telling } = &self.guard;
        let change = wanted.load(Ordering::Relaxed);
        let is_done = || !self.network.guards() || enforced.load(Ordering::Relaxed) >= change;
        if is_done() {
            return Ok(());
        }
        let _telling = telling.lock().await;
        if is_done() {
            return Ok(());
        }
        let (now, firewall) = {
            let model = self.read();
            (wanted.load(Ordering::Relaxed), model.firewall())
        };
        self.network.guard(firewall).await?;
        enforced.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// As [`Cloud::enforce`], for a decision that stands whatever the network makes of it; the next
    /// one tries again.
    pub(super) async fn enforce_or_warn(&self) {
        if let Err(error) = self.enforce().await {
            tracing::error!(%error, "failed to enforce the security groups");
        }
    }
}
