//! What bears tags, and where they are.

use super::{NAME, Tags};
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::operation::Call;
use crate::ec2::vpc::{
    self, gateways, interface_changes, interfaces, route_changes, route_tables, subnets,
};
use crate::ec2::{
    addresses, images, instances, key_pairs, launch_templates, placement_groups, security_groups,
    snapshots, volumes,
};
use crate::model::{
    Caller, Changing, FloatingIpId, ImageId, KeyPairId, LaunchTemplateId, Model, NetworkId, PortId,
    Record, RouteTableId, RouterId, SecurityGroupId, SecurityGroupRuleId, Server, ServerGroupId,
    ServerId, SnapshotId, SubnetId, VolumeId,
};

/// Something that bears tags.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bearer {
    Server(ServerId),
    Image(ImageId),
    Group(SecurityGroupId),
    Rule(SecurityGroupRuleId),
    Address(FloatingIpId),
    Key(KeyPairId),
    Volume(VolumeId),
    Snapshot(SnapshotId),
    Template(LaunchTemplateId),
    Placement(ServerGroupId),
    Network(NetworkId),
    Subnet(SubnetId),
    Router(RouterId),
    RouteTable(RouteTableId),
    Port(PortId),
}

/// All of the project's things that bear tags, each by its kind, its id and its tags.
pub(super) fn everything(call: &Call, model: &Model) -> Vec<(Kind, String, Tags)> {
    let own = |project| project == call.project;
    let user = call.caller.user_id;
    let mut all = Vec::new();
    let mut add = |kind: Kind, id: uuid::Uuid, tags: Tags| {
        if !tags.is_empty() {
            all.push((kind, kind.id(id).to_string(), tags));
        }
    };
    for server in model.servers.iter().filter(|server| own(server.project_id)) {
        add(Kind::Instance, server.id.0, instances::tags(server));
    }
    for image in model.images.iter().filter(|image| own(image.owner)) {
        add(Kind::Image, image.id.0, images::tags(image));
    }
    for group in model.security_groups.iter().filter(|group| own(group.project_id)) {
        add(Kind::SecurityGroup, group.id.0, group.tags.clone());
    }
    for rule in model.security_group_rules.iter().filter(|rule| own(rule.project_id)) {
        add(Kind::Rule, rule.id.0, rule.tags.clone());
    }
    for address in addresses::own(call, model) {
        add(Kind::Allocation, address.id.0, address.tags.clone());
    }
    for key in model.key_pairs.iter().filter(|key| key.user_id == user) {
        add(Kind::KeyPair, key.id.0, key.tags.clone());
    }
    for volume in model.volumes.iter().filter(|volume| own(volume.project_id)) {
        add(Kind::Volume, volume.id.0, volumes::tags(volume));
    }
    for snapshot in model.snapshots.iter().filter(|snapshot| own(snapshot.project_id)) {
        add(Kind::Snapshot, snapshot.id.0, snapshots::tags(snapshot));
    }
    for template in model.launch_templates.iter().filter(|it| own(it.project_id)) {
        add(Kind::LaunchTemplate, template.id.0, template.tags.clone());
    }
    for group in model.server_groups.iter().filter(|group| own(group.project_id)) {
        add(Kind::PlacementGroup, group.id.0, group.tags.clone());
    }
    for network in vpc::own(call, model).filter(|network| own(network.project_id)) {
        add(Kind::Vpc, network.id.0, vpc::network_tags(network));
    }
    for subnet in subnets::of_account(call, model) {
        add(Kind::Subnet, subnet.id.0, subnets::subnet_tags(subnet));
    }
    for router in gateways::of_account(call, model) {
        add(Kind::InternetGateway, router.id.0, gateways::gateway_tags(router));
    }
    for table in route_tables::of_account(call, model) {
        add(Kind::RouteTable, table.id.0, table.tags.clone());
    }
    for port in interface_changes::of_account(call, model) {
        add(Kind::Interface, port.id.0, interfaces::interface_tags(port));
    }
    all
}

/// What an id names, among what the caller may change.
pub(super) fn find(call: &Call, model: &Model, text: &str) -> Result<Bearer, Fault> {
    let kind = Kind::TAGGED.into_iter().find(|kind| kind.read(text).is_some());
    Ok(match kind {
        Some(Kind::Instance) => {
            let id = instances::find(call, model, text)?.server.id;
            let alive = model.servers.get(id).map(|server| Bearer::Server(server.id));
            alive.ok_or_else(|| Fault::missing(Kind::Instance, text))?
        }
        Some(Kind::Image) => {
            let image = images::by_id(call, model, text)?;
            if !image.writable_by(&call.caller) {
                return Err(Fault::unauthorized());
            }
            Bearer::Image(image.id)
        }
        Some(Kind::SecurityGroup) => Bearer::Group(security_groups::by_id(call, model, text)?.id),
        Some(Kind::Rule) => Bearer::Rule(security_groups::rule_by_id(call, model, text)?.id),
        Some(Kind::Allocation) => Bearer::Address(addresses::by_id(call, model, text)?.id),
        Some(Kind::KeyPair) => Bearer::Key(key_pairs::by_id(call, model, text)?.id),
        Some(Kind::Volume) => Bearer::Volume(volumes::by_id(call, model, text)?.id),
        Some(Kind::Snapshot) => Bearer::Snapshot(snapshots::by_id(call, model, text)?.id),
        Some(Kind::LaunchTemplate) => {
            Bearer::Template(launch_templates::by_id(call, model, text)?.id)
        }
        Some(Kind::PlacementGroup) => {
            Bearer::Placement(placement_groups::by_id(call, model, text)?.id)
        }
        Some(Kind::Vpc) => Bearer::Network(vpc::changeable(call, model, text)?.id),
        Some(Kind::Subnet) => Bearer::Subnet(subnets::changeable(call, model, text)?.id),
        Some(Kind::InternetGateway) => Bearer::Router(gateways::by_id(call, model, text)?.id),
        Some(Kind::RouteTable) => Bearer::RouteTable(route_changes::by_id(call, model, text)?),
        Some(Kind::Interface) => Bearer::Port(interface_changes::by_id(call, model, text)?.id),
        _ => return Err(Fault::new("InvalidID", format!("The ID '{text}' is not valid"))),
    })
}

