//! How much a project may use, and the check that it does not use more.

use serde::{Deserialize, Serialize};

use super::error::{Error, Kind, Over};
use super::{Model, ProjectId};

/// No limit, as the API writes it.
pub const UNLIMITED: i64 = -1;

/// Declares the quotas, one a line, each with what holds where nobody has said anything else.
macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident = $usual:literal,)*) => {
        /// How much of each resource a project may use; [`UNLIMITED`] for as much as it likes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Quotas {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Default for Quotas {
            fn default() -> Self {
                Self { $($name: $usual,)* }
            }
        }

        impl Quotas {
            /// The names of all quotas, which are those of the fields.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The quota of that name.
            pub fn limit_mut(&mut self, name: &str) -> Option<&mut i64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

quotas! {
    /// Servers.
    instances = 1000,
    /// Virtual processors of all servers.
    cores = 4000,
    /// Memory of all servers in MiB.
    ram = 4_000_000,
    /// Key pairs of one user.
    key_pairs = 100,
    /// Metadata items of one server.
    metadata_items = 128,
    /// Groups of servers.
    server_groups = 10,
    /// Servers of one group.
    server_group_members = 10,
    /// Floating IPs.
    floating_ips = 1000,
    /// Networks.
    networks = 100,
    /// Subnets.
    subnets = 100,
    /// Routers.
    routers = 100,
    /// Ports.
    ports = 5000,
    /// Security groups.
    security_groups = 1000,
    /// Rules of all security groups.
    security_group_rules = 10_000,
    /// Volumes.
    volumes = 1000,
    /// Snapshots of volumes.
    snapshots = 1000,
    /// Sizes of all volumes and snapshots in GiB.
    gigabytes = 10_000,
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
        self.shortages.apply(self.given_quotas(project))
    }

    /// The quotas that a project was given, whatever the shortages.
    fn given_quotas(&self, project: ProjectId) -> Quotas {
        let own = self.tenants.get(project).and_then(|tenant| tenant.quotas);
        own.unwrap_or(self.default_quotas)
    }

    /// Changes the quotas that a project was given, all of them or none.
    pub fn change_quotas<E: From<Error>>(
        &mut self,
        project: ProjectId,
        change: impl FnOnce(&mut Quotas) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut quotas = self.given_quotas(project);
        change(&mut quotas)?;
        let defaults = self.default_quotas;
        let missing = || Error::not_found(Kind::Project, project);
        self.tenants.get_mut(project).ok_or_else(missing)?.quotas =
            (quotas != defaults).then_some(quotas);
        Ok(())
    }

    /// Lets the usual quotas of these names hold for a project again.
    pub fn reset_quotas(&mut self, project: ProjectId, names: &[&str]) -> Result<(), Error> {
        let mut defaults = self.default_quotas;
        self.change_quotas(project, |quotas| {
            for name in names {
                if let Some((own, usual)) = quotas.limit_mut(name).zip(defaults.limit_mut(name)) {
                    *own = *usual;
                }
            }
            Ok(())
        })
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

    /// How many floating IPs a project has, without the public addresses of EC2's instances.
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
