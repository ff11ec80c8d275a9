//! An instance in XML.

use super::options::metadata_options;
use super::{Instance, is_root};
use crate::ec2::Kind;
use crate::ec2::ids::{Id, account};
use crate::ec2::operation::Call;
use crate::ec2::security_groups;
use crate::ec2::tags::tag_set;
use crate::ec2::volumes::attachment_status;
use crate::ec2::xml::{Millis, Xml};
use crate::model::{Event, FloatingIp, Model, Port, SecurityGroupId, Server};

/// The port of an instance, and the floating IP that leads there.
pub(super) fn addresses<'a>(
    model: &'a Model,
    instance: &Instance<'_>,
) -> (Option<&'a Port>, Option<&'a FloatingIp>) {
    let port = model.primary_port(instance.server);
    (port, port.and_then(|port| model.floating_ips_of(port.id).next()))
}

/// The subnet that the address of a port is from.
pub(super) fn subnet_of(port: &Port) -> Option<Id> {
    port.fixed_ips.first().map(|fixed| Kind::Subnet.id(fixed.subnet_id))
}

/// Reservations: all instances of one request that stand together.
pub(super) fn reservations(xml: &mut Xml, call: &Call, model: &Model, instances: &[Instance<'_>]) {
    let together =
        instances.chunk_by(|one, next| one.server.reservation_id == next.server.reservation_id);
    xml.list("reservationSet", together, |xml, instances| reservation(xml, call, model, instances));
}

/// One reservation.
pub(super) fn reservation(xml: &mut Xml, call: &Call, model: &Model, instances: &[Instance<'_>]) {
    let Some(first) = instances.first() else { return };
    xml.text("reservationId", &first.server.reservation_id);
    xml.text("ownerId", account(first.server.project_id));
    xml.list("groupSet", [(); 0], |_, ()| {});
    xml.list("instancesSet", instances, |xml, one| instance(xml, call, model, one));
}

fn instance(xml: &mut Xml, call: &Call, model: &Model, instance: &Instance<'_>) {
    let server = instance.server;
    let (port, floating) = addresses(model, instance);
    let public = floating.map(|floating| floating.address);
    let private_name = port.map_or("", |_| server.hostname.as_str());
    let (code, name) = instance.state();
    xml.text("instanceId", instance.id());
    xml.text("imageId", Kind::Image.id(server.image_id));
    xml.within("instanceState", |xml| {
        xml.text("code", code);
        xml.text("name", name);
    });
    xml.text("privateDnsName", private_name);
    xml.text("dnsName", public);
    let reason = transition(instance);
    xml.text("reason", reason.map_or(String::new(), |at| format!("User initiated ({at})")));
    xml.optional("keyName", server.key.as_ref().map(|(name, _)| name));
    xml.text("amiLaunchIndex", server.launch_index);
    xml.list("productCodes", [(); 0], |_, ()| {});
    xml.text("instanceType", &server.flavor.name);
    xml.text("launchTime", Millis(server.created));
    xml.within("placement", |xml| {
        xml.text("availabilityZone", call.zone());
        let group = server.group_id.and_then(|group| model.server_groups.get(group));
        xml.text("groupName", group.map_or("", |group| group.name.as_str()));
        xml.optional("groupId", group.map(|group| Kind::PlacementGroup.id(group.id)));
        xml.text("tenancy", "default");
    });
    let monitored = if server.options.monitored { "enabled" } else { "disabled" };
    xml.within("monitoring", |xml| xml.text("state", monitored));
    if let Some(port) = port {
        xml.optional("subnetId", subnet_of(port));
        xml.text("vpcId", Kind::Vpc.id(port.network_id));
        xml.optional("privateIpAddress", port.address());
    }
    xml.optional("ipAddress", public);
    xml.text("sourceDestCheck", port.is_none_or(|port| port.source_dest_check));
    group_set(xml, model, port.map_or(&[], |port| &port.security_groups));
    if let Some((code, message)) = state_reason(instance) {
        xml.within("stateReason", |xml| {
            xml.text("code", code);
            xml.text("message", message);
        });
    }
    xml.text("architecture", std::env::consts::ARCH);
    let (root_type, root_name) = root_device(model, server);
    xml.text("rootDeviceType", root_type);
    xml.text("rootDeviceName", root_name);
    block_devices(xml, model, server);
    xml.text("virtualizationType", "paravirtual");
    xml.text("clientToken", server.client_token.as_ref().map_or("", |known| &known.token));
    tag_set(xml, &instance.tags());
    xml.text("hypervisor", "xen");
    xml.list("networkInterfaceSet", model.ports_of(server), |xml, port| {
        interface(xml, model, Some(server), port, false);
    });
    xml.text("ebsOptimized", false);
    xml.within("metadataOptions", |xml| metadata_options(xml, &server.options.metadata));
}

/// What an instance boots from: a volume, where the other API has made it so, or its own disk.
pub(super) fn root_device(model: &Model, server: &Server) -> (&'static str, &'static str) {
    match model.volumes_of(server.id).any(|(_, held)| is_root(&held.device)) {
        true => ("ebs", "/dev/sda"),
        false => ("instance-store", "/dev/sda1"),
    }
}

/// The volumes that an instance has.
pub(super) fn block_devices(xml: &mut Xml, model: &Model, server: &Server) {
    xml.list("blockDeviceMapping", model.volumes_of(server.id), |xml, (volume, held)| {
        xml.text("deviceName", format_args!("/dev/{}", held.device));
        xml.within("ebs", |xml| {
            xml.text("volumeId", Kind::Volume.id(volume.id));
            xml.text("status", attachment_status(volume));
            xml.text("attachTime", Millis(held.attached));
            xml.text("deleteOnTermination", held.delete_on_termination);
        });
    });
}

/// When somebody has asked for it that an instance does not run any more.
fn transition(instance: &Instance<'_>) -> Option<Millis> {
    match instance.gone {
        Some(gone) => Some(Millis(gone.at)),
        None => stopped(instance)
            .filter(|stop| !stop.request_id.is_empty())
            .map(|stop| Millis(stop.started)),
    }
}

/// What has stopped an instance; without a request when that was the instance itself.
fn stopped<'a>(instance: &Instance<'a>) -> Option<&'a Event> {
    let stopped = instance.state().1 == "stopped";
    instance.server.events.iter().rev().find(|event| event.action == "stop").filter(|_| stopped)
}

