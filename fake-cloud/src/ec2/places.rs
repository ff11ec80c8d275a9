//! Where things are: the region, its zone, its network and what an account may have there.

use std::collections::BTreeMap;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind};
use super::operation::Call;
use super::xml::Xml;
use crate::model::{Model, Network, Subnet, ZONE};

/// What things without tags have.
pub(super) const NO_TAGS: &BTreeMap<String, String> = &BTreeMap::new();

pub(super) fn regions(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["region-name", "endpoint", "opt-in-status"])?;
    let (region, endpoint) = (&call.cloud.region, &call.cloud.api_url);
    let wanted = call.params.texts("RegionName");
    if let Some(other) = wanted.iter().find(|name| *name != region) {
        return Err(Fault::invalid_value(format!("Invalid region provided: '{other}'")));
    }
    let pass = filters.pass(NO_TAGS, |name| match name {
        "region-name" => vec![region.clone()],
        "endpoint" => vec![endpoint.clone()],
        _ => vec!["opt-in-not-required".to_owned()],
    });
    let mut xml = Xml::default();
    xml.list("regionInfo", pass.then_some(region), |xml, region| {
        xml.text("regionName", region);
        xml.text("regionEndpoint", endpoint);
        xml.text("optInStatus", "opt-in-not-required");
    });
    Ok(xml)
}

pub(super) fn zones(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["zone-name", "zone-id", "region-name", "state"])?;
    let wanted = call.params.texts("ZoneName");
    wanted.iter().try_for_each(|name| check_zone(name))?;
    let pass = filters.pass(NO_TAGS, |name| match name {
        "zone-name" | "zone-id" => vec![ZONE.to_owned()],
        "region-name" => vec![call.cloud.region.clone()],
        _ => vec!["available".to_owned()],
    });
    let mut xml = Xml::default();
    xml.list("availabilityZoneInfo", pass.then_some(ZONE), |xml, zone| {
        xml.text("zoneName", zone);
        xml.text("zoneState", "available");
        xml.text("regionName", &call.cloud.region);
        xml.text("zoneId", zone);
        xml.text("zoneType", "availability-zone");
        xml.text("groupName", &call.cloud.region);
        xml.text("networkBorderGroup", &call.cloud.region);
        xml.text("optInStatus", "opt-in-not-required");
        xml.list("messageSet", [(); 0], |_, ()| {});
    });
    Ok(xml)
}

/// Refuses zones that there are not.
pub(super) fn check_zone(name: &str) -> Result<(), Fault> {
    if name == ZONE {
        return Ok(());
    }
    Err(Fault::invalid_value(format!("Invalid availability zone: [{name}]")))
}

pub(super) fn account_attributes(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let quotas = model.quotas(call.project);
    let attributes = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", the_vpc(&model).map_or("none".to_owned(), |id| id.to_string())),
        ("max-instances", quotas.instances.to_string()),
        ("max-elastic-ips", quotas.floating_ips.to_string()),
        ("vpc-max-elastic-ips", quotas.floating_ips.to_string()),
        ("vpc-max-security-groups-per-interface", quotas.security_groups.to_string()),
    ];
    let wanted = call.params.texts("AttributeName");
    let shown =
        attributes.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let mut xml = Xml::default();
    xml.list("accountAttributeSet", shown, |xml, (name, value)| {
        xml.text("attributeName", name);
        xml.list("attributeValueSet", [value], |xml, value| xml.text("attributeValue", value));
    });
    Ok(xml)
}

pub(super) fn vpcs(call: &Call) -> Result<Xml, Fault> {
    let known = ["vpc-id", "state", "is-default", "isDefault", "cidr", "owner-id"];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let (networks, id): (Vec<&Network>, _) =
        (model.private_network().into_iter().collect(), |network: &&Network| {
            Kind::Vpc.id(network.id)
        });
    let wanted = wanted(call, "VpcId", Kind::Vpc, networks.iter().map(id))?;
    let cidr = |network: &Network| {
        model.subnets_of(network.id).next().map_or(String::new(), |subnet| subnet.block.to_string())
    };
    let shown = networks.into_iter().filter(|network| {
        (wanted.is_empty() || wanted.contains(&id(network)))
            && filters.pass(NO_TAGS, |name| match name {
                "vpc-id" => vec![id(network).to_string()],
                "state" => vec!["available".to_owned()],
                "cidr" => vec![cidr(network)],
                "owner-id" => vec![call.account()],
                _ => vec!["true".to_owned()],
            })
    });
    let mut xml = Xml::default();
    xml.list("vpcSet", shown, |xml, network| {
        xml.text("vpcId", id(&network));
        xml.text("ownerId", call.account());
        xml.text("state", "available");
        xml.text("cidrBlock", cidr(network));
        xml.text("instanceTenancy", "default");
        xml.text("isDefault", true);
    });
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
    ];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let subnet = model.private_network().and_then(|network| model.subnets_of(network.id).next());
    let id = |subnet: &Subnet| Kind::Subnet.id(subnet.id);
    let wanted = wanted(call, "SubnetId", Kind::Subnet, subnet.into_iter().map(id))?;
    let shown = subnet.into_iter().filter(|subnet| {
        (wanted.is_empty() || wanted.contains(&id(subnet)))
            && filters.pass(NO_TAGS, |name| match name {
                "subnet-id" => vec![id(subnet).to_string()],
                "vpc-id" => vec![Kind::Vpc.id(subnet.network_id).to_string()],
                "state" => vec!["available".to_owned()],
                "availability-zone" => vec![ZONE.to_owned()],
                "cidr" | "cidr-block" => vec![subnet.block.to_string()],
                _ => vec!["true".to_owned()],
            })
    });
    let mut xml = Xml::default();
    xml.list("subnetSet", shown, |xml, subnet| {
        let free = model.free_addresses(subnet);
        xml.text("subnetId", id(subnet));
        xml.text("ownerId", call.account());
        xml.text("state", "available");
        xml.text("vpcId", Kind::Vpc.id(subnet.network_id));
        xml.text("cidrBlock", subnet.block);
        xml.text("availableIpAddressCount", free);
        xml.text("availabilityZone", ZONE);
        xml.text("availabilityZoneId", ZONE);
        xml.text("defaultForAz", true);
        xml.text("mapPublicIpOnLaunch", false);
    });
    Ok(xml)
}

/// The id of the one network that servers are plugged into.
pub(super) fn the_vpc(model: &Model) -> Option<Id> {
    model.private_network().map(|network| Kind::Vpc.id(network.id))
}

/// The ids that a request names, all of which must exist.
pub(super) fn wanted(
    call: &Call,
    parameter: &str,
    kind: Kind,
    existing: impl Iterator<Item = Id>,
) -> Result<Vec<Id>, Fault> {
    let named = call.params.texts(parameter);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let existing: Vec<Id> = existing.collect();
    let find = |text: &str| {
        let id = kind.parse(text)?;
        existing.contains(&id).then_some(id).ok_or_else(|| Fault::missing(kind, text))
    };
    named.into_iter().map(find).collect()
}
