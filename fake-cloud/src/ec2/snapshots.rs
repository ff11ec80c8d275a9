//! Snapshots: copies of volumes that do not change any more.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::tags::{self, NAME, Tags, tag_set};
use super::xml::{Millis, Xml};
use super::{instances, volumes};
use crate::model::{Model, NewVolume, Snapshot, SnapshotId, VolumeState};

const FILTERS: [&str; 10] = [
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "volume-id",
    "volume-size",
];

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let volume = {
        let model = call.cloud.read();
        volumes::by_id(&call, &model, call.params.required("VolumeId")?)?.id.to_string()
    };
    let tags = tags::specified(&call.params, Kind::Snapshot)?;
    let snapshot = make(&call, &volume, tags).await?;
    let mut xml = Xml::default();
    view(&mut xml, &snapshot);
    Ok(xml)
}

/// Makes snapshots of all volumes of an instance.
pub(super) async fn create_several(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let copied = match params.text("CopyTagsFromSource") {
        None => false,
        Some("volume") => true,
        Some(other) => {
            let message = format!("Invalid value '{other}' for CopyTagsFromSource.");
            return Err(Fault::invalid_value(message));
        }
    };
    let volumes: Vec<(String, Tags)> = {
        let model = call.cloud.read();
        let id = params.required("InstanceSpecification.InstanceId")?;
        let server = instances::find(&call, &model, id)?.server.id;
        let except = params.texts("InstanceSpecification.ExcludeDataVolumeId");
        let volumes = model
            .volumes_of(server)
            .map(|(volume, _)| volume)
            .filter(|volume| !except.contains(&Kind::Volume.id(volume.id).to_string().as_str()));
        let tags = |volume| if copied { volumes::tags(volume) } else { Tags::new() };
        volumes.map(|volume| (volume.id.to_string(), tags(volume))).collect()
    };
    let own = tags::specified(params, Kind::Snapshot)?;
    let mut xml = Xml::default();
    let mut made = Vec::new();
    for (volume, mut tags) in volumes {
        tags.extend(own.clone());
        made.push(make(&call, &volume, tags).await?);
    }
    xml.list("snapshotSet", &made, view);
    Ok(xml)
}

async fn make(call: &Call, volume: &str, mut tags: Tags) -> Result<Snapshot, Fault> {
    let wanted = NewVolume {
        name: tags.remove(NAME),
        description: call.params.text("Description").map(str::to_owned),
        metadata: tags,
        ..NewVolume::default()
    };
    Ok(call.cloud.create_snapshot(&call.caller, volume, wanted, true).await?)
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let id = {
        let model = call.cloud.read();
        let snapshot = by_id(&call, &model, call.params.required("SnapshotId")?)?;
        if !matches!(snapshot.state, VolumeState::Available | VolumeState::Error) {
            let (id, status) = (Kind::Snapshot.id(snapshot.id), status(snapshot));
            let message = format!("Snapshot '{id}' is in the '{status}' state.");
            return Err(Fault::new("IncorrectState", message));
        }
        if let Some(image) = model.image_of_snapshot(snapshot.id) {
            let (id, image) = (Kind::Snapshot.id(snapshot.id), Kind::Image.id(image.id));
            let message = format!("The snapshot {id} is currently in use by {image}");
            return Err(Fault::new("InvalidSnapshot.InUse", message));
        }
        snapshot.id
    };
    call.cloud.delete_snapshot(&call.caller, &id.to_string()).await?;
    Ok(Xml::done())
}

pub(super) fn snapshots(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "SnapshotId")?;
    let model = call.cloud.read();
    let named = call.params.texts("SnapshotId").into_iter();
    let named = named.map(|text| Ok(by_id(call, &model, text)?.id));
    let named: Vec<SnapshotId> = named.collect::<Result<_, Fault>>()?;
    // An account sees its own only: those are all that belong to it, and that it may use.
    let mine = |parameter: &str| {
        let wanted = call.params.texts(parameter);
        wanted.is_empty() || wanted.iter().any(|it| *it == "self" || *it == call.account())
    };
    let own = own(call, &model).filter(|_| mine("Owner") && mine("RestorableBy"));
    let wanted = own.filter(|snapshot| {
        (named.is_empty() || named.contains(&snapshot.id))
            && filters.pass(&tags(snapshot), |name| values(snapshot, name))
    });
    let (snapshots, next) = page.in_order(&model.snapshots, wanted);
    let mut xml = Xml::default();
    xml.list("snapshotSet", snapshots, view);
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(super) fn attribute(call: &Call) -> Result<Xml, Fault> {
    let model = call.cloud.read();
    let snapshot = by_id(call, &model, call.params.required("SnapshotId")?)?;
    let mut xml = Xml::default();
    xml.text("snapshotId", Kind::Snapshot.id(snapshot.id));
    match call.params.required("Attribute")? {
        list @ ("createVolumePermission" | "productCodes") => xml.list(list, [(); 0], |_, ()| {}),
        other => return Err(Fault::invalid_value(format!("Invalid attribute: {other}"))),
    }
    Ok(xml)
}

fn values(snapshot: &Snapshot, name: &str) -> Vec<String> {
    match name {
        "description" => snapshot.description.iter().cloned().collect(),
        "encrypted" => vec!["false".to_owned()],
        "owner-id" => vec![account(snapshot.project_id)],
        "progress" => vec![progress(snapshot).to_owned()],
        "snapshot-id" => vec![Kind::Snapshot.id(snapshot.id).to_string()],
        "start-time" => vec![Millis(snapshot.created).to_string()],
        "status" => vec![status(snapshot).to_owned()],
        "volume-id" => vec![Kind::Volume.id(snapshot.volume_id).to_string()],
        "volume-size" => vec![snapshot.size_gib.to_string()],
        _ => Vec::new(),
    }
}

fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a Snapshot> {
    let project = call.project;
    model.snapshots.iter().filter(move |snapshot| snapshot.project_id == project)
}

/// The project's snapshot with an id.
pub(super) fn by_id<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a Snapshot, Fault> {
    let id = Kind::Snapshot.parse(text)?;
    let places = id.range().into_iter().flat_map(|(first, last)| {
        model.snapshots.index().ids.between(SnapshotId(first), SnapshotId(last))
    });
    let mut found = model.snapshots.at(places);
    found
        .find(|snapshot| snapshot.project_id == call.project)
        .ok_or_else(|| Fault::missing(Kind::Snapshot, text))
}

/// A snapshot's tags: its metadata and its name.
pub(super) fn tags(snapshot: &Snapshot) -> Tags {
    tags::with_name(&snapshot.metadata, snapshot.name.as_ref())
}

fn status(snapshot: &Snapshot) -> &'static str {
    match snapshot.state {
        VolumeState::Creating => "pending",
        VolumeState::Error => "error",
        _ => "completed",
    }
}

fn progress(snapshot: &Snapshot) -> &'static str {
    if status(snapshot) == "completed" { "100%" } else { "0%" }
}

fn view(xml: &mut Xml, snapshot: &Snapshot) {
    xml.text("snapshotId", Kind::Snapshot.id(snapshot.id));
    xml.text("volumeId", Kind::Volume.id(snapshot.volume_id));
    xml.text("status", status(snapshot));
    xml.text("startTime", Millis(snapshot.created));
    xml.text("progress", progress(snapshot));
    xml.text("ownerId", account(snapshot.project_id));
    xml.text("volumeSize", snapshot.size_gib);
    xml.text("description", snapshot.description.as_deref().unwrap_or_default());
    xml.text("encrypted", false);
    tag_set(xml, &tags(snapshot));
}
