//! What EC2 knows of networks besides what both APIs know: a VPC has a block that its subnets are
//! parts of, a default security group, route tables and an internet gateway, which is a router.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::address::{Block, Pool};
use super::error::{Error, Kind};
use super::table::record;
use super::{
    Caller, InterfaceWanted, Model, NetworkId, NewNetwork, NewSubnet, PortId, ProjectId,
    RouteTableId, RouterId, SecurityGroup, SecurityGroupId, SubnetId,
};

/// How many of a subnet's first addresses EC2 gives to nobody.
const RESERVED: u32 = 4;

/// What makes a network a VPC that was made as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// What its subnets are parts of.
    pub block: Block,
    /// The router that leads out of it.
    pub gateway: Option<RouterId>,
    /// The route table of subnets that have none of their own.
    pub main_table: RouteTableId,
    /// Whether it resolves names: shown, and no more.
    pub dns_support: bool,
    /// Whether it gives names: shown, and no more.
    pub dns_hostnames: bool,
}

/// What may be set of a subnet in EC2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubnetOptions {
    /// Whether new instances get a public address.
    pub public_on_launch: bool,
    /// Its route table, when it is not the network's main one.
    pub route_table: Option<RouteTableId>,
}

/// The VPC that a security group is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOfVpc {
    /// The network.
    pub network_id: NetworkId,
    /// Whether it guards what no other group is named for.
    pub default: bool,
}

/// Where the traffic of subnets goes: shown, and no more. Who is reached from outside follows from
/// the network's gateway alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id; the first of a network has the network's.
    pub id: RouteTableId,
    /// The network it is of.
    pub network_id: NetworkId,
    /// Its routes besides the one to the network itself.
    pub routes: Vec<Route>,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Where traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its destination.
    pub destination: Block,
    /// What it goes by.
    pub target: RouteTarget,
}

/// What traffic goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteTarget {
    /// An internet gateway.
    Gateway(RouterId),
    /// What is plugged into a port.
    Port(PortId),
}

impl Model {
    /// Makes a VPC: a network with a block, a main route table and a default security group.
    pub fn create_vpc(
        &mut self,
        project_id: ProjectId,
        name: String,
        block: Block,
        now: OffsetDateTime,
    ) -> Result<NetworkId, Error> {
        self.check_security_groups(project_id)?;
        let wanted = NewNetwork {
            name,
            description: String::new(),
            project_id,
            external: false,
            shared: false,
            mtu: None,
        };
        let id = self.create_network(wanted, now)?;
        let main_table = RouteTableId(id.0);
        if let Some(mut network) = self.networks.get_mut(id) {
            let (dns_support, dns_hostnames) = (true, false);
            network.vpc =
                Some(Vpc { block, gateway: None, main_table, dns_support, dns_hostnames });
        }
        self.create_route_table(main_table, id);
        let group = self.create_members_group(
            project_id,
            &format!("default of {id}"),
            "default VPC security group",
            now,
        )?;
        self.assign_group(group, GroupOfVpc { network_id: id, default: true });
        Ok(id)
    }

    /// Forgets what only the VPC needed that a network was; the network is gone.
    pub(super) fn forget_vpc(&mut self, network: NetworkId) {
        let tables: Vec<_> = self.route_tables_of(network).map(|table| table.id).collect();
        for table in tables {
            self.route_tables.remove(table);
        }
        let of_vpc =
            |group: &&SecurityGroup| group.vpc.is_some_and(|vpc| vpc.network_id == network);
        let groups: Vec<_> = self.security_groups.iter().filter(of_vpc).cloned().collect();
        for group in groups {
            let used = self.ports.index().groups.has(group.id);
            if !used && group.vpc.is_some_and(|vpc| vpc.default) {
                self.remove_security_group(group.id);
            } else if let Some(mut group) = self.security_groups.get_mut(group.id) {
                group.vpc = None;
            }
        }
    }

    /// Says of which VPC a group is.
    pub fn assign_group(&mut self, group: SecurityGroupId, vpc: GroupOfVpc) {
        if let Some(mut group) = self.security_groups.get_mut(group) {
            group.vpc = Some(vpc);
        }
    }

    /// The group of a VPC that guards what no other group is named for.
    pub fn default_group_of(&self, network: NetworkId) -> Option<&SecurityGroup> {
        let wanted = Some(GroupOfVpc { network_id: network, default: true });
        self.security_groups.iter().find(|group| group.vpc == wanted)
    }

