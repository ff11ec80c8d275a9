//! Images: listed, and found.

pub(super) mod attributes;
pub(super) mod make;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::tags::{Tags, tag_set};
use super::volumes::performance;
use super::xml::{Millis, Xml};
use crate::model::{CAPTURE_PROPERTIES, Image, ImageStatus, LaunchPermission, Model, Visibility};

const FILTERS: [&str; 15] = [
    "architecture",
    "block-device-mapping.snapshot-id",
    "creation-date",
    "description",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-alias",
    "owner-id",
    "root-device-type",
    "source-instance-id",
    "state",
    "virtualization-type",
];

pub(super) fn images(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &FILTERS)?;
    let page = Page::read(&call.params, "ImageId")?;
    let model = call.cloud.read();
    let visible = |image: &&Image| image.visible_to(&call.caller) && !image.hidden;
    let named = call.params.texts("ImageId");
    for text in &named {
        by_id(call, &model, text)?;
    }
    let owners = call.params.texts("Owner");
    let users = call.params.texts("ExecutableBy");
    let wanted = |image: &&Image| {
        let id = id(image).to_string();
        (named.is_empty() || named.contains(&id.as_str()))
            && (owners.is_empty() || owners.iter().any(|owner| owned(call, image, owner)))
            && (users.is_empty() || users.iter().any(|user| permits(call, image, user)))
            && filters.pass(&tags(image), |name| values(image, name))
    };
    let wanted = model.images.iter().filter(visible).filter(wanted);
    let (images, next) = page.in_order(&model.images, wanted);
    let mut xml = Xml::default();
    xml.list("imagesSet", images, view);
    xml.optional("nextToken", next);
    Ok(xml)
}

/// The image with an id, if the caller may see it.
pub(super) fn by_id<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a Image, Fault> {
    let wanted = Kind::Image.parse(text)?;
    model
        .images
        .iter()
        .find(|image| id(image) == wanted && image.visible_to(&call.caller))
        .ok_or_else(|| Fault::missing(Kind::Image, text))
}

/// The image with an id, if the caller may change it.
pub(super) fn changeable<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a Image, Fault> {
    let image = by_id(call, model, text)?;
    if image.writable_by(&call.caller) {
        return Ok(image);
    }
    let message = format!("Not authorized for image:{text}");
    Err(Fault::new("AuthFailure", message).with_status(http::StatusCode::FORBIDDEN))
}

/// An image's tags: its properties without those by which Nova marks images of servers.
pub(super) fn tags(image: &Image) -> Tags {
    let mut tags = image.properties.clone();
    tags.retain(|name, _| !CAPTURE_PROPERTIES.contains(&name.as_str()));
    tags
}

/// Gives an image other tags.
pub(super) fn set_tags(image: &mut Image, tags: Tags) {
    image.properties.retain(|name, _| CAPTURE_PROPERTIES.contains(&name.as_str()));
    image.properties.extend(tags);
}

fn id(image: &Image) -> Id {
    Kind::Image.id(image.id)
}

/// Whether an image belongs to whom a request names. What the cloud itself offers is what real
/// clouds' clients look for under the name of the cloud.
fn owned(call: &Call, image: &Image, owner: &str) -> bool {
    match owner {
        "self" => image.owner == call.project,
        "amazon" | "aws-marketplace" => image.protected,
        other => account(image.owner) == other,
    }
}

/// Whether an image may be used by whom a request names, and not only by its owner.
fn permits(call: &Call, image: &Image, user: &str) -> bool {
    image.launch_permissions().into_iter().any(|permission| match permission {
        LaunchPermission::Everyone => user == "all",
        LaunchPermission::Project(project) if user == "self" => project == call.project,
        LaunchPermission::Project(project) => account(project) == user,
    })
}

fn is_public(image: &Image) -> bool {
    image.visibility == Visibility::Public
}

fn state(image: &Image) -> &'static str {
    match image.status {
        ImageStatus::Active => "available",
        // It was cut short while its server's disk was being copied.
        ImageStatus::Queued if image.options.source_server.is_some() => "failed",
        ImageStatus::Queued | ImageStatus::Saving | ImageStatus::Uploading => "pending",
        ImageStatus::Deactivated => "disabled",
    }
}

fn name(image: &Image) -> &str {
    image.name.as_deref().unwrap_or_default()
}

fn values(image: &Image, filter: &str) -> Vec<String> {
    let one = |value: &str| vec![value.to_owned()];
    match filter {
        "architecture" => one(std::env::consts::ARCH),
        "image-id" => vec![id(image).to_string()],
        "image-type" => one("machine"),
        "is-public" => vec![is_public(image).to_string()],
        "name" => one(name(image)),
        "description" => one(description(image)),
        "block-device-mapping.snapshot-id" => snapshots(image).map(|id| id.to_string()).collect(),
        "creation-date" => vec![Millis(image.created).to_string()],
        "hypervisor" => one("xen"),
        "source-instance-id" => {
            let server = image.options.source_server;
            server.map(|server| Kind::Instance.id(server).to_string()).into_iter().collect()
        }
        "owner-alias" if image.protected => one("amazon"),
        "owner-id" => vec![account(image.owner)],
        "root-device-type" => one("instance-store"),
        "state" => one(state(image)),
        "virtualization-type" => one("paravirtual"),
        _ => Vec::new(),
    }
}

fn view(xml: &mut Xml, image: &Image) {
    xml.text("imageId", id(image));
    xml.text("imageLocation", format_args!("{}/{}", account(image.owner), name(image)));
    xml.text("imageState", state(image));
    xml.text("imageOwnerId", account(image.owner));
    xml.text("isPublic", is_public(image));
    xml.text("architecture", std::env::consts::ARCH);
    xml.text("imageType", "machine");
    xml.optional("imageOwnerAlias", image.protected.then_some("amazon"));
    xml.text("name", name(image));
    xml.text("description", description(image));
    xml.text("rootDeviceType", "instance-store");
    devices(xml, image);
    xml.text("virtualizationType", "paravirtual");
    tag_set(xml, &tags(image));
    xml.text("hypervisor", "xen");
    xml.text("creationDate", Millis(image.created));
    let options = &image.options;
    xml.optional("sourceInstanceId", options.source_server.map(|id| Kind::Instance.id(id)));
    xml.optional("sourceImageId", options.source_image.map(|id| Kind::Image.id(id)));
}

/// What the image says of itself; one that says nothing is called by its name.
fn description(image: &Image) -> &str {
    image.options.description.as_deref().unwrap_or_else(|| name(image))
}

fn snapshots(image: &Image) -> impl Iterator<Item = Id> {
    let volumes = image.options.volumes.iter();
    volumes.filter_map(|volume| volume.snapshot_id).map(|id| Kind::Snapshot.id(id))
}

/// The volumes that instances of an image start with.
fn devices(xml: &mut Xml, image: &Image) {
    xml.list("blockDeviceMapping", &image.options.volumes, |xml, volume| {
        xml.text("deviceName", format_args!("/dev/{}", volume.device));
        xml.within("ebs", |xml| {
            xml.optional("snapshotId", volume.snapshot_id.map(|id| Kind::Snapshot.id(id)));
            xml.text("volumeSize", volume.size_gib);
            xml.text("deleteOnTermination", volume.delete_on_termination);
            performance::view(xml, &volume.performance, volume.size_gib);
            xml.text("encrypted", false);
        });
    });
}
