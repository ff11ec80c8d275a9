//! Attachments of volumes to servers, since version 3.27. Nova makes and ends them.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Error, listing, project};
use crate::model::{Attachment, HOST, Volume};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    page(&cx, brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, full)
}

fn page(cx: &Context, view: fn(&Volume, &Attachment) -> Value) -> Result<Response, Error> {
    needs(cx)?;
    let scope = listing::scope(cx)?;
    let model = cx.cloud.read();
    let visible = model.volumes.iter().filter(|it| scope.is_none_or(|own| it.project_id == own));
    let attached = visible.filter_map(|it| Some(view(it, it.attachment.as_ref()?)));
    let wanted = |view: &Value| cx.query("instance_id").is_none_or(|id| view["instance"] == id);
    listing::answer(cx, "attachments", "attachments", attached.filter(wanted), |view| view)
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    needs(&cx)?;
    project(&cx)?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let model = cx.cloud.read();
    let mut visible = model.volumes.iter().filter(|volume| caller.sees(volume.project_id));
    let found = visible.find_map(|volume| {
        let attachment = volume.attachment.as_ref()?;
        (attachment.id.to_string() == id).then(|| full(volume, attachment))
    });
    let missing = || {
        let message =
            format!("Volume attachment could not be found with filter: attachment_id = {id}.");
        Fault::not_found(message)
    };
    Ok(ok(&json!({"attachment": found.ok_or_else(missing)?})))
}

fn needs(cx: &Context) -> Result<(), Fault> {
    if cx.since(27) { Ok(()) } else { Err(Fault::no_such_path()) }
}

fn brief(volume: &Volume, attachment: &Attachment) -> Value {
    json!({
        "id": attachment.id,
        "status": if volume.state.name() == "in-use" { "attached" } else { volume.state.name() },
        "instance": attachment.server_id,
        "volume_id": volume.id,
    })
}

fn full(volume: &Volume, attachment: &Attachment) -> Value {
    let mut view = brief(volume, attachment);
    view["attached_at"] = json!(Micros(attachment.attached));
    view["detached_at"] = Value::Null;
    view["attach_mode"] = json!("rw");
    view["connection_info"] = json!({
        "attachment_id": attachment.id,
        "driver_volume_type": "local",
        "host": HOST,
        "device_path": format!("/dev/{}", attachment.device),
    });
    view
}
