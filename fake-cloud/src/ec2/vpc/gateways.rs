//! What EC2 has between networks and the outside: internet gateways, route tables and network
//! ACLs. Here they follow from networks and routers, and are shown only.

use super::{blocks, id, own};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Kind, account};
use crate::ec2::operation::Call;
use crate::ec2::places::{NO_TAGS, wanted};
use crate::ec2::xml::Xml;
use crate::model::{Model, Network, Router};

/// The number of the rule of an ACL that comes after all others.
const LAST_RULE: u32 = 32_767;

pub(in crate::ec2) fn internet_gateways(call: &Call) -> Result<Xml, Fault> {
    let known = ["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let ways: Vec<(&Router, Vec<&Network>)> = model
        .routers
        .iter()
        .map(|router| {
            let behind = |network: &&Network| out(&model, network).any(|it| it.id == router.id);
            (router, own(call, &model).filter(behind).collect())
        })
        .filter(|(_, networks): &(_, Vec<_>)| !networks.is_empty())
        .collect();
    let ids = ways.iter().map(|(router, _)| Kind::InternetGateway.id(router.id));
    let named = wanted(call, "InternetGatewayId", Kind::InternetGateway, ids)?;
    let shown = ways.iter().filter(|(router, networks)| {
        let gateway = Kind::InternetGateway.id(router.id);
        (named.is_empty() || named.contains(&gateway))
            && filters.pass(NO_TAGS, |name| match name {
                "attachment.state" => vec!["available".to_owned()],
                "attachment.vpc-id" => networks.iter().map(|it| id(it).to_string()).collect(),
                "internet-gateway-id" => vec![gateway.to_string()],
                _ => vec![account(router.project_id)],
            })
    });
    let mut xml = Xml::default();
    xml.list("internetGatewaySet", shown, |xml, (router, networks)| {
        xml.text("internetGatewayId", Kind::InternetGateway.id(router.id));
        xml.text("ownerId", account(router.project_id));
        xml.list("attachmentSet", networks, |xml, network| {
            xml.text("vpcId", id(network));
            xml.text("state", "available");
        });
        xml.list("tagSet", [(); 0], |_, ()| {});
    });
    Ok(xml)
}

/// Each network has one table: its own addresses, and the rest by its way out.
pub(in crate::ec2) fn route_tables(call: &Call) -> Result<Xml, Fault> {
    let known = ["association.main", "owner-id", "route-table-id", "route.gateway-id", "vpc-id"];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let ids = own(call, &model).map(|network| Kind::RouteTable.id(network.id));
    let named = wanted(call, "RouteTableId", Kind::RouteTable, ids)?;
    let gateway = |network: &Network| {
        out(&model, network).next().map(|router| Kind::InternetGateway.id(router.id).to_string())
    };
    let shown = own(call, &model).filter(|network| {
        let table = Kind::RouteTable.id(network.id);
        (named.is_empty() || named.contains(&table))
            && filters.pass(NO_TAGS, |name| match name {
                "association.main" => vec!["true".to_owned()],
                "owner-id" => vec![account(network.project_id)],
                "route-table-id" => vec![table.to_string()],
                "route.gateway-id" => {
                    gateway(network).into_iter().chain(["local".to_owned()]).collect()
                }
                _ => vec![id(network).to_string()],
            })
    });
    let mut xml = Xml::default();
    xml.list("routeTableSet", shown, |xml, network| {
        let table = Kind::RouteTable.id(network.id);
        xml.text("routeTableId", table);
        xml.text("vpcId", id(network));
        xml.text("ownerId", account(network.project_id));
        let local = blocks(&model, network).into_iter().map(|block| (block, "local".to_owned()));
        let rest = gateway(network).map(|gateway| ("0.0.0.0/0".to_owned(), gateway));
        xml.list("routeSet", local.chain(rest), |xml, (block, gateway)| {
            let made = if gateway == "local" { "CreateRouteTable" } else { "CreateRoute" };
            xml.text("destinationCidrBlock", block);
            xml.text("gatewayId", gateway);
            xml.text("state", "active");
            xml.text("origin", made);
        });
        xml.list("associationSet", [network], |xml, network| {
            xml.text("routeTableAssociationId", Kind::RouteTableAssociation.id(network.id));
            xml.text("routeTableId", table);
            xml.text("main", true);
            xml.within("associationState", |xml| xml.text("state", "associated"));
        });
        xml.list("propagatingVgwSet", [(); 0], |_, ()| {});
        xml.list("tagSet", [(); 0], |_, ()| {});
    });
    Ok(xml)
}

/// Each network has one list: security groups alone say what may pass.
pub(in crate::ec2) fn network_acls(call: &Call) -> Result<Xml, Fault> {
    let known = ["association.subnet-id", "default", "network-acl-id", "owner-id", "vpc-id"];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let ids = own(call, &model).map(|network| Kind::NetworkAcl.id(network.id));
    let named = wanted(call, "NetworkAclId", Kind::NetworkAcl, ids)?;
    let shown = own(call, &model).filter(|network| {
        let acl = Kind::NetworkAcl.id(network.id);
        (named.is_empty() || named.contains(&acl))
            && filters.pass(NO_TAGS, |name| match name {
                "association.subnet-id" => subnets(&model, network),
                "default" => vec!["true".to_owned()],
                "network-acl-id" => vec![acl.to_string()],
                "owner-id" => vec![account(network.project_id)],
                _ => vec![id(network).to_string()],
            })
    });
    let mut xml = Xml::default();
    xml.list("networkAclSet", shown, |xml, network| {
        let acl = Kind::NetworkAcl.id(network.id);
        xml.text("networkAclId", acl);
        xml.text("vpcId", id(network));
        xml.text("ownerId", account(network.project_id));
        xml.text("default", true);
        let rules = [(100, "allow", false), (LAST_RULE, "deny", false)];
        let rules = rules.into_iter().chain([(100, "allow", true), (LAST_RULE, "deny", true)]);
        xml.list("entrySet", rules, |xml, (number, action, egress)| {
            xml.text("ruleNumber", number);
            xml.text("protocol", "-1");
            xml.text("ruleAction", action);
            xml.text("egress", egress);
            xml.text("cidrBlock", "0.0.0.0/0");
        });
        xml.list("associationSet", model.subnets_of(network.id), |xml, subnet| {
            xml.text("networkAclAssociationId", Kind::NetworkAclAssociation.id(subnet.id));
            xml.text("networkAclId", acl);
            xml.text("subnetId", Kind::Subnet.id(subnet.id));
        });
        xml.list("tagSet", [(); 0], |_, ()| {});
    });
    Ok(xml)
}

/// The routers that lead from a network to the outside.
fn out<'a>(model: &'a Model, network: &Network) -> impl Iterator<Item = &'a Router> {
    let id = network.id;
    model.routers.iter().filter(move |router| {
        router.gateway.is_some() && model.interfaces_of(router.id).any(|port| port.network_id == id)
    })
}

fn subnets(model: &Model, network: &Network) -> Vec<String> {
    model.subnets_of(network.id).map(|subnet| Kind::Subnet.id(subnet.id).to_string()).collect()
}
