//! Networks as EC2 sees them: a network is a VPC, and the router that leads out of it is its
//! internet gateway. Those that Neutron has made have blocks and gateways that follow from their
//! subnets and routers; those that EC2 has made have them on record.

pub(super) mod acls;
pub(super) mod gateways;
pub(super) mod interface_changes;
pub(super) mod interfaces;
pub(super) mod make;
pub(super) mod public_addresses;
pub(super) mod route_changes;
pub(super) mod route_tables;
pub(super) mod subnets;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::places::wanted;
use super::tags::{self, Tags, tag_set};
use super::xml::Xml;
use crate::model::address::Block;
use crate::model::{Model, Network, Router};

const FILTERS: [&str; 9] = [
    "cidr",
    "cidr-block-association.cidr-block",
    "dhcp-options-id",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
    "instance-tenancy",
];

pub(super) fn vpcs(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "VpcId")?;
    let model = call.cloud.read();
    let named = wanted(call, "VpcId", Kind::Vpc, own(call, &model).map(id))?;
    let shown = own(call, &model).filter(|network| {
        (named.is_empty() || named.contains(&id(network)))
            && filters.pass(&network_tags(network), |name| match name {
                "vpc-id" => vec![id(network).to_string()],
                "state" => vec!["available".to_owned()],
                "cidr" | "cidr-block-association.cidr-block" => blocks(&model, network),
                "dhcp-options-id" => vec![acls::dhcp_options_id(network).to_string()],
                "instance-tenancy" => vec!["default".to_owned()],
                "owner-id" => vec![account(network.project_id)],
                _ => vec![is_default(&model, network).to_string()],
            })
    });
    let (networks, next) = page.in_order(&model.networks, shown);
    let mut xml = Xml::default();
    xml.list("vpcSet", networks, |xml, network| view(xml, &model, network));
    xml.optional("nextToken", next);
    Ok(xml)
}

fn view(xml: &mut Xml, model: &Model, network: &Network) {
    let blocks = blocks(model, network);
    xml.text("vpcId", id(network));
    xml.text("ownerId", account(network.project_id));
    xml.text("state", "available");
    xml.text("cidrBlock", blocks.first().map_or("", String::as_str));
    xml.list("cidrBlockAssociationSet", &blocks, |xml, block| {
        xml.text("associationId", Kind::BlockAssociation.id(network.id));
        xml.text("cidrBlock", block);
        xml.within("cidrBlockState", |xml| xml.text("state", "associated"));
    });
    xml.text("dhcpOptionsId", acls::dhcp_options_id(network));
    xml.text("instanceTenancy", "default");
    xml.text("isDefault", is_default(model, network));
    tag_set(xml, &network_tags(network));
}

pub(super) fn attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let network = by_id(call, &model, call.params.required("VpcId")?)?;
    let attribute = call.params.required("Attribute")?;
    let vpc = network.vpc.as_ref();
    let value = match attribute {
        // Servers know each other's names.
        "enableDnsSupport" => vpc.is_none_or(|vpc| vpc.dns_support),
        "enableDnsHostnames" => vpc.is_some_and(|vpc| vpc.dns_hostnames),
        "enableNetworkAddressUsageMetrics" => false,
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    };
    let mut xml = Xml::default();
    xml.text("vpcId", id(network));
    xml.within(attribute, |xml| xml.text("value", value));
    Ok(xml)
}

/// The networks that the account may plug instances into.
pub(super) fn own<'a>(call: &'a Call, model: &'a Model) -> impl Iterator<Item = &'a Network> {
    model.networks.iter().filter(|network| !network.external && network.visible_to(&call.caller))
}

fn id(network: &Network) -> Id {
    Kind::Vpc.id(network.id)
}

/// The network with an id, if the account may plug instances into it.
pub(super) fn by_id<'a>(
    call: &'a Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Network, Fault> {
    let wanted = Kind::Vpc.parse(text)?;
    let found = own(call, model).find(|network| id(network) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Vpc, text))
}

/// The network with an id, if it is the account's own.
pub(super) fn changeable<'a>(
    call: &'a Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Network, Fault> {
    let network = by_id(call, model, text)?;
    check_owner(call, network)?;
    Ok(network)
}

/// Refuses to change a network that is another account's, or everybody's.
fn check_owner(call: &Call, network: &Network) -> Result<(), Fault> {
    if network.project_id == call.project && !network.built_in {
        return Ok(());
    }
    Err(Fault::unauthorized())
}

fn is_default(model: &Model, network: &Network) -> bool {
    model.private_network().is_some_and(|private| private.id == network.id)
}

/// A network's blocks: the one it was made with, or those of its subnets.
fn blocks(model: &Model, network: &Network) -> Vec<String> {
    match &network.vpc {
        Some(vpc) => vec![vpc.block.to_string()],
        None => model.subnets_of(network.id).map(|subnet| subnet.block.to_string()).collect(),
    }
}

/// The tags of a network. The shared ones' names are the cloud's, and no tags.
pub(super) fn network_tags(network: &Network) -> Tags {
    let named = Some(&network.name).filter(|name| !name.is_empty() && !network.built_in);
    tags::with_name(&network.tags, named)
}

/// The routers that lead from a network to the outside.
fn out<'a>(model: &'a Model, network: &Network) -> impl Iterator<Item = &'a Router> {
    let id = network.id;
    model.routers.iter().filter(move |router| {
        router.gateway.is_some() && model.interfaces_of(router.id).any(|port| port.network_id == id)
    })
}

/// Reads a block of addresses.
fn block(text: &str, parameter: &str) -> Result<Block, Fault> {
    text.parse().map_err(|_| {
        Fault::invalid_value(format!(
            "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
        ))
    })
}
