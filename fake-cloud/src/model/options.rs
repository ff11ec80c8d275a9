//! What EC2's clients set of a server besides what both APIs know.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::Error;
use super::quota::{self, Demand};
use super::{Caller, Flavor, Model, SecurityGroupId, Server};

/// What may be set of a server in EC2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether EC2 refuses to terminate it.
    pub termination_protected: bool,
    /// Whether EC2 refuses to stop it.
    pub stop_protected: bool,
    /// Whether it has a public address without an address that its owner has asked for.
    pub public_address: bool,
    /// Whether it is removed when it shuts down by itself.
    pub terminates_on_shutdown: bool,
    /// Whether it is watched in detail: shown, and no more.
    pub monitored: bool,
    /// How its metadata service answers.
    pub metadata: MetadataOptions,
}

/// How a server's metadata service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetadataOptions {
    /// Whether it answers at all.
    pub enabled: bool,
    /// Whether it answers in sessions only.
    pub tokens_required: bool,
    /// How far its answers may travel: shown, and no more.
    pub hop_limit: u8,
    /// Whether it tells the server's tags.
    pub tags: bool,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self { enabled: true, tokens_required: false, hop_limit: 1, tags: false }
    }
}

impl Model {
    /// Makes a server that is off another size, within the quota.
    pub fn change_flavor(
        &mut self,
        caller: &Caller,
        id: &str,
        flavor: Flavor,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let server = self.server(caller, id)?;
        self.check_flavor_change(server, &flavor)?;
        let mut server = self.server_mut(caller, id)?;
        server.flavor = flavor;
        server.updated = now;
        Ok(())
    }

    /// Refuses a flavor with which the server would exceed the quota.
    pub(super) fn check_flavor_change(
        &self,
        server: &Server,
        flavor: &Flavor,
    ) -> Result<(), Error> {
        let (quotas, usage) = (self.quotas(server.project_id), self.usage(server.project_id));
        let demand = |resource, used, before: u64, after: u64, limit| Demand {
            resource,
            used,
            requested: after.saturating_sub(before),
            limit,
        };
        let before = &server.flavor;
        let demands = [
            demand("cores", usage.cores, before.vcpus.into(), flavor.vcpus.into(), quotas.cores),
            demand("ram", usage.ram, before.ram_mib, flavor.ram_mib, quotas.ram),
        ];
        // Who needs no more may have less, even where there is too much in use already.
        let more: Vec<_> = demands.into_iter().filter(|demand| demand.requested > 0).collect();
        quota::check(&more)
    }

    /// Guards a server's first port by other security groups.
    pub fn set_server_groups(
        &mut self,
        caller: &Caller,
        id: &str,
        groups: Vec<SecurityGroupId>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut server = self.server_mut(caller, id)?;
        server.security_groups.clone_from(&groups);
        server.updated = now;
        drop(server);
        let port = self.primary_port(self.server(caller, id)?).map(|port| port.id);
        if let Some(mut port) = port.and_then(|port| self.ports.get_mut(port)) {
            port.security_groups = groups;
            port.standard.touch(now);
        }
        Ok(())
    }
}
