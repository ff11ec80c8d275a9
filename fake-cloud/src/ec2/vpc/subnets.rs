//! Subnets: listed, made, changed and removed.

use super::{block, check_owner, is_default, make, own};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Id, Kind, account, arn};
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::{check_zone, check_zone_id, wanted};
use crate::ec2::tags::{self, NAME, Tags, tag_set};
use crate::ec2::xml::Xml;
use crate::model::address::Block;
use crate::model::{Device, Model, Network, Port, Subnet, SubnetId};

const FILTERS: [&str; 12] = [
    "subnet-id",
    "vpc-id",
    "state",
    "availability-zone",
    "available-ip-address-count",
    "default-for-az",
    "defaultForAz",
    "cidr",
    "cidr-block",
    "cidrBlock",
    "map-public-ip-on-launch",
    "owner-id",
];

pub(in crate::ec2) fn subnets(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "SubnetId")?;
    let model = call.cloud.read();
    let subnets = || model.subnets.iter().filter(|it| vpc_of(call, &model, it).is_some());
    let named = wanted(call, "SubnetId", Kind::Subnet, subnets().map(id))?;
    let shown = subnets().filter(|subnet| {
        (named.is_empty() || named.contains(&id(subnet)))
            && filters.pass(&subnet_tags(subnet), |name| match name {
                "subnet-id" => vec![id(subnet).to_string()],
                "vpc-id" => vec![Kind::Vpc.id(subnet.network_id).to_string()],
                "state" => vec!["available".to_owned()],
                "availability-zone" => vec![call.zone().to_string()],
                "available-ip-address-count" => vec![model.free_addresses(subnet).to_string()],
                "cidr" | "cidr-block" | "cidrBlock" => vec![subnet.block.to_string()],
                "map-public-ip-on-launch" => vec![subnet.options.public_on_launch.to_string()],
                "owner-id" => vec![account(subnet.project_id)],
                _ => vec![of_default(&model, subnet).to_string()],
            })
    });
    let (subnets, next) = page.in_order(&model.subnets, shown);
    let mut xml = Xml::default();
    xml.list("subnetSet", subnets, |xml, subnet| view(xml, call, &model, subnet));
    xml.optional("nextToken", next);
    Ok(xml)
}

fn view(xml: &mut Xml, call: &Call, model: &Model, subnet: &Subnet) {
    let arn = arn(&call.cloud.region, subnet.project_id, Kind::Subnet, id(subnet));
    xml.text("subnetId", id(subnet));
    xml.text("subnetArn", arn);
    xml.text("ownerId", account(subnet.project_id));
    xml.text("state", "available");
    xml.text("vpcId", Kind::Vpc.id(subnet.network_id));
    xml.text("cidrBlock", subnet.block);
    xml.list("ipv6CidrBlockAssociationSet", [(); 0], |_, ()| {});
    xml.text("availableIpAddressCount", model.free_addresses(subnet));
    xml.text("availabilityZone", call.zone());
    xml.text("availabilityZoneId", call.zone().id());
    xml.text("defaultForAz", of_default(model, subnet));
    xml.text("mapPublicIpOnLaunch", subnet.options.public_on_launch);
    xml.text("assignIpv6AddressOnCreation", false);
    xml.text("enableDns64", false);
    xml.text("ipv6Native", false);
    xml.within("privateDnsNameOptionsOnLaunch", |xml| {
        xml.text("hostnameType", "ip-name");
        xml.text("enableResourceNameDnsARecord", false);
        xml.text("enableResourceNameDnsAAAARecord", false);
    });
    tag_set(xml, &subnet_tags(subnet));
}

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let block = block(params.required("CidrBlock")?, "cidrBlock")?;
    params.text("AvailabilityZone").map_or(Ok(()), |name| check_zone(&call, name))?;
    params.text("AvailabilityZoneId").map_or(Ok(()), |id| check_zone_id(&call, id))?;
    if params.text("Ipv6CidrBlock").is_some() || params.flag("Ipv6Native")? == Some(true) {
        return Err(Fault::new("UnsupportedOperation", "This cloud has no IPv6"));
    }
    let mut tags = tags::specified(params, Kind::Subnet)?;
    let name = tags.remove(NAME).unwrap_or_default();
    let made = call.cloud.change(|model, now| {
        let network = super::changeable(&call, model, params.required("VpcId")?)?;
        check_block(model, network, block)?;
        let network = network.id;
        let id = model.create_subnet_of_vpc(&call.caller, network, name, block, now)?;
        let mut subnet = model.subnets.get_mut(id).ok_or_else(|| missing(id))?;
        subnet.tags = tags;
        Ok::<_, Fault>(id)
    });
    let id = made.await?;
    let model = call.cloud.read();
    let subnet = model.subnets.get(id).ok_or_else(|| missing(id))?;
    let mut xml = Xml::default();
    xml.within("subnet", |xml| view(xml, &call, &model, subnet));
    Ok(xml)
}

