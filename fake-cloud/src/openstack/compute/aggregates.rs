//! Host aggregates.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::model::{Aggregate, AggregateId, HOST};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let aggregates: Vec<_> = model.aggregates.iter().map(|it| view(&cx, it)).collect();
    Ok(ok(&json!({"aggregates": aggregates})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&json!({"aggregate": view(&cx, model.aggregate(cx.param("id"))?)})))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    availability_zone: Option<String>,
}

const FIELDS: &[fields::Field] = &[("name", 1), ("availability_zone", 1)];

async fn wanted(cx: &mut Context) -> Result<Wanted, Fault> {
    let wanted = fields::below("aggregate", cx.json().await?)?;
    let wanted: Wanted = fields::read(cx, "aggregate", wanted, FIELDS)?;
    for (field, text) in [("name", &wanted.name), ("availability_zone", &wanted.availability_zone)]
    {
        let bad = |text: &&String| text.trim().is_empty() || text.len() > 255 || text.contains(':');
        if let Some(text) = text.as_ref().filter(bad) {
            let message = format!("Invalid input for field/attribute {field}. Value: {text}.");
            return Err(Fault::bad_request(message));
        }
    }
    Ok(wanted)
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = wanted(&mut cx).await?;
    let missing =
        || Fault::bad_request("Invalid input for field/attribute aggregate. 'name' is required.");
    let name = wanted.name.ok_or_else(missing)?;
    let created = cx.cloud.change(|model, now| {
        let id = model.create_aggregate(name, wanted.availability_zone, now)?;
        Ok::<_, Error>(model.aggregates.get(id).map(|it| view(&cx, it)))
    });
    let mut view = created.await?.unwrap_or_default();
    if let Value::Object(view) = &mut view {
        // As in Nova, which once did not know them here.
        view.retain(|field, _| !["hosts", "metadata"].contains(&field.as_str()));
    }
    Ok(ok(&json!({"aggregate": view})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let Wanted { name, availability_zone } = wanted(&mut cx).await?;
    let zone = availability_zone.map(|zone| ("availability_zone".to_owned(), Some(zone)));
    let id = cx.cloud.change(|model, now| {
        let metadata = zone.into_iter().collect();
        Ok::<_, Error>(model.change_aggregate(cx.param("id"), name, metadata, now)?)
    });
    answer(&cx, id.await?)
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_aggregate(cx.param("id"))?)).await?;
    Ok(empty(StatusCode::OK))
}

#[derive(Debug, Deserialize)]
struct Host {
    host: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    metadata: BTreeMap<String, Option<String>>,
}

/// `add_host`, `remove_host` and `set_metadata`.
pub(super) async fn act(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let mut actions = body.into_iter();
    let (Some((name, arguments)), None) = (actions.next(), actions.next()) else {
        return Err(Fault::bad_request("There must be exactly one action in the request.").into());
    };
    let number = cx.param("id");
    let id = match name.as_str() {
        "add_host" | "remove_host" => {
            let Host { host } = fields::read(&cx, &name, arguments, &[("host", 1)])?;
            let into = name == "add_host";
            cx.cloud
                .change(|model, now| Ok::<_, Error>(model.move_host(number, &host, into, now)?))
                .await?
        }
        "set_metadata" => {
            let wanted = fields::read::<Metadata>(&cx, &name, arguments, &[("metadata", 1)])?;
            cx.cloud
                .change(|model, now| {
                    let changed = model.change_aggregate(number, None, wanted.metadata, now)?;
                    Ok::<_, Error>(changed)
                })
                .await?
        }
        other => {
            let message = format!("There is no such action: {other}");
            return Err(Fault::bad_request(message).into());
        }
    };
    answer(&cx, id)
}

fn answer(cx: &Context, id: AggregateId) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&json!({"aggregate": model.aggregates.get(id).map(|it| view(cx, it))})))
}

fn view(cx: &Context, aggregate: &Aggregate) -> Value {
    let mut view = json!({
        "id": aggregate.number,
        "name": aggregate.name,
        "availability_zone": aggregate.zone(),
        "hosts": if aggregate.has_host { vec![HOST] } else { vec![] },
        "metadata": aggregate.metadata,
        "created_at": Micros(aggregate.created),
        "updated_at": aggregate.updated.map(Micros),
        "deleted": false,
        "deleted_at": null,
    });
    if cx.since(41) {
        view["uuid"] = json!(aggregate.id);
    }
    view
}
