//! New instances: what a request asks for, in the words of the model.

use super::{Instance, devices, options, view};
use crate::cloud::Failure;
use crate::ec2::Kind;
use crate::ec2::errors::Fault;
use crate::ec2::operation::Call;
use crate::ec2::params::Params;
use crate::ec2::tags::{self, NAME};
use crate::ec2::vpc::{interface_changes, public_addresses, subnets};
use crate::ec2::xml::Xml;
use crate::ec2::{
    images, instance_types, launch_templates, placement_groups, places, security_groups,
};
use crate::model::{Error, Model, NetworkId, NewServers, Options, Plug, Plugs, WantedIp};

/// The most instances that one request makes.
const COUNT_MAX: i64 = 1000;

/// The size of an instance when a request does not say one.
const DEFAULT_TYPE: &str = "m1.small";

pub(crate) async fn run(mut call: Call) -> Result<Xml, Fault> {
    let client_token = call.client_token();
    call.params = launch_templates::applied(&call)?;
    let wanted = NewServers { client_token, ..read(&call, &call.cloud.read())? };
    call.check_dry_run()?;
    let made = call.cloud.create_servers(&call.caller, call.project, &wanted).await;
    let ids = made.map_err(|failure| match failure {
        Failure::Refused(Error::NoAddress(network)) => crowded(&call, network),
        other => other.into(),
    })?;
    if wanted.options.public_address {
        public_addresses::give(&call).await;
    }
    let model = call.cloud.read();
    let find = |id| match (model.servers.get(id), model.terminated.get(id)) {
        (Some(server), _) => Some(Instance { server, gone: None }),
        // Somebody was quicker than this answer.
        (None, Some(gone)) => Some(Instance { server: &gone.server, gone: Some(gone) }),
        (None, None) => None,
    };
    let instances: Vec<Instance<'_>> = ids.into_iter().filter_map(find).collect();
    let mut xml = Xml::default();
    view::reservation(&mut xml, &call, &model, &instances);
    Ok(xml)
}

/// A network has fewer addresses left than are wanted.
fn crowded(call: &Call, network: NetworkId) -> Fault {
    let model = call.cloud.read();
    let first = || Some(Kind::Subnet.id(model.subnets_of(network).next()?.id).to_string());
    let named = call.params.text("SubnetId").map(str::to_owned);
    let subnet = named.or_else(first).unwrap_or_default();
    Fault::new(
        "InsufficientFreeAddressesInSubnet",
        format!(
            "There are not enough free addresses in subnet '{subnet}' to satisfy the requested \
             number of instances."
        ),
    )
}

fn read(call: &Call, model: &Model) -> Result<NewServers, Fault> {
    let params = &call.params;
    let image = images::by_id(call, model, params.required("ImageId")?)?;
    let (min_count, max_count) = counts(params)?;
    let flavor = params.text("InstanceType").unwrap_or(DEFAULT_TYPE);
    let flavor = instance_types::by_name(call, model, flavor)?;
    if let Some(name) = params.text("KeyName") {
        model.key_pair(call.caller.user_id, name)?;
    }
    let zone = params.text("Placement.AvailabilityZone");
    zone.map_or(Ok(()), |zone| places::check_zone(call, zone))?;
    let place = place(call, model)?;
    let group = params.text("Placement.GroupName");
    let group = group.map(|name| placement_groups::by_name(call, model, name)).transpose()?;
    let hints = group.map(|group| ("group".to_owned(), group.id.to_string().into()));
    let mut tags = tags::specified(params, Kind::Instance)?;
    let name = tags.remove(NAME).unwrap_or_default();
    Ok(NewServers {
        name,
        same_name: true,
        flavor: flavor.id.to_string(),
        image: image.id.to_string(),
        key_name: params.text("KeyName").map(str::to_owned),
        user_data: params.text("UserData").map(str::to_owned),
        metadata: tags,
        security_groups: place.groups,
        plugs: Plugs::These(place.plugs),
        options: Options { public_address: place.public, ..options::read(params)? },
        volumes: devices::read(call, params, model, flavor, image)?,
        scheduler_hints: hints.into_iter().collect(),
        min_count,
        max_count,
        needs_addresses: true,
        request_id: call.request_id.clone(),
        ..NewServers::default()
    })
}

