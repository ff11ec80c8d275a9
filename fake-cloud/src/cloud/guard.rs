//! Security groups at work: the network follows what the model says of them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Cloud;
use crate::model::{Change, Port, Record, SecurityGroup, SecurityGroupRule};

/// The kinds of records that a firewall is made of.
const KINDS: [&str; 3] = [Port::KIND, SecurityGroup::KIND, SecurityGroupRule::KIND];

/// How far the network has followed.
#[derive(Debug)]
pub(super) struct Guard {
    /// How often the model has changed in what concerns the firewall, counted from 1: the first
    /// firewall is wanted in any case.
    wanted: AtomicU64,
    /// The change that the network knows of.
    enforced: tokio::sync::Mutex<u64>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { wanted: AtomicU64::new(1), enforced: tokio::sync::Mutex::new(0) }
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
        if !self.network.guards() {
            return Ok(());
        }
        let wanted = self.guard.wanted.load(Ordering::Relaxed);
        let mut enforced = self.guard.enforced.lock().await;
        if *enforced >= wanted {
            return Ok(());
        }
        let (now, firewall) = {
            let model = self.read();
            (self.guard.wanted.load(Ordering::Relaxed), model.firewall())
        };
        self.network.guard(firewall).await?;
        *enforced = now;
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
