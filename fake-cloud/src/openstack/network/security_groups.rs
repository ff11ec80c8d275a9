//! Security groups.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use super::security_rules::view as rule_view;
use crate::model::error::{Broken, Error as ModelError, Kind};
use crate::model::security::DEFAULT_GROUP;
use crate::model::{Model, SecurityGroup, SecurityGroupId};
use crate::openstack::request::Context;
use crate::openstack::response::empty;

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

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, mut wanted: Attributes, now| {
        let name: String = wanted.required("name")?;
        let description = wanted.text("description")?.unwrap_or_default();
        let (project, stateful) = (wanted.project(cx)?, wanted.truth("stateful")?);
        wanted.finish()?;
        let id = model.create_security_group(project, &name, &description, now)?;
        if let Some(mut group) = model.security_groups.get_mut(id) {
            group.stateful = stateful.unwrap_or(true);
        }
        Ok::<_, Error>(id)
    };
    let undo = |model: &mut Model, id: SecurityGroupId| model.remove_security_group(id);
    let shown = |model: &Model, id| model.security_groups.get(id).map(|group| view(model, group));
    super::attributes::create(cx, ("security_group", "security_groups"), make, undo, shown).await
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "security_group").await?;
    let (name, description) = (wanted.text("name")?, wanted.text("description")?);
    let stateful = wanted.truth("stateful")?;
    wanted.finish()?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let changed = cx.cloud.change(|model, now| {
        let group = model.security_group(&caller, id)?;
        check_revision(&cx, &group.standard)?;
        if group.name == DEFAULT_GROUP && name.as_ref().is_some_and(|name| *name != group.name) {
            return Err(Broken::conflict(
                "SecurityGroupCannotUpdateDefault",
                "Updating default security group not allowed.".to_owned(),
            )
            .into());
        }
        let id = group.id;
        let missing = || ModelError::not_found(Kind::SecurityGroup, id);
        let mut group = model.security_groups.get_mut(id).ok_or_else(missing)?;
        describe(&mut group.standard, description, now);
        group.stateful = stateful.unwrap_or(group.stateful);
        if let Some(name) = name {
            group.name = name;
        }
        drop(group);
        let group = model.security_groups.get(id).ok_or_else(missing)?;
        Ok::<_, Error>(view(model, group))
    });
    Ok(one(&cx, "security_group", changed.await?))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted = cx.cloud.change(|model, _| {
        check_revision(&cx, &model.security_group(&caller, cx.param("id"))?.standard)?;
        Ok::<_, Error>(model.delete_security_group(&caller, cx.param("id"))?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn view(model: &Model, group: &SecurityGroup) -> Value {
    let rules: Vec<Value> = model.rules_of(group.id).map(rule_view).collect();
    let view = json!({
        "id": group.id,
        "name": group.name,
        "stateful": group.stateful,
        "tenant_id": group.project_id,
        "project_id": group.project_id,
        "shared": false,
        "security_group_rules": rules,
    });
    with_standard(view, &group.standard)
}