fn counts(params: &Params) -> Result<(u32, u32), Fault> {
    let count = |name| {
        params.required(name)?;
        let count = params.number(name)?.filter(|count| (1..=COUNT_MAX).contains(count));
        let count = count.and_then(|count| u32::try_from(count).ok());
        count.ok_or_else(|| {
            Fault::invalid_value(format!("{name} must be a number from 1 to {COUNT_MAX}"))
        })
    };
    let (min, max) = (count("MinCount")?, count("MaxCount")?);
    if min > max {
        return Err(Fault::combination("MinCount must not be larger than MaxCount"));
    }
    Ok((min, max))
}

/// Where instances are plugged in, and the groups that guard them there.
struct Place {
    plugs: Vec<Plug>,
    groups: Vec<String>,
    /// Whether they get a public address.
    public: bool,
}

/// Reads where instances are plugged in: at interfaces, in subnets of networks that the account may
/// use, or in the default one; addresses there may be asked for.
fn place(call: &Call, model: &Model) -> Result<Place, Fault> {
    let params = &call.params;
    let mut interfaces = params.list("NetworkInterface");
    let alone = ["SubnetId", "SecurityGroupId", "SecurityGroup", "PrivateIpAddress"];
    if !interfaces.is_empty() && alone.iter().any(|name| params.has(name)) {
        return Err(Fault::combination(
            "Network interfaces and an instance-level subnet ID, security groups or private IP \
             address may not be specified on the same request",
        ));
    }
    if interfaces.is_empty() {
        interfaces.push(params);
    }
    interfaces.sort_by_key(|it| it.number("DeviceIndex").ok().flatten());
    let first = interfaces[0];
    let mut plugs = Vec::new();
    for interface in &interfaces {
        plugs.push(plug(call, model, interface)?);
    }
    let (network, of_subnet) = match plugs[0] {
        Plug::Network(network, wanted) => {
            let subnet = wanted.subnet_id.and_then(|id| model.subnets.get(id));
            (network, subnet.is_some_and(|subnet| subnet.options.public_on_launch))
        }
        Plug::Port(port) => {
            let port = model.ports.get(port).map(|port| port.network_id);
            (port.ok_or_else(|| Fault::missing_parameter("SubnetId"))?, false)
        }
    };
    let public = first.flag("AssociatePublicIpAddress")?.unwrap_or(of_subnet);
    let ids = first.texts("SecurityGroupId").into_iter();
    let ids = ids.map(|id| security_groups::by_id(call, model, id));
    let names = params.texts("SecurityGroup").into_iter();
    let names = names.map(|name| security_groups::by_name(call, model, name));
    let mut groups = Vec::new();
    for group in ids.chain(names) {
        let group = group?;
        security_groups::check_vpc(model, group, network)?;
        groups.push(group.id.to_string());
    }
    if groups.is_empty() {
        groups.extend(model.default_group_of(network).map(|group| group.id.to_string()));
    }
    Ok(Place { plugs, groups, public })
}

fn plug(call: &Call, model: &Model, place: &Params) -> Result<Plug, Fault> {
    if let Some(text) = place.text("NetworkInterfaceId") {
        return Ok(Plug::Port(interface_changes::by_id(call, model, text)?.id));
    }
    let address = place.text("PrivateIpAddress").map(|address| {
        let invalid = |_| Fault::invalid_value(format!("Invalid IP address: {address}"));
        address.parse().map_err(invalid)
    });
    let address = address.transpose()?;
    match place.text("SubnetId") {
        Some(text) => {
            let subnet = subnets::by_id(call, model, text)?;
            let wanted = WantedIp { subnet_id: Some(subnet.id), address };
            Ok(Plug::Network(subnet.network_id, wanted))
        }
        None => {
            let missing = || Fault::new("MissingInput", "No subnets found for the default VPC");
            let network = model.private_network().ok_or_else(missing)?.id;
            Ok(Plug::Network(network, WantedIp::at(address)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(query: &str) -> Result<(u32, u32), String> {
        counts(&Params::of(crate::query::parse(query))).map_err(|fault| fault.code.into_owned())
    }

    #[test]
    fn counts_must_be_there_and_fit() {
        assert_eq!(counted("MinCount=1&MaxCount=3"), Ok((1, 3)));
        assert_eq!(counted("MaxCount=3").unwrap_err(), "MissingParameter");
        assert_eq!(counted("MinCount=0&MaxCount=3").unwrap_err(), "InvalidParameterValue");
        assert_eq!(counted("MinCount=4&MaxCount=3").unwrap_err(), "InvalidParameterCombination");
    }
}
