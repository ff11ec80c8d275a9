//! Images as Nova's older API shows them; gone since version 2.36.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::model::{Image, ImageStatus};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    page(&cx, |image| json!({"id": image.id, "name": image.name, "links": links(&cx, image)}))
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, |image| view(&cx, image))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let image = model.image(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"image": view(&cx, image)})))
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

fn page(cx: &Context, show: impl Fn(&Image) -> Value) -> Result<Response, Error> {
    supported(cx)?;
    let (caller, name) = (cx.caller()?, cx.query("name"));
    let model = cx.cloud.read();
    let wanted = |image: &&Image| {
        image.visible_to(&caller) && name.is_none_or(|name| image.name.as_deref() == Some(name))
    };
    let images: Vec<Value> = model.images.iter().filter(wanted).map(show).collect();
    Ok(ok(&json!({"images": images})))
}

fn links(cx: &Context, image: &Image) -> Value {
    let (api_url, id) = (&cx.cloud.api_url, image.id);
    json!([
        {"rel": "self", "href": format!("{api_url}/compute/v2.1/images/{id}")},
        {"rel": "bookmark", "href": format!("{api_url}/compute/images/{id}")},
        {"rel": "alternate", "type": "application/vnd.openstack.image",
         "href": format!("{api_url}/image/images/{id}")},
    ])
}

fn view(cx: &Context, image: &Image) -> Value {
    let (status, progress) = match image.status {
        ImageStatus::Queued => ("SAVING", 25),
        ImageStatus::Saving | ImageStatus::Uploading => ("SAVING", 50),
        ImageStatus::Active => ("ACTIVE", 100),
        ImageStatus::Deactivated => ("ACTIVE", 100),
    };
    json!({
        "id": image.id,
        "name": image.name,
        "minRam": image.min_ram,
        "minDisk": image.min_disk,
        "metadata": image.properties,
        "created": Zulu(image.created),
        "updated": Zulu(image.updated),
        "status": status,
        "progress": progress,
        "OS-EXT-IMG-SIZE:size": image.size.unwrap_or(0),
        "links": links(cx, image),
    })
}
