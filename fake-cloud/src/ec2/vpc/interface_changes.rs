//! Network interfaces made, plugged in and out, changed and removed.

use super::interfaces::{is_interface, view};
use super::subnets;
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::instances::view::group_set;
use crate::ec2::operation::Call;
use crate::ec2::tags::{self, NAME};
use crate::ec2::xml::Xml;
use crate::ec2::{instances, security_groups};
use crate::model::{
    AttachPlug, Model, NetworkId, NewPort, Port, PortId, SecurityGroupId, WantedIp,
};

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let mut tags = tags::specified(params, Kind::Interface)?;
    let name = tags.remove(NAME).unwrap_or_default();
    let made = call.cloud.change(|model, now| {
        let subnet = subnets::by_id(&call, model, params.required("SubnetId")?)?;
        let (subnet, network) = (subnet.id, subnet.network_id);
        let address = |text: &str| {
            let invalid = |_| Fault::invalid_value(format!("Invalid IP address: {text}"));
            let address = Some(text.parse().map_err(invalid)?);
            Ok(WantedIp { subnet_id: Some(subnet), address })
        };
        let further = params.list("PrivateIpAddresses").into_iter();
        let further = further.filter_map(|it| it.text("PrivateIpAddress"));
        let addresses = params.text("PrivateIpAddress").into_iter().chain(further).map(address);
        let mut addresses: Vec<WantedIp> = addresses.collect::<Result<_, Fault>>()?;
        let count = params.number("SecondaryPrivateIpAddressCount")?.unwrap_or(0).clamp(0, 50);
        let any = WantedIp { subnet_id: Some(subnet), address: None };
        if addresses.is_empty() {
            addresses.push(any);
        }
        addresses.extend((0..count).map(|_| any));
        let wanted = NewPort {
            name,
            description: params.text("Description").unwrap_or_default().to_owned(),
            fixed_ips: Some(addresses),
            security_groups: groups(&call, model, network)?,
            ..NewPort::on(network, call.project)
        };
        let id = model.create_port(wanted, now)?;
        let mut port = model.ports.get_mut(id).ok_or_else(|| missing(id))?;
        port.tags = tags;
        Ok::<_, Fault>(id)
    });
    let id = made.await?;
    let model = call.cloud.read();
    let port = model.ports.get(id).ok_or_else(|| missing(id))?;
    let mut xml = Xml::default();
    xml.within("networkInterface", |xml| view(xml, &call, &model, port));
    xml.optional("clientToken", params.text("ClientToken"));
    Ok(xml)
}

/// The groups that a request names for a port of a network, or those that guard it otherwise.
fn groups(call: &Call, model: &Model, network: NetworkId) -> Result<Vec<SecurityGroupId>, Fault> {
    let named = call.params.texts("SecurityGroupId");
    if named.is_empty() {
        let default = security_groups::default_of(call, model, network);
        return Ok(default.map(|group| group.id).into_iter().collect());
    }
    let find = |text: &str| {
        let group = security_groups::by_id(call, model, text)?;
        security_groups::check_vpc(model, group, network)?;
        Ok(group.id)
    };
    named.into_iter().map(find).collect()
}

pub(in crate::ec2) async fn attach(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    params.required("DeviceIndex")?;
    let text = params.required("NetworkInterfaceId")?;
    let attached = call.cloud.change(|model, now| {
        let port = by_id(&call, model, text)?;
        let server = instances::find(&call, model, params.required("InstanceId")?)?.server.id;
        if port.server_id().is_some() {
            let message = format!("Interface: {text} in use.");
            return Err(Fault::invalid_value(message));
        }
        let plug = AttachPlug { port: Some(port.id.to_string()), ..AttachPlug::default() };
        let server = server.to_string();
        let request = &call.request_id;
        Ok(model.attach_interface(&call.caller, &server, &plug, request, now)?)
    });
    let port = attached.await?;
    let mut xml = Xml::default();
    xml.text("attachmentId", Kind::InterfaceAttachment.id(port));
    Ok(xml)
}

