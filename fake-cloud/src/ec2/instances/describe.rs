//! Which instances there are, and how they are.

use std::collections::BTreeMap;

use super::view::subnet_of;
use super::{Instance, InstanceState, all, named, view};
use crate::ec2::Kind;
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::ids::account;
use crate::ec2::operation::Call;
use crate::ec2::pages::{Page, Place};
use crate::ec2::xml::{Millis, Xml};
use crate::model::{Model, Port};

/// About as many bytes as an instance takes.
const INSTANCE_SIZE: usize = 2560;

const FILTERS: [&str; 24] = [
    "architecture",
    "availability-zone",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.volume-id",
    "client-token",
    "dns-name",
    "group-id",
    "group-name",
    "image-id",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "key-name",
    "launch-time",
    "owner-id",
    "private-ip-address",
    "reservation-id",
    "subnet-id",
    "vpc-id",
];

pub(crate) fn instances(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "InstanceId")?;
    let model = call.cloud.read();
    let wanted = selected(call, &model, page.after())?;
    let passing = wanted.filter(|instance| pass(call, &filters, &model, instance));
    let (instances, next) = page.of(passing.map(|instance| (place(&model, &instance), instance)));
    let mut xml = Xml::sized(instances.len() * INSTANCE_SIZE);
    view::reservations(&mut xml, call, &model, &instances);
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(crate) fn status(call: &Call) -> Result<Xml, Fault> {
    let known = ["availability-zone", "instance-state-code", "instance-state-name"];
    let filters = Filters::read(&call.params, &known)?;
    let page = Page::read(&call.params, "InstanceId")?;
    let every = call.params.flag("IncludeAllInstances")?.unwrap_or(false);
    let model = call.cloud.read();
    let wanted = selected(call, &model, page.after())?;
    let passing = wanted
        .filter(|instance| every || instance.state().1 == "running")
        .filter(|instance| pass(call, &filters, &model, instance));
    let (instances, next) = page.of(passing.map(|instance| (place(&model, &instance), instance)));
    let mut xml = Xml::default();
    xml.list("instanceStatusSet", instances, |xml, instance| {
        let state = instance.state();
        xml.text("instanceId", instance.id());
        xml.text("availabilityZone", call.zone());
        xml.within("instanceState", |xml| {
            xml.text("code", state.0);
            xml.text("name", state.1);
        });
        summary(xml, "systemStatus", state);
        summary(xml, "instanceStatus", state);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

fn summary(xml: &mut Xml, name: &str, state: InstanceState) {
    let running = state.1 == "running";
    xml.within(name, |xml| {
        xml.text("status", if running { "ok" } else { "not-applicable" });
        xml.list("details", running.then_some("reachability"), |xml, check| {
            xml.text("name", check);
            xml.text("status", "passed");
        });
    });
}

/// The instances that are named, or all after a place when none is.
fn selected<'a>(
    call: &'a Call,
    model: &'a Model,
    after: Option<Place>,
) -> Result<Box<dyn Iterator<Item = Instance<'a>> + 'a>, Fault> {
    if call.params.list("InstanceId").is_empty() {
        return Ok(Box::new(all(call, model, after)));
    }
    let mut named = named(call, model)?;
    named.sort_by_key(|instance| place(model, instance));
    named.dedup_by_key(|instance| instance.server.id);
    Ok(Box::new(named.into_iter()))
}

fn place(model: &Model, instance: &Instance<'_>) -> Place {
    let id = instance.server.id;
    match instance.gone {
        None => (false, model.servers.sequence(id)),
        Some(_) => (true, model.terminated.sequence(id)),
    }
}

fn pass(call: &Call, filters: &Filters, model: &Model, instance: &Instance<'_>) -> bool {
    let tags = if filters.is_empty() { BTreeMap::new() } else { instance.tags() };
    filters.pass(&tags, |name| values(call, model, instance, name))
}

/// What an instance has for a filter's name.
fn values(call: &Call, model: &Model, instance: &Instance<'_>, name: &str) -> Vec<String> {
    let server = instance.server;
    let (port, floating) = view::addresses(model, instance);
    let groups = || {
        let ids = port.map(|port| port.security_groups.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| model.security_groups.get(*id))
    };
    let one = |value: Option<String>| value.into_iter().collect();
    match name {
        "architecture" => vec![std::env::consts::ARCH.to_owned()],
        "availability-zone" => vec![call.zone().to_string()],
        "block-device-mapping.delete-on-termination" => model
            .volumes_of(server.id)
            .map(|(_, it)| it.delete_on_termination.to_string())
            .collect(),
        "block-device-mapping.device-name" => {
            model.volumes_of(server.id).map(|(_, it)| format!("/dev/{}", it.device)).collect()
        }
        "block-device-mapping.volume-id" => {
            model.volumes_of(server.id).map(|(it, _)| Kind::Volume.id(it.id).to_string()).collect()
        }
        "client-token" => one(server.client_token.as_ref().map(|known| known.token.clone())),
        "dns-name" | "ip-address" => one(floating.map(|ip| ip.address.to_string())),
        "group-id" | "instance.group-id" => {
            groups().map(|group| Kind::SecurityGroup.id(group.id).to_string()).collect()
        }
        "group-name" | "instance.group-name" => groups().map(|group| group.name.clone()).collect(),
        "image-id" => vec![Kind::Image.id(server.image_id).to_string()],
        "instance-id" => vec![instance.id().to_string()],
        "instance-state-code" => vec![instance.state().0.to_string()],
        "instance-state-name" => vec![instance.state().1.to_owned()],
        "instance-type" => vec![server.flavor.name.clone()],
        "key-name" => one(server.key.as_ref().map(|(name, _)| name.clone())),
        "launch-time" => vec![Millis(server.created).to_string()],
        "owner-id" => vec![account(server.project_id)],
        "private-ip-address" => {
            one(port.and_then(Port::address).map(|address| address.to_string()))
        }
        "reservation-id" => vec![server.reservation_id.clone()],
        "subnet-id" => one(port.and_then(subnet_of).map(|subnet| subnet.to_string())),
        "vpc-id" => one(port.map(|port| Kind::Vpc.id(port.network_id).to_string())),
        _ => Vec::new(),
    }
}
