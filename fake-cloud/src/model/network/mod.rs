//! Networks and what all things of the network API have in common.

mod address_pair;
mod floating_ip;
mod floating_pool;
mod port;
mod rbac;
mod router;
mod subnet;
mod subnet_pool;
mod used;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Broken, Error, Kind};
use super::quota::{self, Demand};
use super::table::{Changing, record};
use super::{Caller, Model, NetworkId, ProjectId, Vpc};

pub use address_pair::AddressPair;
pub use floating_ip::{FloatingIp, NewFloatingIp, Target};
pub use port::{Device, FixedIp, NewPort, Port, WantedIp};
pub use rbac::RbacPolicy;
pub use router::{Gateway, GatewayWanted, InterfaceWanted, NewRouter, Router};
pub use subnet::{HostRoute, NewSubnet, Subnet, SubnetChanges};
pub use subnet_pool::{NewSubnetPool, SubnetPool};

/// What all things of the network API have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StandardAttributes {
    /// What its owner says of it.
    pub description: String,
    /// Free-form labels, Neutron's tags.
    pub labels: BTreeSet<String>,
    /// How often it has changed.
    pub revision: u64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether floating IPs come from it; servers are never plugged into such a network.
    pub external: bool,
    /// Whether all projects may use it.
    pub shared: bool,
    /// Whether it is meant to work.
    pub admin_up: bool,
    /// Whether it is the external network that is chosen when none is named.
    pub is_default: bool,
    /// Whether ports are guarded unless they say otherwise.
    pub port_security: bool,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// What the administrator says it is made of.
    pub provider: Provider,
    /// Where it was asked to be.
    pub zone_hints: Vec<String>,
    /// Whom it is shared with, one by one.
    #[serde(default)]
    pub policies: Vec<RbacPolicy>,
    /// Whether the settings name it.
    pub built_in: bool,
    /// What EC2 knows of it, when it was made as a VPC.
    #[serde(default)]
    pub vpc: Option<Vpc>,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// What a network is made of, as far as anyone says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// The kind: `local`, `flat`, `vlan` …
    pub kind: String,
    /// The physical network.
    pub physical: Option<String>,
    /// The number of the segment.
    pub segment: Option<u32>,
}

/// What is wanted of a new network.
#[derive(Debug, Clone)]
pub struct NewNetwork {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether floating IPs come from it.
    pub external: bool,
    /// Whether all projects may use it.
    pub shared: bool,
    /// The largest packet in bytes, if not the largest there may be.
    pub mtu: Option<u32>,
}

impl StandardAttributes {
    /// Those of a new thing.
    pub fn new(description: &str, now: OffsetDateTime) -> Self {
        Self {
            description: description.to_owned(),
            labels: BTreeSet::new(),
            revision: 0,
            created: now,
            updated: now,
        }
    }

    /// Notes a change.
    pub fn touch(&mut self, now: OffsetDateTime) {
        self.revision += 1;
        self.updated = now;
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self { kind: "local".to_owned(), physical: None, segment: None }
    }
}

impl Network {
    /// Whether the caller may see it and, unless it is external, plug servers into it.
    pub fn visible_to(&self, caller: &Caller) -> bool {
        self.external
            || caller.sees(self.project_id)
            || self.is_shared()
            || caller.project_id.is_some_and(|project| self.is_shared_with(project))
    }
}

impl Model {
    /// A network that the caller may see.
    pub fn network(&self, caller: &Caller, id: &str) -> Result<&Network, Error> {
        let found = id.parse().ok().and_then(|id| self.networks.get(id));
        found
            .filter(|network| network.visible_to(caller))
            .ok_or_else(|| Error::not_found(Kind::Network, id))
    }

