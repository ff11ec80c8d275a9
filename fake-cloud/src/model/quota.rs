//! How much a project may use, and the check that it does not use more.

use serde::{Deserialize, Serialize};

use super::error::{Error, Over};
use super::{Model, ProjectId};

/// No limit, as the API writes it.
pub const UNLIMITED: i64 = -1;

/// How much of each resource a project may use; [`UNLIMITED`] for as much as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// Servers.
    pub instances: i64,
    /// Virtual processors of all servers.
    pub cores: i64,
    /// Memory of all servers in MiB.
    pub ram: i64,
    /// Key pairs of one user.
    pub key_pairs: i64,
    /// Metadata items of one server.
    pub metadata_items: i64,
    /// Groups of servers.
    pub server_groups: i64,
    /// Servers of one group.
    pub server_group_members: i64,
    /// Floating IPs.
    pub floating_ips: i64,
    /// Networks.
    pub networks: i64,
    /// Subnets.
    pub subnets: i64,
    /// Routers.
    pub routers: i64,
    /// Ports.
    pub ports: i64,
    /// Security groups.
    pub security_groups: i64,
    /// Rules of all security groups.
    pub security_group_rules: i64,
    /// Volumes.
    pub volumes: i64,
    /// Snapshots of volumes.
    pub snapshots: i64,
    /// Sizes of all volumes and snapshots in GiB.
    pub gigabytes: i64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            instances: 1000,
            cores: 4000,
            ram: 4_000_000,
            key_pairs: 100,
            metadata_items: 128,
            server_groups: 10,
            server_group_members: 10,
            floating_ips: 1000,
            networks: 100,
            subnets: 100,
            routers: 100,
            ports: 5000,
            security_groups: 100,
            security_group_rules: 1000,
            volumes: 1000,
            snapshots: 1000,
            gigabytes: 10_000,
        }
    }
}

/// What a project uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Servers.
    pub instances: u64,
    /// Virtual processors of all servers.
    pub cores: u64,
    /// Memory of all servers in MiB.
    pub ram: u64,
}

/// One resource in a check: what is used, what is asked for and what is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// The resource, by the name the API gives its quota.
    pub resource: &'static str,
    /// How much is in use.
    pub used: u64,
    /// How much is asked for.
    pub requested: u64,
    /// How much may be in use.
    pub limit: i64,
}

/// Refuses when any demand goes over its limit, and names all that do.
pub fn check(demands: &[Demand]) -> Result<(), Error> {
    let over: Vec<Over> = demands
        .iter()
        .filter_map(|demand| {
            let limit = u64::try_from(demand.limit).ok()?;
            (demand.used + demand.requested > limit).then_some(Over {
                resource: demand.resource,
                requested: demand.requested,
                used: demand.used,
                limit,
            })
        })
        .collect();
    if over.is_empty() { Ok(()) } else { Err(Error::OverQuota(over)) }
}

impl Model {
    /// The quotas that hold for a project.
    pub fn quotas(&self, project: ProjectId) -> Quotas {
        let own = self.projects.get(project).and_then(|project| project.quotas);
        self.shortages.apply(own.unwrap_or(self.default_quotas))
    }

    /// What the servers of a project use.
    pub fn usage(&self, project: ProjectId) -> Usage {
        let servers = self.servers.index();
        Usage {
            instances: servers.projects.of(project),
            cores: servers.cores.of(project),
            ram: servers.ram.of(project),
        }
    }

    /// How many floating IPs a project has.
    pub fn floating_ips_used(&self, project: ProjectId) -> u64 {
        self.floating_ips.index().projects.of(project)
    }

    /// How many security groups a project has.
    pub fn security_groups_used(&self, project: ProjectId) -> u64 {
        self.security_groups.iter().filter(|group| group.project_id == project).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(used: u64, requested: u64, limit: i64) -> Demand {
        Demand { resource: "cores", used, requested, limit }
    }

    #[test]
    fn a_quota_may_be_used_up_but_not_exceeded() {
        assert_eq!(check(&[demand(9, 1, 10)]), Ok(()));
        assert_eq!(check(&[demand(1_000_000, 1, UNLIMITED)]), Ok(()));
        let over = Over { resource: "cores", requested: 2, used: 9, limit: 10 };
        assert_eq!(check(&[demand(0, 1, 1), demand(9, 2, 10)]), Err(Error::OverQuota(vec![over])));
    }
}
