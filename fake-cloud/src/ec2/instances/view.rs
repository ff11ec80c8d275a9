//! An instance in XML.

use super::Instance;
use crate::ec2::Kind;
use crate::ec2::ids::{Id, account};
use crate::ec2::tags::tag_set;
use crate::ec2::volumes::attachment_status;
use crate::ec2::xml::{Millis, Xml};
use crate::model::{FloatingIp, Model, Port, SecurityGroupId, ZONE};

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
pub(super) fn reservations(xml: &mut Xml, model: &Model, instances: &[Instance<'_>]) {
    let together =
        instances.chunk_by(|one, next| one.server.reservation_id == next.server.reservation_id);
    xml.list("reservationSet", together, |xml, instances| reservation(xml, model, instances));
}

/// One reservation.
pub(super) fn reservation(xml: &mut Xml, model: &Model, instances: &[Instance<'_>]) {
    let Some(first) = instances.first() else { return };
    xml.text("reservationId", &first.server.reservation_id);
    xml.text("ownerId", account(first.server.project_id));
    xml.list("groupSet", [(); 0], |_, ()| {});
    xml.list("instancesSet", instances, |xml, one| instance(xml, model, one));
}

fn instance(xml: &mut Xml, model: &Model, instance: &Instance<'_>) {
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
    xml.text("dnsName", public.map_or(String::new(), |address| address.to_string()));
    match instance.gone {
        Some(gone) => xml.text("reason", format_args!("User initiated ({})", Millis(gone.at))),
        None => xml.text("reason", ""),
    }
    xml.optional("keyName", server.key.as_ref().map(|(name, _)| name));
    xml.text("amiLaunchIndex", server.launch_index);
    xml.list("productCodes", [(); 0], |_, ()| {});
    xml.text("instanceType", &server.flavor.name);
    xml.text("launchTime", Millis(server.created));
    xml.within("placement", |xml| {
        xml.text("availabilityZone", ZONE);
        xml.text("groupName", "");
        xml.text("tenancy", "default");
    });
    xml.within("monitoring", |xml| xml.text("state", "disabled"));
    if let Some(port) = port {
        xml.optional("subnetId", subnet_of(port));
        xml.text("vpcId", Kind::Vpc.id(port.network_id));
        xml.optional("privateIpAddress", port.address());
    }
    xml.optional("ipAddress", public);
    xml.text("sourceDestCheck", true);
    let groups = port.map(|port| port.security_groups.as_slice()).unwrap_or_default();
    group_set(xml, model, groups);
    if let Some((code, message)) = state_reason(instance) {
        xml.within("stateReason", |xml| {
            xml.text("code", code);
            xml.text("message", message);
        });
    }
    xml.text("architecture", std::env::consts::ARCH);
    xml.text("rootDeviceType", "instance-store");
    xml.list("blockDeviceMapping", model.volumes_of(server.id), |xml, (volume, held)| {
        xml.text("deviceName", format_args!("/dev/{}", held.device));
        xml.within("ebs", |xml| {
            xml.text("volumeId", Kind::Volume.id(volume.id));
            xml.text("status", attachment_status(volume));
            xml.text("attachTime", Millis(held.attached));
            xml.text("deleteOnTermination", held.delete_on_termination);
        });
    });
    xml.text("virtualizationType", "paravirtual");
    xml.text("clientToken", server.client_token.as_ref().map_or("", |known| &known.token));
    tag_set(xml, &instance.tags());
    xml.text("hypervisor", "xen");
    xml.list("networkInterfaceSet", port, |xml, port| {
        interface(xml, model, instance, port, floating);
    });
    xml.text("ebsOptimized", false);
}

/// Why an instance does not run.
fn state_reason<'a>(instance: &Instance<'a>) -> Option<(&'static str, &'a str)> {
    match (instance.gone, &instance.server.fault) {
        (Some(_), _) => Some(("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown")),
        (None, Some(fault)) => Some(("Server.InternalError", &fault.message)),
        (None, None) => None,
    }
}

fn interface(
    xml: &mut Xml,
    model: &Model,
    instance: &Instance<'_>,
    port: &Port,
    floating: Option<&FloatingIp>,
) {
    let association = |xml: &mut Xml| {
        if let Some(floating) = floating {
            xml.within("association", |xml| {
                xml.text("publicIp", floating.address);
                xml.text("publicDnsName", floating.address);
                xml.text("ipOwnerId", account(floating.project_id));
            });
        }
    };
    xml.text("networkInterfaceId", Kind::Interface.id(port.id));
    xml.optional("subnetId", subnet_of(port));
    xml.text("vpcId", Kind::Vpc.id(port.network_id));
    xml.text("description", &port.name);
    xml.text("ownerId", account(port.project_id));
    xml.text("status", "in-use");
    xml.text("macAddress", &port.mac);
    xml.optional("privateIpAddress", port.address());
    xml.text("privateDnsName", &instance.server.hostname);
    xml.text("sourceDestCheck", true);
    group_set(xml, model, &port.security_groups);
    xml.within("attachment", |xml| {
        xml.text("deviceIndex", 0);
        xml.text("status", "attached");
        xml.text("attachTime", Millis(instance.server.created));
        xml.text("deleteOnTermination", true);
    });
    association(xml);
    xml.list("privateIpAddressesSet", port.address(), |xml, address| {
        xml.text("privateIpAddress", address);
        xml.text("privateDnsName", &instance.server.hostname);
        xml.text("primary", true);
        association(xml);
    });
}

fn group_set(xml: &mut Xml, model: &Model, groups: &[SecurityGroupId]) {
    let groups = groups.iter().filter_map(|id| model.security_groups.get(*id));
    xml.list("groupSet", groups, |xml, group| {
        xml.text("groupId", Kind::SecurityGroup.id(group.id));
        xml.text("groupName", &group.name);
    });
}