    /// Makes a subnet of a VPC, with EC2's idea of which addresses are for hosts. Where the VPC has
    /// a gateway, the gateway has the subnet too.
    pub fn create_subnet_of_vpc(
        &mut self,
        caller: &Caller,
        network_id: NetworkId,
        name: String,
        block: Block,
        now: OffsetDateTime,
    ) -> Result<SubnetId, Error> {
        let network = self.networks.get(network_id);
        let network = network.ok_or_else(|| Error::not_found(Kind::Network, network_id))?;
        let (project_id, router) = (network.project_id, self.gateway_of(network_id));
        let first = std::net::Ipv4Addr::from_bits(block.network.to_bits() + RESERVED);
        let wanted = NewSubnet {
            name,
            description: String::new(),
            project_id,
            network_id,
            block: Some(block),
            subnet_pool_id: None,
            prefix: None,
            gateway: None,
            pools: Some(vec![Pool { first, last: block.hosts().last }]),
            dhcp: true,
            nameservers: Vec::new(),
            host_routes: Vec::new(),
        };
        let id = self.create_subnet(caller, wanted, now)?;
        if let Some(router) = router {
            self.add_interface(caller, &router.to_string(), InterfaceWanted::Subnet(id), now)?;
        }
        Ok(id)
    }

    /// Removes a subnet, and pulls the gateway of its VPC out of it first.
    pub fn delete_subnet_of_vpc(
        &mut self,
        caller: &Caller,
        id: SubnetId,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let network = self.subnets.get(id).map(|subnet| subnet.network_id);
        if let Some(router) = network.and_then(|network| self.gateway_of(network)) {
            let wanted = InterfaceWanted::Subnet(id);
            let plugged = self.interfaces_of(router).any(|port| port.is_on(id));
            if plugged {
                self.remove_interface(caller, &router.to_string(), wanted, now)?;
            }
        }
        self.delete_subnet(caller, &id.to_string())
    }

    /// The router that was attached to a VPC.
    pub fn gateway_of(&self, network: NetworkId) -> Option<RouterId> {
        self.networks.get(network)?.vpc.as_ref()?.gateway
    }

    /// Lets a router lead out of a VPC, or of it no longer: it is plugged into all subnets.
    pub fn set_vpc_gateway(
        &mut self,
        caller: &Caller,
        network: NetworkId,
        router: RouterId,
        attached: bool,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let subnets: Vec<_> = self.subnets_of(network).map(|subnet| subnet.id).collect();
        for subnet in subnets {
            let plugged = self.interfaces_of(router).any(|port| port.is_on(subnet));
            let wanted = InterfaceWanted::Subnet(subnet);
            if attached && !plugged {
                self.add_interface(caller, &router.to_string(), wanted, now)?;
            } else if plugged && !attached {
                self.remove_interface(caller, &router.to_string(), wanted, now)?;
            }
        }
        if let Some(mut network) = self.networks.get_mut(network)
            && let Some(vpc) = network.vpc.as_mut()
        {
            vpc.gateway = attached.then_some(router);
        }
        Ok(())
    }

    /// The recorded route tables of a network.
    pub fn route_tables_of(&self, network: NetworkId) -> impl Iterator<Item = &RouteTable> {
        self.route_tables.iter().filter(move |table| table.network_id == network)
    }

    /// Records a route table without routes.
    pub fn create_route_table(&mut self, id: RouteTableId, network_id: NetworkId) {
        let (routes, tags) = (Vec::new(), BTreeMap::new());
        self.route_tables.insert(RouteTable { id, network_id, routes, tags });
    }
}

record!(RouteTable, RouteTableId, "route_table");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{NOW, model};
    use crate::model::{GatewayWanted, NewRouter};

    #[test]
    fn a_vpc_leads_out_when_it_has_a_gateway_and_leaves_nothing_behind() {
        let (mut model, caller) = model();
        let project = caller.project_id.unwrap();
        let before = (model.security_groups.len(), model.security_group_rules.len());
        let block: Block = "10.0.0.0/16".parse().unwrap();
        let vpc = model.create_vpc(project, "vpc".to_owned(), block, NOW).unwrap();
        assert!(model.default_group_of(vpc).is_some());
        let make = |model: &mut Model, block: &str| {
            let block = block.parse().unwrap();
            model.create_subnet_of_vpc(&caller, vpc, String::new(), block, NOW).unwrap()
        };
        let early = make(&mut model, "10.0.0.0/28");
        let subnet = model.subnets.get(early).unwrap();
        assert_eq!(model.free_addresses(subnet), 11, "five of sixteen are EC2's own");

        let external = model.public_network().unwrap().id;
        let gateway = GatewayWanted { network_id: external, fixed_ips: None, snat: true };
        let wanted = NewRouter {
            name: String::new(),
            description: String::new(),
            project_id: project,
            gateway: Some(gateway),
        };
        let router = model.create_router(&caller, wanted, NOW).unwrap();
        model.set_vpc_gateway(&caller, vpc, router, true, NOW).unwrap();
        let late = make(&mut model, "10.0.1.0/24");
        for subnet in [early, late] {
            assert_eq!(model.router_between(external, subnet), Some(router));
        }
        model.set_vpc_gateway(&caller, vpc, router, false, NOW).unwrap();
        assert_eq!(model.router_between(external, early), None);
        for subnet in [early, late] {
            model.delete_subnet_of_vpc(&caller, subnet, NOW).unwrap();
        }
        model.delete_network(&caller, &vpc.to_string()).unwrap();
        assert_eq!(model.route_tables.len(), 0);
        assert_eq!((model.security_groups.len(), model.security_group_rules.len()), before);
    }
}
