//! Network interfaces: the ports of servers, and those that wait for one.

use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::{Kind, account};
use crate::ec2::instances;
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::places::wanted;
use crate::ec2::tags::{self, Tags, tag_set};
use crate::ec2::xml::Xml;
use crate::model::{Device, Model, Port};

const FILTERS: [&str; 19] = [
    "addresses.private-ip-address",
    "association.public-ip",
    "attachment.attachment-id",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-ip-address",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

pub(in crate::ec2) fn interfaces(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "NetworkInterfaceId")?;
    let model = call.cloud.read();
    let own = || model.ports.iter().filter(|port| is_interface(call, port));
    let ids = own().map(|port| Kind::Interface.id(port.id));
    let named = wanted(call, "NetworkInterfaceId", Kind::Interface, ids)?;
    let shown = own().filter(|port| {
        (named.is_empty() || named.contains(&Kind::Interface.id(port.id)))
            && filters.pass(&interface_tags(port), |name| values(call, &model, port, name))
    });
    let (ports, next) = page.in_order(&model.ports, shown);
    let mut xml = Xml::default();
    xml.list("networkInterfaceSet", ports, |xml, port| view(xml, call, &model, port));
    xml.optional("nextToken", next);
    Ok(xml)
}

/// An interface by itself.
pub(super) fn view(xml: &mut Xml, call: &Call, model: &Model, port: &Port) {
    let server = port.server_id().and_then(|server| model.servers.get(server));
    instances::view::interface(xml, model, server, port, true);
    xml.text("availabilityZone", call.zone());
    xml.text("interfaceType", "interface");
    xml.text("requesterManaged", false);
    tag_set(xml, &interface_tags(port));
}

/// An interface's tags.
pub(in crate::ec2) fn interface_tags(port: &Port) -> Tags {
    tags::with_name(&port.tags, Some(&port.name).filter(|name| !name.is_empty()))
}

/// Routers' ports are the cloud's own business in EC2.
pub(super) fn is_interface(call: &Call, port: &Port) -> bool {
    port.project_id == call.project && matches!(port.device, Device::Server(_) | Device::Nothing)
}

fn values(call: &Call, model: &Model, port: &Port, name: &str) -> Vec<String> {
    let groups = || port.security_groups.iter().filter_map(|id| model.security_groups.get(*id));
    let server = port.server_id();
    match name {
        "addresses.private-ip-address" | "private-ip-address" => {
            port.fixed_ips.iter().map(|fixed| fixed.address.to_string()).collect()
        }
        "association.public-ip" => {
            model.floating_ips_of(port.id).map(|ip| ip.address.to_string()).collect()
        }
        "attachment.instance-id" => {
            server.iter().map(|id| Kind::Instance.id(*id).to_string()).collect()
        }
        "attachment.status" => server.iter().map(|_| "attached".to_owned()).collect(),
        "availability-zone" => vec![call.zone().to_string()],
        "description" => vec![port.standard.description.clone()],
        "attachment.attachment-id" => {
            server.iter().map(|_| Kind::InterfaceAttachment.id(port.id).to_string()).collect()
        }
        "attachment.device-index" => {
            let server = server.and_then(|server| model.servers.get(server));
            let index = server.and_then(|it| it.ports.iter().position(|id| *id == port.id));
            index.iter().map(ToString::to_string).collect()
        }
        "interface-type" => vec!["interface".to_owned()],
        "source-dest-check" => vec![port.source_dest_check.to_string()],
        "group-id" => groups().map(|group| Kind::SecurityGroup.id(group.id).to_string()).collect(),
        "group-name" => groups().map(|group| group.name.clone()).collect(),
        "mac-address" => vec![port.mac.clone()],
        "network-interface-id" => vec![Kind::Interface.id(port.id).to_string()],
        "owner-id" => vec![account(port.project_id)],
        "status" => vec![instances::view::interface_status(port).to_owned()],
        "subnet-id" => {
            port.fixed_ips.iter().map(|it| Kind::Subnet.id(it.subnet_id).to_string()).collect()
        }
        _ => vec![Kind::Vpc.id(port.network_id).to_string()],
    }
}
