//! Volumes: made, made larger and removed.

pub(super) mod attach;
pub(super) mod describe;
pub(super) mod performance;

use super::errors::Fault;
use super::ids::Kind;
use super::operation::Call;
use super::params::Params;
use super::tags::{self, NAME, Tags};
use super::xml::{Millis, Xml};
use super::{places, snapshots};
use crate::model::{Attachment, Model, NewVolume, Orphans, Volume, VolumeId, VolumeState};

/// The largest volume there is, in GiB.
const SIZE_MAX: i64 = 16_384;

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    places::check_zone(&call, params.required("AvailabilityZone")?)?;
    let mut wanted = read(&call, params, &call.cloud.read())?;
    if wanted.size_gib.is_none() && wanted.snapshot.is_none() {
        return Err(Fault::missing_parameter("Size/SnapshotId"));
    }
    named(&mut wanted, tags::specified(params, Kind::Volume)?);
    wanted.client_token = call.client_token();
    let volume = call.cloud.create_volume(&call.caller, call.project, wanted).await?;
    let mut xml = Xml::default();
    view(&mut xml, &call, &volume);
    Ok(xml)
}

/// What a request says of a new volume: in `CreateVolume`, or of an instance's device.
pub(super) fn read(call: &Call, params: &Params, model: &Model) -> Result<NewVolume, Fault> {
    for (flag, what) in [("Encrypted", "encrypted"), ("MultiAttachEnabled", "shared by instances")]
    {
        if params.flag(flag)? == Some(true) {
            let message = format!("This cloud has no volumes that are {what}");
            return Err(Fault::new("UnsupportedOperation", message));
        }
    }
    let name = if params.text("Size").is_some() { "Size" } else { "VolumeSize" };
    let size = params.number(name)?.map(size).transpose()?;
    let snapshot = params.text("SnapshotId");
    let snapshot = snapshot.map(|text| snapshots::by_id(call, model, text)).transpose()?;
    if let (Some(size), Some(snapshot)) = (size, snapshot)
        && size < snapshot.size_gib
    {
        let (own, id) = (snapshot.size_gib, Kind::Snapshot.id(snapshot.id));
        let message = format!("Volume of {size}GiB is smaller than snapshot '{id}', {own}GiB");
        return Err(Fault::invalid_value(message));
    }
    Ok(NewVolume {
        size_gib: size,
        snapshot: snapshot.map(|snapshot| snapshot.id.to_string()),
        performance: performance::read(params, None)?,
        ..NewVolume::default()
    })
}

/// Gives a volume its tags: one is its name.
pub(super) fn named(wanted: &mut NewVolume, mut tags: Tags) {
    wanted.name = tags.remove(NAME);
    wanted.metadata = tags;
}

fn size(size: i64) -> Result<u64, Fault> {
    let valid = u64::try_from(size).ok().filter(|_| (1..=SIZE_MAX).contains(&size));
    valid.ok_or_else(|| {
        Fault::invalid_value(format!(
            "Volume of {size}GiB is invalid; it must have from 1 to {SIZE_MAX}"
        ))
    })
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let id = {
        let model = call.cloud.read();
        let volume = by_id(&call, &model, call.params.required("VolumeId")?)?;
        let ec2 = Kind::Volume.id(volume.id);
        if let Some(attachment) = &volume.attachment {
            let instance = Kind::Instance.id(attachment.server_id);
            let message = format!("Volume {ec2} is currently attached to {instance}");
            return Err(Fault::new("VolumeInUse", message));
        }
        if !matches!(volume.state, VolumeState::Available | VolumeState::Error) {
            return Err(incorrect(volume));
        }
        volume.id
    };
    call.cloud.delete_volume(&call.caller, &id.to_string(), Orphans::Keep).await?;
    Ok(Xml::done())
}

