//! Networks as EC2 sees them: a network is a VPC, and the router that leads out of it is its
//! internet gateway.

pub(super) mod gateways;
pub(super) mod interfaces;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::places::{NO_TAGS, wanted};
use super::xml::Xml;
use crate::model::{Model, Network, Subnet};

pub(super) fn vpcs(call: &Call) -> Result<Xml, Fault> {
    let known = ["vpc-id", "state", "is-default", "isDefault", "cidr", "owner-id"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "VpcId")?;
    let model = call.cloud.read();
    let named = wanted(call, "VpcId", Kind::Vpc, own(call, &model).map(id))?;
    let shown = own(call, &model).filter(|network| {
        (named.is_empty() || named.contains(&id(network)))
            && filters.pass(NO_TAGS, |name| match name {
                "vpc-id" => vec![id(network).to_string()],
                "state" => vec!["available".to_owned()],
                "cidr" => blocks(&model, network),
                "owner-id" => vec![account(network.project_id)],
                _ => vec![is_default(&model, network).to_string()],
            })
    });
    let (networks, next) = page.in_order(&model.networks, shown);
    let mut xml = Xml::default();
    xml.list("vpcSet", networks, |xml, network| {
        let blocks = blocks(&model, network);
        xml.text("vpcId", id(network));
        xml.text("ownerId", account(network.project_id));
        xml.text("state", "available");
        xml.text("cidrBlock", blocks.first().map_or("", String::as_str));
        xml.list("cidrBlockAssociationSet", &blocks, |xml, block| {
            xml.text("cidrBlock", block);
            xml.within("cidrBlockState", |xml| xml.text("state", "associated"));
        });
        xml.text("instanceTenancy", "default");
        xml.text("isDefault", is_default(&model, network));
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(super) fn subnets(call: &Call) -> Result<Xml, Fault> {
    let known = [
        "subnet-id",
        "vpc-id",
        "state",
        "availability-zone",
        "default-for-az",
        "defaultForAz",
        "cidr",
        "cidr-block",
        "cidrBlock",
        "owner-id",
    ];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "SubnetId")?;
    let model = call.cloud.read();
    let subnets = || model.subnets.iter().filter(|it| vpc_of(call, &model, it).is_some());
    let id = |subnet: &Subnet| Kind::Subnet.id(subnet.id);
    let default = |subnet: &Subnet| {
        vpc_of(call, &model, subnet).is_some_and(|network| is_default(&model, network))
    };
    let named = wanted(call, "SubnetId", Kind::Subnet, subnets().map(id))?;
    let shown = subnets().filter(|subnet| {
        (named.is_empty() || named.contains(&id(subnet)))
            && filters.pass(NO_TAGS, |name| match name {
                "subnet-id" => vec![id(subnet).to_string()],
                "vpc-id" => vec![Kind::Vpc.id(subnet.network_id).to_string()],
                "state" => vec!["available".to_owned()],
                "availability-zone" => vec![call.zone().to_string()],
                "cidr" | "cidr-block" | "cidrBlock" => vec![subnet.block.to_string()],
                "owner-id" => vec![account(subnet.project_id)],
                _ => vec![default(subnet).to_string()],
            })
    });
    let (subnets, next) = page.in_order(&model.subnets, shown);
    let mut xml = Xml::default();
    xml.list("subnetSet", subnets, |xml, subnet| {
        xml.text("subnetId", id(subnet));
        xml.text("ownerId", account(subnet.project_id));
        xml.text("state", "available");
        xml.text("vpcId", Kind::Vpc.id(subnet.network_id));
        xml.text("cidrBlock", subnet.block);
        xml.text("availableIpAddressCount", model.free_addresses(subnet));
        xml.text("availabilityZone", call.zone());
        xml.text("availabilityZoneId", call.zone().id());
        xml.text("defaultForAz", default(subnet));
        xml.text("mapPublicIpOnLaunch", false);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(super) fn attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let network = by_id(call, &model, call.params.required("VpcId")?)?;
    let attribute = call.params.required("Attribute")?;
    let value = match attribute {
        // Servers know each other's names.
        "enableDnsSupport" => true,
        "enableDnsHostnames" | "enableNetworkAddressUsageMetrics" => false,
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    };
    let mut xml = Xml::default();
    xml.text("vpcId", id(network));
    xml.within(attribute, |xml| xml.text("value", value));
    Ok(xml)
}

/// The subnet with an id, of a network that the account may plug instances into.
pub(super) fn subnet<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a Subnet, Fault> {
    let wanted = Kind::Subnet.parse(text)?;
    let mut subnets = model.subnets.iter().filter(|it| vpc_of(call, model, it).is_some());
    let found = subnets.find(|subnet| Kind::Subnet.id(subnet.id) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Subnet, text))
}

/// The networks that the account may plug instances into.
fn own<'a>(call: &'a Call, model: &'a Model) -> impl Iterator<Item = &'a Network> {
    model.networks.iter().filter(|network| !network.external && network.visible_to(&call.caller))
}

fn id(network: &Network) -> Id {
    Kind::Vpc.id(network.id)
}

fn by_id<'a>(call: &'a Call, model: &'a Model, text: &str) -> Result<&'a Network, Fault> {
    let wanted = Kind::Vpc.parse(text)?;
    let found = own(call, model).find(|network| id(network) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Vpc, text))
}

fn vpc_of<'a>(call: &'a Call, model: &'a Model, subnet: &Subnet) -> Option<&'a Network> {
    own(call, model).find(|network| network.id == subnet.network_id)
}

fn is_default(model: &Model, network: &Network) -> bool {
    model.private_network().is_some_and(|private| private.id == network.id)
}

fn blocks(model: &Model, network: &Network) -> Vec<String> {
    model.subnets_of(network.id).map(|subnet| subnet.block.to_string()).collect()
}
