//! Security groups.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::listing::{list as answer, one};
use super::security_rules::view as rule_view;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Model, SecurityGroup};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, json};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.security_groups.iter().filter(|group| caller.sees(group.project_id));
    answer(&cx, "security_groups", visible.map(|group| view(&model, group)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let group = model.security_group(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "security_group", view(&model, group)))
}

#[derive(Debug, Deserialize)]
struct Body {
    security_group: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.security_group;
    let project = cx.project()?;
    let name = wanted.name.ok_or_else(|| {
        Fault::bad_request("Failed to parse request. Required attribute 'name' not specified")
    })?;
    let description = wanted.description.unwrap_or_default();
    let created = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.create_security_group(project, &name, &description, now)?)
    });
    let id = created.await?;
    let model = cx.cloud.read();
    let missing = || ModelError::not_found(Kind::SecurityGroup, id);
    let group = model.security_groups.get(id).ok_or_else(missing)?;
    Ok(json(StatusCode::CREATED, &json!({"security_group": view(&model, group)})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.security_group;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    cx.cloud
        .change(|model, now| {
            let group = model.security_group(&caller, id)?.id;
            let missing = || ModelError::not_found(Kind::SecurityGroup, id);
            let group = model.security_groups.get_mut(group).ok_or_else(missing)?;
            group.revision += 1;
            group.updated = now;
            if let Some(name) = wanted.name {
                group.name = name;
            }
            if let Some(description) = wanted.description {
                group.description = description;
            }
            Ok::<_, Error>(())
        })
        .await?;
    let model = cx.cloud.read();
    Ok(one(&cx, "security_group", view(&model, model.security_group(&caller, id)?)))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted = cx
        .cloud
        .change(|model, _| Ok::<_, Error>(model.delete_security_group(&caller, cx.param("id"))?));
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn view(model: &Model, group: &SecurityGroup) -> Value {
    let rules: Vec<Value> = model.rules_of(group.id).map(rule_view).collect();
    json!({
        "id": group.id,
        "name": group.name,
        "stateful": true,
        "tenant_id": group.project_id,
        "project_id": group.project_id,
        "description": group.description,
        "shared": false,
        "security_group_rules": rules,
        "tags": [],
        "created_at": Zulu(group.created),
        "updated_at": Zulu(group.updated),
        "revision_number": group.revision,
    })
}
