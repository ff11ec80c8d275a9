//! VPCs made, changed and removed.

use super::{block, changeable, is_default, own, view};
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::operation::Call;
use crate::ec2::tags::{self, NAME};
use crate::ec2::xml::Xml;
use crate::model::address::Block;
use crate::model::{Model, Network, NetworkId};

/// How large a VPC and its subnets may be: the lengths of their prefixes.
pub(super) const PREFIXES: std::ops::RangeInclusive<u8> = 16..=28;

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let block = block(params.required("CidrBlock")?, "cidrBlock")?;
    if params.flag("AmazonProvidedIpv6CidrBlock")? == Some(true) {
        return Err(Fault::new("UnsupportedOperation", "This cloud has no IPv6"));
    }
    if params.text("InstanceTenancy").is_some_and(|tenancy| tenancy != "default") {
        let message = "This cloud has no hardware that is one account's alone";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let mut tags = tags::specified(params, Kind::Vpc)?;
    let name = tags.remove(NAME).unwrap_or_default();
    let made = call.cloud.change(|model, now| {
        check_block(model, block)?;
        let id = model.create_vpc(call.project, name, block, now)?;
        let mut network = model.networks.get_mut(id).ok_or_else(|| missing(id))?;
        network.tags = tags;
        Ok::<_, Fault>(id)
    });
    let id = made.await?;
    let model = call.cloud.read();
    let network = model.networks.get(id).ok_or_else(|| missing(id))?;
    let mut xml = Xml::default();
    xml.within("vpc", |xml| view(xml, &model, network));
    Ok(xml)
}

/// Addresses must be able to answer here: where all are this machine's own, no others can.
fn check_block(model: &Model, block: Block) -> Result<(), Fault> {
    let range = |message| Err(Fault::new("InvalidVpc.Range", message));
    if !PREFIXES.contains(&block.prefix) {
        let (least, most) = (PREFIXES.start(), PREFIXES.end());
        return range(format!(
            "The CIDR '{block}' is invalid: it must have a prefix from /{least} to /{most}."
        ));
    }
    match model.carried.filter(|carried| !carried.covers(block)) {
        None => Ok(()),
        Some(carried) => range(format!(
            "The CIDR '{block}' is invalid: it cannot answer on this machine, since every address \
             of this cloud is from {carried}. Choose a part of that."
        )),
    }
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("VpcId")?;
    let deleted = call.cloud.change(|model, _| {
        let network = changeable(&call, model, text)?;
        if has_dependents(model, network) {
            let message = format!("The vpc '{text}' has dependencies and cannot be deleted.");
            return Err(Fault::new("DependencyViolation", message));
        }
        let id = network.id.to_string();
        Ok(model.delete_network(&call.caller, &id)?)
    });
    deleted.await?;
    Ok(Xml::done())
}

/// Whether something is left of a network that does not go with it.
fn has_dependents(model: &Model, network: &Network) -> bool {
    let id = network.id;
    let main = network.vpc.as_ref().map(|vpc| vpc.main_table);
    let group = model
        .security_groups
        .iter()
        .any(|group| group.vpc.is_some_and(|vpc| vpc.network_id == id && !vpc.default));
    group
        || model.gateway_of(id).is_some()
        || model.subnets_of(id).next().is_some()
        || model.ports.iter().any(|port| port.network_id == id)
        || model.route_tables_of(id).any(|table| Some(table.id) != main && table.id.0 != id.0)
}

pub(in crate::ec2) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let support = params.flag("EnableDnsSupport.Value")?;
    let names = params.flag("EnableDnsHostnames.Value")?;
    let metrics = params.flag("EnableNetworkAddressUsageMetrics.Value")?;
    if metrics == Some(true) {
        let message = "This cloud measures no network address usage";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    if [support, names, metrics].iter().all(Option::is_none) {
        return Err(Fault::combination("No attributes specified."));
    }
    let changed = call.cloud.change(|model, _| {
        let id = changeable(&call, model, params.required("VpcId")?)?.id;
        let mut network = model.networks.get_mut(id).ok_or_else(|| missing(id))?;
        let Some(vpc) = network.vpc.as_mut() else {
            let message = "This network was made by Neutron; it has no attributes of EC2.";
            return Err(Fault::new("UnsupportedOperation", message));
        };
        vpc.dns_support = support.unwrap_or(vpc.dns_support);
        vpc.dns_hostnames = names.unwrap_or(vpc.dns_hostnames);
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

/// Every account has the network that the settings name, and cannot lose it.
pub(in crate::ec2) fn create_default(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    match own(call, &model).any(|network| is_default(&model, network)) {
        true => Err(Fault::new(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        )),
        false => Err(Fault::new("UnsupportedOperation", "This cloud has no default VPC")),
    }
}

pub(in crate::ec2) fn create_default_subnet(call: &Call) -> Result<Xml, Fault> {
    let zone = call.params.required("AvailabilityZone")?;
    crate::ec2::places::check_zone(call, zone)?;
    Err(Fault::new(
        "DefaultSubnetAlreadyExistsInAvailabilityZone",
        format!("A default subnet already exists in {zone}."),
    ))
}

fn missing(id: NetworkId) -> Fault {
    Fault::missing(Kind::Vpc, Kind::Vpc.id(id))
}
