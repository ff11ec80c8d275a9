//! Groups and their members.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::domains::domain_of;
use super::projects::required;
use super::users::{view as user_view, visible_user};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Changing, Group, GroupId, Model, UserId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let wanted = |group: &&Group| {
        cx.query("name").is_none_or(|name| name == group.name)
            && cx.query("domain_id").is_none_or(|id| id == group.domain_id.to_string())
    };
    let groups: Vec<Value> = model.groups.iter().filter(wanted).map(|it| view(&cx, it)).collect();
    Ok(ok(&json!({"groups": groups, "links": cx.list_links("/v3/groups")})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&json!({"group": view(&cx, group(&cx, &model)?)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    group: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    domain_id: Option<String>,
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.group;
    let name = wanted.name.ok_or_else(|| required("name"))?;
    let description = wanted.description.unwrap_or_default();
    let created = cx.cloud.change(|model, _| {
        let domain = domain_of(wanted.domain_id.as_deref())?;
        let id = model.create_group(domain, &name, &description)?;
        let group = model.groups.get(id).ok_or(ModelError::not_found(Kind::Group, id))?;
        Ok::<_, Error>(view(&cx, group))
    });
    Ok(json(StatusCode::CREATED, &json!({"group": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.group;
    let changed = cx.cloud.change(|model, _| {
        let mut group = group_mut(&cx, model)?;
        group.name = wanted.name.unwrap_or_else(|| std::mem::take(&mut group.name));
        if let Some(description) = wanted.description {
            group.description = description;
        }
        Ok::<_, Error>(view(&cx, &group))
    });
    Ok(ok(&json!({"group": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let deleted = cx.cloud.change(|model, _| {
        let id = group(&cx, model)?.id;
        model.groups.remove(id);
        Ok::<_, Error>(())
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn members(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let group = group(&cx, &model)?;
    let users = group.members.iter().filter_map(|id| model.users.get(*id));
    let users: Vec<Value> = users.map(|user| user_view(&cx, user)).collect();
    let links = cx.list_links(&format!("/v3/groups/{}/users", group.id));
    Ok(ok(&json!({"users": users, "links": links})))
}

pub(super) async fn add_member(cx: Context) -> Result<Response, Error> {
    let user = member(&cx)?;
    let added = cx.cloud.change(|model, _| {
        model.users.get(user).ok_or(ModelError::not_found(Kind::User, user))?;
        let mut group = group_mut(&cx, model)?;
        if !group.members.contains(&user) {
            group.members.push(user);
        }
        Ok::<_, Error>(())
    });
    added.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn show_member(cx: Context) -> Result<Response, Error> {
    let user = member(&cx)?;
    let model = cx.cloud.read();
    check_member(group(&cx, &model)?, user)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn remove_member(cx: Context) -> Result<Response, Error> {
    let user = member(&cx)?;
    let removed = cx.cloud.change(|model, _| {
        check_member(group(&cx, model)?, user)?;
        group_mut(&cx, model)?.members.retain(|member| *member != user);
        Ok::<_, Error>(())
    });
    removed.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The groups of the user that the path names.
pub(super) async fn of_user(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?.id;
    let groups = model.groups.iter().filter(|group| group.members.contains(&user));
    let groups: Vec<Value> = groups.map(|group| view(&cx, group)).collect();
    let links = cx.list_links(&format!("/v3/users/{user}/groups"));
    Ok(ok(&json!({"groups": groups, "links": links})))
}

fn check_member(group: &Group, user: UserId) -> Result<(), Fault> {
    if group.members.contains(&user) {
        return Ok(());
    }
    Err(Fault::not_found(format!("User '{user}' not found in group '{}'", group.id)))
}

fn member(cx: &Context) -> Result<UserId, ModelError> {
    let id = cx.param("user");
    id.parse().map_err(|_| ModelError::not_found(Kind::User, id))
}

fn group<'a>(cx: &Context, model: &'a Model) -> Result<&'a Group, ModelError> {
    let id = cx.param("id");
    let found = id.parse().ok().and_then(|id: GroupId| model.groups.get(id));
    found.ok_or_else(|| ModelError::not_found(Kind::Group, id))
}

fn group_mut<'a>(cx: &Context, model: &'a mut Model) -> Result<Changing<'a, Group>, ModelError> {
    let id = group(cx, model)?.id;
    model.groups.get_mut(id).ok_or(ModelError::not_found(Kind::Group, id))
}

fn view(cx: &Context, group: &Group) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "domain_id": group.domain_id,
        "description": group.description,
        "links": {"self": format!("{}/v3/groups/{}", cx.cloud.api_url, group.id)}
    })
}