/// Why an instance does not run.
fn state_reason<'a>(instance: &Instance<'a>) -> Option<(&'static str, &'a str)> {
    const USER: (&str, &str) =
        ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown");
    const ITSELF: (&str, &str) = (
        "Client.InstanceInitiatedShutdown",
        "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    );
    match (instance.gone, &instance.server.fault) {
        (Some(_), _) => Some(USER),
        (None, Some(fault)) => Some(("Server.InternalError", &fault.message)),
        (None, None) => match stopped(instance) {
            Some(stop) if stop.request_id.is_empty() => Some(ITSELF),
            stop => stop.map(|_| USER),
        },
    }
}

/// A port as the network interface it is, of this server if it is plugged in; `alone` where it
/// is not shown as a part of its instance.
pub(in crate::ec2) fn interface(
    xml: &mut Xml,
    model: &Model,
    server: Option<&Server>,
    port: &Port,
    alone: bool,
) {
    let floating = model.floating_ips_of(port.id).next();
    let association = |xml: &mut Xml| {
        if let Some(floating) = floating {
            xml.within("association", |xml| {
                xml.text("publicIp", floating.address);
                xml.text("publicDnsName", floating.address);
                xml.text("ipOwnerId", account(floating.project_id));
            });
        }
    };
    let name = server.map_or("", |server| server.hostname.as_str());
    xml.text("networkInterfaceId", Kind::Interface.id(port.id));
    xml.optional("subnetId", subnet_of(port));
    xml.text("vpcId", Kind::Vpc.id(port.network_id));
    xml.text("description", &port.standard.description);
    xml.text("ownerId", account(port.project_id));
    xml.text("status", interface_status(port));
    xml.text("macAddress", &port.mac);
    xml.optional("privateIpAddress", port.address());
    xml.text("privateDnsName", name);
    xml.text("sourceDestCheck", port.source_dest_check);
    group_set(xml, model, &port.security_groups);
    if let Some(server) = server {
        attachment(xml, server, port, alone);
    }
    association(xml);
    xml.list("privateIpAddressesSet", port.fixed_ips.iter().enumerate(), |xml, (index, fixed)| {
        xml.text("privateIpAddress", fixed.address);
        xml.text("privateDnsName", name);
        xml.text("primary", index == 0);
        if index == 0 {
            association(xml);
        }
    });
}

/// How a port is plugged into a server.
pub(in crate::ec2) fn attachment(xml: &mut Xml, server: &Server, port: &Port, alone: bool) {
    let index = server.ports.iter().position(|id| *id == port.id).unwrap_or_default();
    xml.within("attachment", |xml| {
        xml.text("attachmentId", Kind::InterfaceAttachment.id(port.id));
        if alone {
            xml.text("instanceId", Kind::Instance.id(server.id));
            xml.text("instanceOwnerId", account(server.project_id));
        }
        xml.text("deviceIndex", index);
        xml.text("networkCardIndex", 0);
        xml.text("status", "attached");
        xml.text("attachTime", Millis(port.standard.created));
        xml.text("deleteOnTermination", port.goes_with_server);
    });
}

/// Whether something is plugged into a port.
pub(in crate::ec2) fn interface_status(port: &Port) -> &'static str {
    if port.server_id().is_some() { "in-use" } else { "available" }
}

/// Security groups by id and name.
pub(in crate::ec2) fn group_set(xml: &mut Xml, model: &Model, groups: &[SecurityGroupId]) {
    let groups = groups.iter().filter_map(|id| model.security_groups.get(*id));
    xml.list("groupSet", groups, |xml, group| {
        xml.text("groupId", Kind::SecurityGroup.id(group.id));
        xml.text("groupName", security_groups::name(group));
    });
}
