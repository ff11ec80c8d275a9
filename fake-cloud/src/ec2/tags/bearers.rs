//! What bears tags, and where they are.

use super::{NAME, Tags};
use crate::ec2::errors::Fault;
use crate::ec2::ids::Kind;
use crate::ec2::operation::Call;
use crate::ec2::{addresses, images, instances, key_pairs, security_groups, snapshots, volumes};
use crate::model::{
    Caller, FloatingIpId, ImageId, KeyPairId, Model, SecurityGroupId, Server, ServerId, SnapshotId,
    VolumeId,
};

/// Something that bears tags.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bearer {
    Server(ServerId),
    Image(ImageId),
    Group(SecurityGroupId),
    Address(FloatingIpId),
    Key(KeyPairId),
    Volume(VolumeId),
    Snapshot(SnapshotId),
}

/// All of the project's things that bear tags.
pub(super) fn everything(call: &Call, model: &Model) -> Vec<(Kind, String, Tags)> {
    let own = |project| project == call.project;
    let servers = model.servers.iter().filter(|server| own(server.project_id)).map(|server| {
        (Kind::Instance, Kind::Instance.id(server.id).to_string(), instances::tags(server))
    });
    let images = model
        .images
        .iter()
        .filter(|image| own(image.owner))
        .map(|image| (Kind::Image, Kind::Image.id(image.id).to_string(), images::tags(image)));
    let groups = model.security_groups.iter().filter(|group| own(group.project_id)).map(|group| {
        let id = Kind::SecurityGroup.id(group.id).to_string();
        (Kind::SecurityGroup, id, group.tags.clone())
    });
    let addresses = model
        .floating_ips
        .iter()
        .filter(|ip| own(ip.project_id))
        .map(|ip| (Kind::Allocation, Kind::Allocation.id(ip.id).to_string(), ip.tags.clone()));
    let user = call.caller.user_id;
    let keys = model
        .key_pairs
        .iter()
        .filter(move |key| key.user_id == user)
        .map(|key| (Kind::KeyPair, Kind::KeyPair.id(key.id).to_string(), key.tags.clone()));
    let volumes = model.volumes.iter().filter(|volume| own(volume.project_id)).map(|volume| {
        (Kind::Volume, Kind::Volume.id(volume.id).to_string(), volumes::tags(volume))
    });
    let snapshots = model.snapshots.iter().filter(|it| own(it.project_id)).map(|snapshot| {
        (Kind::Snapshot, Kind::Snapshot.id(snapshot.id).to_string(), snapshots::tags(snapshot))
    });
    let all = servers.chain(images).chain(groups).chain(addresses).chain(keys);
    all.chain(volumes).chain(snapshots).collect()
}

/// What an id names, among what the caller may change.
pub(super) fn find(call: &Call, model: &Model, text: &str) -> Result<Bearer, Fault> {
    let kind = Kind::TAGGED.into_iter().find(|kind| kind.read(text).is_some());
    match kind {
        Some(Kind::Instance) => {
            let id = instances::find(call, model, text)?.server.id;
            let alive = model.servers.get(id).map(|server| Bearer::Server(server.id));
            alive.ok_or_else(|| Fault::missing(Kind::Instance, text))
        }
        Some(Kind::Image) => {
            let image = images::by_id(call, model, text)?;
            if !image.writable_by(&call.caller) {
                let message = "You are not authorized to perform this operation.";
                return Err(Fault::new("UnauthorizedOperation", message)
                    .with_status(http::StatusCode::FORBIDDEN));
            }
            Ok(Bearer::Image(image.id))
        }
        Some(Kind::SecurityGroup) => {
            Ok(Bearer::Group(security_groups::by_id(call, model, text)?.id))
        }
        Some(Kind::Allocation) => Ok(Bearer::Address(addresses::by_id(call, model, text)?.id)),
        Some(Kind::KeyPair) => Ok(Bearer::Key(key_pairs::by_id(call, model, text)?.id)),
        Some(Kind::Volume) => Ok(Bearer::Volume(volumes::by_id(call, model, text)?.id)),
        Some(Kind::Snapshot) => Ok(Bearer::Snapshot(snapshots::by_id(call, model, text)?.id)),
        _ => Err(Fault::new("InvalidID", format!("The ID '{text}' is not valid"))),
    }
}

pub(super) fn tags_of(model: &Model, bearer: Bearer) -> Option<Tags> {
    match bearer {
        Bearer::Server(id) => model.servers.get(id).map(instances::tags),
        Bearer::Image(id) => model.images.get(id).map(images::tags),
        Bearer::Group(id) => model.security_groups.get(id).map(|group| group.tags.clone()),
        Bearer::Address(id) => model.floating_ips.get(id).map(|ip| ip.tags.clone()),
        Bearer::Key(id) => model.key_pairs.get(id).map(|key| key.tags.clone()),
        Bearer::Volume(id) => model.volumes.get(id).map(volumes::tags),
        Bearer::Snapshot(id) => model.snapshots.get(id).map(snapshots::tags),
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
    match bearer {
        Bearer::Server(id) => {
            let name = tags.remove(NAME).filter(|name| !name.is_empty());
            model.set_metadata(caller, &id.to_string(), tags, now)?;
            if let Some(mut server) = model.servers.get_mut(id) {
                server.name = name.unwrap_or_else(|| Server::default_name(id));
            }
        }
        Bearer::Image(id) => {
            if let Some(mut image) = model.images.get_mut(id) {
                images::set_tags(&mut image, tags);
                image.updated = now;
            }
        }
        Bearer::Group(id) => {
            if let Some(mut group) = model.security_groups.get_mut(id) {
                group.tags = tags;
            }
        }
        Bearer::Address(id) => {
            if let Some(mut address) = model.floating_ips.get_mut(id) {
                address.tags = tags;
            }
        }
        Bearer::Key(id) => {
            if let Some(mut key) = model.key_pairs.get_mut(id) {
                key.tags = tags;
            }
        }
        Bearer::Volume(id) => {
            if let Some(mut volume) = model.volumes.get_mut(id) {
                volume.name = tags.remove(NAME);
                volume.metadata = tags;
            }
        }
        Bearer::Snapshot(id) => {
            if let Some(mut snapshot) = model.snapshots.get_mut(id) {
                snapshot.name = tags.remove(NAME);
                snapshot.metadata = tags;
            }
        }
    }
    Ok(())
}
