//! Elastic IPs: floating IPs as EC2 sees them.

use uuid::Uuid;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind};
use super::operation::Call;
use super::tags::{self, tag_set};
use super::vpc::{interface_changes, public_addresses};
use super::{instances, xml::Xml};
use crate::model::{FloatingIp, Model, NewFloatingIp, Port, PortId, Server, Target};

pub(super) async fn allocate(call: Call) -> Result<Xml, Fault> {
    let tags = tags::specified(&call.params, Kind::Allocation)?;
    let address = call.params.text("Address").map(|text| {
        text.parse().map_err(|_| Fault::invalid_value(format!("Invalid IP address: {text}")))
    });
    let network_id = call.cloud.read().public_network().map(|network| network.id);
    let network_id = network_id.ok_or_else(|| {
        Fault::new("InsufficientAddressCapacity", "This cloud has no addresses to give.")
    })?;
    let wanted = NewFloatingIp {
        address: address.transpose()?,
        ..NewFloatingIp::from_pool(network_id, call.project)
    };
    let id = call.cloud.create_floating_ip(wanted).await?;
    let tagged = call.cloud.change(|model, _| {
        let gone = || Fault::missing(Kind::Allocation, Kind::Allocation.id(id));
        let mut floating = model.floating_ips.get_mut(id).ok_or_else(gone)?;
        floating.tags = tags;
        Ok::<_, Fault>(floating.address)
    });
    let address = tagged.await?;
    let mut xml = Xml::default();
    xml.text("publicIp", address);
    xml.text("domain", "vpc");
    xml.text("allocationId", Kind::Allocation.id(id));
    xml.text("publicIpv4Pool", "amazon");
    xml.text("networkBorderGroup", &call.cloud.region);
    Ok(xml)
}

pub(super) async fn associate(call: Call) -> Result<Xml, Fault> {
    let (id, port, others) = {
        let model = call.cloud.read();
        let floating = named(&call, &model)?;
        let port = target(&call, &model)?;
        let moves = floating.port_id.is_some_and(|other| other != port);
        if moves && call.params.flag("AllowReassociation")? == Some(false) {
            let id = Kind::Allocation.id(floating.id);
            let message = format!("resource {id} is already associated with an instance");
            return Err(Fault::new("Resource.AlreadyAssociated", message));
        }
        let address = call.params.text("PrivateIpAddress").map(|text| {
            text.parse().map_err(|_| Fault::invalid_value(format!("Invalid IP address: {text}")))
        });
        let fixed_address = match address.transpose()? {
            None => model.ports.get(port).and_then(Port::address),
            given => given,
        };
        let others: Vec<(String, bool)> = model
            .floating_ips_of(port)
            .filter(|other| other.id != floating.id && other.fixed_address == fixed_address)
            .map(|other| (other.id.to_string(), other.goes_with_port))
            .collect();
        (floating.id, Target { port_id: port, fixed_address }, others)
    };
    // An instance has one public address: the new one takes the place of the old one.
    for (other, goes_with_port) in others {
        match goes_with_port {
            true => call.cloud.delete_floating_ip(&call.caller, &other).await?,
            false => call.cloud.associate(&call.caller, &other, None).await.map(drop)?,
        }
    }
    call.cloud.associate(&call.caller, &id.to_string(), Some(port)).await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    xml.text("associationId", association_id(id.0, port.port_id.0));
    Ok(xml)
}

/// The port that a request wants an address to lead to.
fn target(call: &Call, model: &Model) -> Result<PortId, Fault> {
    if let Some(text) = call.params.text("NetworkInterfaceId") {
        return Ok(interface_changes::by_id(call, model, text)?.id);
    }
    let server = instances::find(call, model, call.params.required("InstanceId")?)?.server;
    model.primary_port(server).map(|port| port.id).ok_or_else(|| {
        let message = "The instance has no network interface to associate an address with.";
        Fault::new("IncorrectInstanceState", message)
    })
}

pub(super) async fn disassociate(call: Call) -> Result<Xml, Fault> {
    let id = {
        let model = call.cloud.read();
        match call.params.text("AssociationId") {
            Some(text) => {
                let wanted = Kind::Association.parse(text)?;
                let found = own(&call, &model).find(|ip| association(ip) == Some(wanted));
                found.ok_or_else(|| Fault::missing(Kind::Association, text))?.id
            }
            None => {
                let floating = at_address(&call, &model, call.params.required("PublicIp")?)?;
                if floating.port_id.is_none() {
                    let message = format!("The address '{}' is not associated", floating.address);
                    return Err(Fault::new("InvalidAssociationID.NotFound", message));
                }
                floating.id
            }
        }
    };
    call.cloud.associate(&call.caller, &id.to_string(), None).await?;
    public_addresses::give(&call).await;
    Ok(Xml::done())
}