pub(in crate::ec2) async fn detach(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("AttachmentId")?;
    let (server, port) = {
        let model = call.cloud.read();
        let wanted = Kind::InterfaceAttachment.parse(text)?;
        let found = of_account(&call, &model)
            .find(|port| Kind::InterfaceAttachment.id(port.id) == wanted)
            .and_then(|port| Some((model.servers.get(port.server_id()?)?, port)));
        let (server, port) =
            found.ok_or_else(|| Fault::missing(Kind::InterfaceAttachment, text))?;
        if server.ports.first() == Some(&port.id) {
            let message = "The network interface at device index 0 cannot be detached.";
            return Err(Fault::new("OperationNotPermitted", message));
        }
        (server.id.to_string(), port.id.to_string())
    };
    let (caller, request) = (&call.caller, call.request_id.as_str());
    let detached = call
        .cloud
        .unroute(|model, now| model.detach_interface(caller, &server, &port, request, now));
    detached.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let text = call.params.required("NetworkInterfaceId")?;
    let id = {
        let model = call.cloud.read();
        let port = by_id(&call, &model, text)?;
        if port.server_id().is_some() {
            let message = format!("Network interface '{text}' is currently in use.");
            return Err(Fault::new("InvalidNetworkInterface.InUse", message));
        }
        port.id.to_string()
    };
    let caller = &call.caller;
    let deleted = call.cloud.delete_port(|model| Ok(model.port(caller, &id)?.id));
    deleted.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let description = params.text("Description.Value");
    let check = params.flag("SourceDestCheck.Value")?;
    let with_server = params.flag("Attachment.DeleteOnTermination")?;
    let guarded = !params.list("SecurityGroupId").is_empty();
    if description.is_none() && check.is_none() && with_server.is_none() && !guarded {
        return Err(Fault::combination("No attributes specified."));
    }
    let changed = call.cloud.change(|model, now| {
        let port = by_id(&call, model, params.required("NetworkInterfaceId")?)?;
        let (id, network) = (port.id, port.network_id);
        let groups = guarded.then(|| groups(&call, model, network)).transpose()?;
        let mut port = model.ports.get_mut(id).ok_or_else(|| missing(id))?;
        if let Some(text) = description {
            text.clone_into(&mut port.standard.description);
        }
        port.source_dest_check = check.unwrap_or(port.source_dest_check);
        port.goes_with_server = with_server.unwrap_or(port.goes_with_server);
        if let Some(groups) = groups {
            port.security_groups = groups;
        }
        port.standard.touch(now);
        Ok::<_, Fault>(())
    });
    changed.await?;
    Ok(Xml::done())
}

pub(in crate::ec2) fn attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let port = by_id(call, &model, call.params.required("NetworkInterfaceId")?)?;
    let mut xml = Xml::default();
    xml.text("networkInterfaceId", Kind::Interface.id(port.id));
    match call.params.required("Attribute")? {
        "description" => {
            xml.within("description", |xml| xml.text("value", &port.standard.description));
        }
        "sourceDestCheck" => {
            xml.within("sourceDestCheck", |xml| xml.text("value", port.source_dest_check));
        }
        "groupSet" => group_set(&mut xml, &model, &port.security_groups),
        "attachment" => {
            if let Some(server) = port.server_id().and_then(|server| model.servers.get(server)) {
                instances::view::attachment(&mut xml, server, port, true);
            }
        }
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    }
    Ok(xml)
}

/// The account's interfaces.
pub(in crate::ec2) fn of_account<'a>(
    call: &'a Call,
    model: &'a Model,
) -> impl Iterator<Item = &'a Port> {
    model.ports.iter().filter(|port| is_interface(call, port))
}

/// The account's interface with an id.
pub(in crate::ec2) fn by_id<'a>(
    call: &'a Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Port, Fault> {
    let wanted = Kind::Interface.parse(text)?;
    let found = of_account(call, model).find(|port| Kind::Interface.id(port.id) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::Interface, text))
}

fn missing(id: PortId) -> Fault {
    Fault::missing(Kind::Interface, Kind::Interface.id(id))
}