pub(super) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let changed = call.cloud.change(|model, now| {
        let volume = by_id(&call, model, params.required("VolumeId")?)?;
        if !matches!(volume.state, VolumeState::Available | VolumeState::InUse) {
            return Err(incorrect(volume));
        }
        let wanted = params.number("Size")?.map(size).transpose()?.unwrap_or(volume.size_gib);
        if wanted < volume.size_gib {
            let message = "New size cannot be smaller than existing size";
            return Err(Fault::invalid_value(message));
        }
        let performance = performance::read(params, Some(&volume.performance))?;
        let id = volume.id;
        model.modify_volume(&call.caller, &id.to_string(), wanted, performance, now)?;
        model.volumes.get(id).cloned().ok_or_else(|| missing(id))
    });
    let volume = changed.await?;
    let mut xml = Xml::default();
    xml.within("volumeModification", |xml| describe::modification(xml, &volume));
    Ok(xml)
}

fn missing(id: VolumeId) -> Fault {
    Fault::missing(Kind::Volume, Kind::Volume.id(id))
}

/// A volume is in a state in which something cannot be done to it.
fn incorrect(volume: &Volume) -> Fault {
    let id = Kind::Volume.id(volume.id);
    Fault::new("IncorrectState", format!("Volume '{id}' is in the '{}' state.", status(volume)))
}

/// The project's volumes.
fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a Volume> {
    let project = call.project;
    model.volumes.iter().filter(move |volume| volume.project_id == project)
}

/// The project's volume with an id.
pub(super) fn by_id<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a Volume, Fault> {
    let id = Kind::Volume.parse(text)?;
    let places = id.range().into_iter().flat_map(|(first, last)| {
        model.volumes.index().ids.between(VolumeId(first), VolumeId(last))
    });
    let mut found = model.volumes.at(places);
    found
        .find(|volume| volume.project_id == call.project)
        .ok_or_else(|| Fault::missing(Kind::Volume, text))
}

/// A volume's tags: its metadata and its name.
pub(super) fn tags(volume: &Volume) -> Tags {
    tags::with_name(&volume.metadata, volume.name.as_ref())
}

/// Its state in EC2's words. Whether it is on its way to an instance or back, its attachment says.
fn status(volume: &Volume) -> &'static str {
    match volume.state {
        VolumeState::Creating => "creating",
        VolumeState::Available | VolumeState::Reverting | VolumeState::AwaitingTransfer => {
            "available"
        }
        VolumeState::Attaching | VolumeState::InUse | VolumeState::Detaching => "in-use",
        VolumeState::Deleting => "deleting",
        VolumeState::Error => "error",
    }
}

/// How far an attachment is.
pub(super) fn attachment_status(volume: &Volume) -> &'static str {
    match volume.state {
        VolumeState::InUse => "attached",
        VolumeState::Detaching => "detaching",
        _ => "attaching",
    }
}

fn view(xml: &mut Xml, call: &Call, volume: &Volume) {
    xml.text("volumeId", Kind::Volume.id(volume.id));
    xml.text("size", volume.size_gib);
    let snapshot = volume.snapshot_id.map(|id| Kind::Snapshot.id(id).to_string());
    xml.text("snapshotId", snapshot.unwrap_or_default());
    xml.text("availabilityZone", call.zone());
    xml.text("status", status(volume));
    xml.text("createTime", Millis(volume.created));
    xml.list("attachmentSet", &volume.attachment, |xml, it| attachment(xml, volume, it));
    tags::tag_set(xml, &tags(volume));
    performance::view(xml, &volume.performance, volume.size_gib);
    xml.text("encrypted", false);
    xml.text("multiAttachEnabled", false);
}

fn attachment(xml: &mut Xml, volume: &Volume, attachment: &Attachment) {
    xml.text("volumeId", Kind::Volume.id(volume.id));
    xml.text("instanceId", Kind::Instance.id(attachment.server_id));
    xml.text("device", format_args!("/dev/{}", attachment.device));
    xml.text("status", attachment_status(volume));
    xml.text("attachTime", Millis(attachment.attached));
    xml.text("deleteOnTermination", attachment.delete_on_termination);
}