pub(super) fn tags_of(model: &Model, bearer: Bearer) -> Option<Tags> {
    match bearer {
        Bearer::Server(id) => model.servers.get(id).map(instances::tags),
        Bearer::Image(id) => model.images.get(id).map(images::tags),
        Bearer::Group(id) => model.security_groups.get(id).map(|group| group.tags.clone()),
        Bearer::Rule(id) => model.security_group_rules.get(id).map(|rule| rule.tags.clone()),
        Bearer::Address(id) => model.floating_ips.get(id).map(|ip| ip.tags.clone()),
        Bearer::Key(id) => model.key_pairs.get(id).map(|key| key.tags.clone()),
        Bearer::Volume(id) => model.volumes.get(id).map(volumes::tags),
        Bearer::Snapshot(id) => model.snapshots.get(id).map(snapshots::tags),
        Bearer::Template(id) => model.launch_templates.get(id).map(|it| it.tags.clone()),
        Bearer::Placement(id) => model.server_groups.get(id).map(|it| it.tags.clone()),
        Bearer::Network(id) => model.networks.get(id).map(vpc::network_tags),
        Bearer::Subnet(id) => model.subnets.get(id).map(subnets::subnet_tags),
        Bearer::Router(id) => model.routers.get(id).map(gateways::gateway_tags),
        Bearer::RouteTable(id) => model.route_tables.get(id).map(|table| table.tags.clone()),
        Bearer::Port(id) => model.ports.get(id).map(interfaces::interface_tags),
    }
}

/// Gives a thing these tags and no other.
pub(super) fn set(
    model: &mut Model,
    caller: &Caller,
    bearer: Bearer,
    mut tags: Tags,
    now: time::OffsetDateTime,
) -> Result<(), Fault> {
    if let Bearer::Server(id) = bearer {
        let name = tags.remove(NAME).filter(|name| !name.is_empty());
        model.set_metadata(caller, &id.to_string(), tags, now)?;
        if let Some(mut server) = model.servers.get_mut(id) {
            server.name = name.unwrap_or_else(|| Server::default_name(id));
        }
        return Ok(());
    }
    // Where a thing has a name, that is one of its tags.
    let mut name = || tags.remove(NAME);
    match bearer {
        Bearer::Server(_) => {}
        Bearer::Image(id) => {
            if let Some(mut image) = model.images.get_mut(id) {
                images::set_tags(&mut image, tags);
                image.updated = now;
            }
        }
        Bearer::Group(id) => put(model.security_groups.get_mut(id), tags, |it| &mut it.tags),
        Bearer::Rule(id) => {
            put(model.security_group_rules.get_mut(id), tags, |it| &mut it.tags);
        }
        Bearer::Address(id) => put(model.floating_ips.get_mut(id), tags, |it| &mut it.tags),
        Bearer::Key(id) => put(model.key_pairs.get_mut(id), tags, |it| &mut it.tags),
        Bearer::Template(id) => {
            put(model.launch_templates.get_mut(id), tags, |it| &mut it.tags);
        }
        Bearer::Placement(id) => put(model.server_groups.get_mut(id), tags, |it| &mut it.tags),
        Bearer::RouteTable(id) => put(model.route_tables.get_mut(id), tags, |it| &mut it.tags),
        Bearer::Volume(id) => {
            if let Some(mut volume) = model.volumes.get_mut(id) {
                volume.name = name();
                volume.metadata = tags;
            }
        }
        Bearer::Snapshot(id) => {
            if let Some(mut snapshot) = model.snapshots.get_mut(id) {
                snapshot.name = name();
                snapshot.metadata = tags;
            }
        }
        Bearer::Network(id) => {
            if let Some(mut network) = model.networks.get_mut(id) {
                network.name = name().unwrap_or_default();
                network.tags = tags;
            }
        }
        Bearer::Subnet(id) => {
            if let Some(mut subnet) = model.subnets.get_mut(id) {
                subnet.name = name().unwrap_or_default();
                subnet.tags = tags;
            }
        }
        Bearer::Router(id) => {
            if let Some(mut router) = model.routers.get_mut(id) {
                router.name = name().unwrap_or_default();
                router.tags = tags;
            }
        }
        Bearer::Port(id) => {
            if let Some(mut port) = model.ports.get_mut(id) {
                port.name = name().unwrap_or_default();
                port.tags = tags;
            }
        }
    }
    Ok(())
}

fn put<R: Record>(
    bearer: Option<Changing<'_, R>>,
    tags: Tags,
    place: impl Fn(&mut R) -> &mut Tags,
) {
    if let Some(mut bearer) = bearer {
        *place(&mut bearer) = tags;
    }
}
