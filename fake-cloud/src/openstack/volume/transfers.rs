//! Volumes that change hands.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, listing, project};
use crate::model::Transfer;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, html_empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    page(&cx, brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, full)
}

fn page(cx: &Context, view: fn(&Context, &Transfer) -> Value) -> Result<Response, Error> {
    let scope = listing::scope(cx)?;
    let model = cx.cloud.read();
    let visible = model.transfers.iter().filter(|it| scope.is_none_or(|own| it.project_id == own));
    listing::answer(cx, "transfers", "volume-transfers", visible.map(|it| view(cx, it)), |it| it)
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let model = cx.cloud.read();
    Ok(ok(&json!({"transfer": full(&cx, model.transfer(&cx.caller()?, cx.param("id"))?)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    transfer: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    volume_id: String,
    name: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let wanted = cx.json::<Body>().await?.transfer;
    let caller = cx.caller()?;
    let made = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.create_transfer(&caller, &wanted.volume_id, wanted.name, now)?)
    });
    let transfer = made.await?;
    let mut view = full(&cx, &transfer);
    // It is told here and never again.
    view["auth_key"] = json!(transfer.auth_key);
    Ok(json(StatusCode::ACCEPTED, &json!({"transfer": view})))
}

#[derive(Debug, Deserialize)]
struct Accept {
    accept: Key,
}

#[derive(Debug, Deserialize)]
struct Key {
    auth_key: String,
}

pub(super) async fn accept(mut cx: Context) -> Result<Response, Error> {
    let project = project(&cx)?;
    let key = cx.json::<Accept>().await?.accept.auth_key;
    let caller = cx.caller()?;
    let taken = cx.cloud.change(|model, now| {
        let id = cx.param("id");
        Ok::<_, Error>(model.accept_transfer(&caller, project, id, &key, now)?)
    });
    let transfer = taken.await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"transfer": brief(&cx, &transfer)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| Ok::<_, Error>(model.delete_transfer(&caller, cx.param("id"), now)?))
        .await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

fn brief(cx: &Context, transfer: &Transfer) -> Value {
    let link = |version: &str| {
        let (url, own) = (&cx.cloud.api_url, transfer.project_id);
        format!("{url}/volume/{version}{own}/os-volume-transfer/{}", transfer.id)
    };
    json!({
        "id": transfer.id,
        "volume_id": transfer.volume_id,
        "name": transfer.name,
        "links": [
            {"rel": "self", "href": link("v3/")},
            {"rel": "bookmark", "href": link("")}
        ],
    })
}

fn full(cx: &Context, transfer: &Transfer) -> Value {
    let mut view = brief(cx, transfer);
    view["created_at"] = json!(Micros(transfer.created));
    if cx.since(55) {
        view["no_snapshots"] = json!(false);
    }
    if cx.since(57) {
        view["source_project_id"] = json!(transfer.project_id);
        view["destination_project_id"] = Value::Null;
        view["accepted"] = json!(false);
    }
    view
}