/// A subnet is a part of its VPC, and of no other subnet.
fn check_block(model: &Model, network: &Network, block: Block) -> Result<(), Fault> {
    let inside = network.vpc.as_ref().is_none_or(|vpc| vpc.block.covers(block));
    if !inside || !make::PREFIXES.contains(&block.prefix) {
        return Err(Fault::new("InvalidSubnet.Range", format!("The CIDR '{block}' is invalid.")));
    }
    // Where all addresses are this machine's own, each is there once.
    let everywhere = model.carried.is_some();
    let mut others =
        model.subnets.iter().filter(|other| everywhere || other.network_id == network.id);
    match others.find(|other| other.block.overlaps(block)) {
        None => Ok(()),
        Some(other) => Err(Fault::new(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{block}' conflicts with another subnet, {}", other.block),
        )),
    }
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("SubnetId")?;
    let deleted = call.cloud.change(|model, now| {
        let subnet = changeable(&call, model, text)?;
        let (id, router) = (subnet.id, model.gateway_of(subnet.network_id));
        let own = router.map(Device::RouterInterface);
        let in_the_way = |port: &Port| Some(&port.device) != own.as_ref();
        if model.ports.at(model.ports.index().subnets.of(id)).any(in_the_way) {
            let message = format!("The subnet '{text}' has dependencies and cannot be deleted.");
            return Err(Fault::new("DependencyViolation", message));
        }
        Ok(model.delete_subnet_of_vpc(&call.caller, id, now)?)
    });
    deleted.await?;
    Ok(Xml::done())
}

/// What is not here can be only as it is: off.
const FIXED: [&str; 6] = [
    "AssignIpv6AddressOnCreation",
    "MapCustomerOwnedIpOnLaunch",
    "EnableDns64",
    "EnableResourceNameDnsARecordOnLaunch",
    "EnableResourceNameDnsAAAARecordOnLaunch",
    "DisableLniAtDeviceIndex",
];

pub(in crate::ec2) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    for name in FIXED {
        if params.flag(&format!("{name}.Value"))? == Some(true) {
            let message = format!("Subnets of this cloud do not have {name}");
            return Err(Fault::new("UnsupportedOperation", message));
        }
    }
    let public = params.flag("MapPublicIpOnLaunch.Value")?;
    let changed = call.cloud.change(|model, _| {
        let id = changeable(&call, model, params.required("SubnetId")?)?.id;
        let mut subnet = model.subnets.get_mut(id).ok_or_else(|| missing(id))?;
        subnet.options.public_on_launch = public.unwrap_or(subnet.options.public_on_launch);
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// The subnet with an id, of a network that the account may plug instances into.
pub(in crate::ec2) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Subnet, Fault> {
    let wanted = Kind::Subnet.parse(text)?;
    let mut subnets = model.subnets.iter().filter(|it| vpc_of(call, model, it).is_some());
    let found = subnets.find(|subnet| id(subnet) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Subnet, text))
}

/// The subnet with an id, if its network is the account's own.
pub(in crate::ec2) fn changeable<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Subnet, Fault> {
    let subnet = by_id(call, model, text)?;
    let network = model.networks.get(subnet.network_id);
    check_owner(call, network.ok_or_else(|| Fault::missing(Kind::Subnet, text))?)?;
    Ok(subnet)
}

/// The subnets of the account's own networks.
pub(in crate::ec2) fn of_account<'a>(
    call: &'a Call,
    model: &'a Model,
) -> impl Iterator<Item = &'a Subnet> {
    model.subnets.iter().filter(|subnet| {
        vpc_of(call, model, subnet).is_some_and(|network| check_owner(call, network).is_ok())
    })
}

fn vpc_of<'a>(call: &'a Call, model: &'a Model, subnet: &Subnet) -> Option<&'a Network> {
    own(call, model).find(|network| network.id == subnet.network_id)
}

fn of_default(model: &Model, subnet: &Subnet) -> bool {
    let network = model.networks.get(subnet.network_id);
    network.is_some_and(|network| is_default(model, network))
}

fn id(subnet: &Subnet) -> Id {
    Kind::Subnet.id(subnet.id)
}

fn missing(id: SubnetId) -> Fault {
    Fault::missing(Kind::Subnet, Kind::Subnet.id(id))
}

/// A subnet's tags. The names of what the cloud has by itself are no tags.
pub(in crate::ec2) fn subnet_tags(subnet: &Subnet) -> Tags {
    let named = !subnet.name.is_empty() && subnet.configured.is_none();
    tags::with_name(&subnet.tags, named.then_some(&subnet.name))
}