    /// A network that the caller may change.
    pub fn network_to_change(
        &mut self,
        caller: &Caller,
        id: &str,
    ) -> Result<Changing<'_, Network>, Error> {
        let network = self.network(caller, id)?;
        if !caller.sees(network.project_id) {
            return Err(not_owner("network"));
        }
        let id = network.id;
        self.networks.get_mut(id).ok_or_else(|| Error::not_found(Kind::Network, id))
    }

    /// The network that the settings name for servers.
    pub fn private_network(&self) -> Option<&Network> {
        self.networks.iter().find(|network| network.built_in && !network.external)
    }

    /// The network that floating IPs come from when none is named.
    pub fn public_network(&self) -> Option<&Network> {
        self.networks.iter().find(|network| network.external)
    }

    /// Makes a network, without addresses yet.
    pub fn create_network(
        &mut self,
        wanted: NewNetwork,
        now: OffsetDateTime,
    ) -> Result<NetworkId, Error> {
        let project = wanted.project_id;
        let used = self.networks.iter().filter(|network| network.project_id == project);
        let used = used.count() as u64;
        let limit = self.quotas(project).networks;
        quota::check(&[Demand { resource: "network", used, requested: 1, limit }])?;
        self.check_mtu(wanted.mtu)?;
        Ok(self.insert_network(wanted, now))
    }

    /// Refuses packets that are larger than what carries them.
    pub fn check_mtu(&self, wanted: Option<u32>) -> Result<(), Error> {
        let most = self.largest_packet;
        if wanted.is_none_or(|wanted| wanted <= most) {
            return Ok(());
        }
        Err(Broken::invalid(
            "InvalidInput",
            format!("Invalid input for operation: Requested MTU is too big, maximum is {most}."),
        ))
    }

    /// Makes a network, whatever the quota says.
    pub(super) fn insert_network(&mut self, wanted: NewNetwork, now: OffsetDateTime) -> NetworkId {
        let id = NetworkId::random();
        let mut standard = StandardAttributes::new(&wanted.description, now);
        standard.revision = 1;
        self.networks.insert(Network {
            id,
            name: wanted.name,
            project_id: wanted.project_id,
            external: wanted.external,
            shared: wanted.shared,
            admin_up: true,
            is_default: false,
            port_security: true,
            mtu: wanted.mtu.unwrap_or(self.largest_packet),
            provider: Provider::default(),
            zone_hints: Vec::new(),
            policies: Vec::new(),
            built_in: false,
            vpc: None,
            tags: BTreeMap::new(),
            standard,
        });
        id
    }

    /// Removes a network on which there is no port, with its subnets.
    pub fn delete_network(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let id = self.network_to_change(caller, id)?.id;
        let ports = self.ports.iter().filter(|port| port.network_id == id);
        let ports = ports.map(|port| port.id.to_string());
        let floating = self.floating_ips.iter().filter(|ip| ip.network_id == id);
        let used: Vec<String> = ports.chain(floating.map(|ip| ip.id.to_string())).collect();
        if !used.is_empty() {
            return Err(Broken::conflict(
                "NetworkInUse",
                format!(
                    "Unable to complete operation on network {id}. There are one or more ports \
                     still in use on the network, id for these ports is: {}.",
                    used.join(",")
                ),
            ));
        }
        let subnets: Vec<_> = self.subnets_of(id).map(|subnet| subnet.id).collect();
        for subnet in subnets {
            self.subnets.remove(subnet);
        }
        self.networks.remove(id);
        self.forget_vpc(id);
        Ok(())
    }

    /// Decides whether a network is shared; it stays so while others use it.
    pub fn share_network(&mut self, caller: &Caller, id: &str, shared: bool) -> Result<(), Error> {
        let network = self.network(caller, id)?;
        let (id, owner, name) = (network.id, network.project_id, network.name.clone());
        let of_others =
            self.ports.iter().any(|port| port.network_id == id && port.project_id != owner);
        if network.shared && !shared && of_others {
            return Err(Broken::conflict(
                "InvalidSharedSetting",
                format!(
                    "Unable to reconfigure sharing settings for network {name}. Multiple \
                     projects are using it."
                ),
            ));
        }
        if let Some(mut network) = self.networks.get_mut(id) {
            network.shared = shared;
        }
        Ok(())
    }
}

impl Caller {
    /// Whether the caller may see what belongs to a project.
    pub fn sees(&self, project: ProjectId) -> bool {
        self.is_admin || self.project_id == Some(project)
    }
}

/// What is told who may see a thing of another project and not change it.
fn not_owner(kind: &str) -> Error {
    Error::Forbidden(format!("rule:update_{kind} is disallowed by policy"))
}

record!(Network, NetworkId, "network");