pub(super) async fn release(call: Call) -> Result<Xml, Fault> {
    let id = {
        let model = call.cloud.read();
        let floating = named(&call, &model)?;
        if floating.port_id.is_some() {
            let message = format!("Address {} is in use.", floating.address);
            return Err(Fault::new("InvalidIPAddress.InUse", message));
        }
        floating.id
    };
    call.cloud.delete_floating_ip(&call.caller, &id.to_string()).await?;
    Ok(Xml::done())
}

pub(super) fn addresses(call: &Call) -> Result<Xml, Fault> {
    let known = [
        "allocation-id",
        "association-id",
        "domain",
        "instance-id",
        "network-interface-id",
        "private-ip-address",
        "public-ip",
    ];
    let filters = Filters::read(&call.params, &known)?;
    let model = call.cloud.read();
    let ids = call.params.texts("AllocationId").into_iter();
    let ids = ids.map(|text| by_id(call, &model, text));
    let named = call.params.texts("PublicIp").into_iter();
    let named = named.map(|text| at_address(call, &model, text));
    let named: Vec<_> = ids.chain(named).map(|ip| Ok(ip?.id)).collect::<Result<_, Fault>>()?;
    let shown = own(call, &model).filter(|ip| {
        (named.is_empty() || named.contains(&ip.id))
            && filters.pass(&ip.tags, |name| values(&model, ip, name))
    });
    let mut xml = Xml::default();
    xml.list("addressesSet", shown, |xml, ip| {
        let port = ip.port_id.and_then(|port| model.ports.get(port));
        let server = server_of(&model, ip);
        xml.text("publicIp", ip.address);
        xml.text("allocationId", Kind::Allocation.id(ip.id));
        xml.text("domain", "vpc");
        xml.optional("instanceId", server.map(|server| Kind::Instance.id(server.id)));
        xml.optional("associationId", association(ip));
        xml.optional("networkInterfaceId", port.map(|port| Kind::Interface.id(port.id)));
        xml.optional("networkInterfaceOwnerId", port.map(|_| call.account()));
        xml.optional("privateIpAddress", ip.fixed_address);
        xml.text("publicIpv4Pool", "amazon");
        xml.text("networkBorderGroup", &call.cloud.region);
        tag_set(xml, &ip.tags);
    });
    Ok(xml)
}

fn values(model: &Model, ip: &FloatingIp, name: &str) -> Vec<String> {
    let one = |value: Option<String>| value.into_iter().collect();
    match name {
        "allocation-id" => vec![Kind::Allocation.id(ip.id).to_string()],
        "association-id" => one(association(ip).map(|id| id.to_string())),
        "domain" => vec!["vpc".to_owned()],
        "instance-id" => {
            one(server_of(model, ip).map(|server| Kind::Instance.id(server.id).to_string()))
        }
        "network-interface-id" => one(ip.port_id.map(|port| Kind::Interface.id(port).to_string())),
        "private-ip-address" => one(ip.fixed_address.map(|address| address.to_string())),
        _ => vec![ip.address.to_string()],
    }
}

fn server_of<'a>(model: &'a Model, ip: &FloatingIp) -> Option<&'a Server> {
    model.servers.get(model.ports.get(ip.port_id?)?.server_id()?)
}

/// Names a floating IP and where it leads: another place is another association.
fn association(ip: &FloatingIp) -> Option<Id> {
    ip.port_id.map(|port| association_id(ip.id.0, port.0))
}

fn association_id(floating: Uuid, port: Uuid) -> Id {
    Kind::Association.id(Uuid::from_u128(floating.as_u128() ^ port.as_u128()))
}

/// The addresses that the account has asked for.
pub(super) fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a FloatingIp> {
    let project = call.project;
    model.floating_ips.iter().filter(move |ip| ip.project_id == project && !ip.goes_with_port)
}

/// The address that a request names, by its allocation or by itself.
fn named<'a>(call: &Call, model: &'a Model) -> Result<&'a FloatingIp, Fault> {
    match (call.params.text("AllocationId"), call.params.text("PublicIp")) {
        (Some(id), _) => by_id(call, model, id),
        (None, Some(address)) => at_address(call, model, address),
        (None, None) => Err(Fault::missing_parameter("AllocationId")),
    }
}

/// The project's floating IP with an allocation's id.
pub(super) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a FloatingIp, Fault> {
    let id = Kind::Allocation.parse(text)?;
    own(call, model)
        .find(|ip| Kind::Allocation.id(ip.id) == id)
        .ok_or_else(|| Fault::missing(Kind::Allocation, text))
}

fn at_address<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a FloatingIp, Fault> {
    let address = text.parse().ok();
    own(call, model).find(|ip| Some(ip.address) == address).ok_or_else(|| {
        Fault::new("InvalidAddress.NotFound", format!("Address '{text}' not found."))
    })
}
