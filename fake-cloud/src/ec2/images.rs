//! Images.

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, account};
use super::operation::Call;
use super::pages::Page;
use super::tags::tag_set;
use super::xml::{Millis, Xml};
use crate::model::{Image, ImageStatus, Model, Visibility};

const FILTERS: [&str; 11] = [
    "architecture",
    "description",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-alias",
    "owner-id",
    "root-device-type",
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
        find(call, &model, text)?;
    }
    let owners = call.params.texts("Owner");
    let wanted = |image: &&Image| {
        let id = id(image).to_string();
        (named.is_empty() || named.contains(&id.as_str()))
            && (owners.is_empty() || owners.iter().any(|owner| owned(call, image, owner)))
            && filters.pass(&image.properties, |name| values(image, name))
    };
    let wanted = model.images.iter().filter(visible).filter(wanted);
    let (images, next) = page.in_order(&model.images, wanted);
    let mut xml = Xml::default();
    xml.list("imagesSet", images, view);
    xml.optional("nextToken", next);
    Ok(xml)
}

/// The image with an id, if the caller may see it.
pub(super) fn find<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a Image, Fault> {
    let wanted = Kind::Image.parse(text)?;
    model
        .images
        .iter()
        .find(|image| id(image) == wanted && image.visible_to(&call.caller))
        .ok_or_else(|| Fault::missing(Kind::Image, text))
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

fn is_public(image: &Image) -> bool {
    image.visibility == Visibility::Public
}

fn state(image: &Image) -> &'static str {
    match image.status {
        ImageStatus::Active => "available",
        ImageStatus::Queued | ImageStatus::Saving => "pending",
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
        "name" | "description" => one(name(image)),
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
    xml.text("description", name(image));
    xml.text("rootDeviceType", "instance-store");
    xml.list("blockDeviceMapping", [(); 0], |_, ()| {});
    xml.text("virtualizationType", "paravirtual");
    tag_set(xml, &image.properties);
    xml.text("hypervisor", "xen");
    xml.text("creationDate", Millis(image.created));
}
