//! Projects, users, roles and the one domain.

use axum::response::Response;
use serde_json::{Value, json};

use super::{DOMAIN_ID, DOMAIN_NAME, Error};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Project, User};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn own_projects(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let projects: Vec<_> = model.projects_of(caller.user_id).into_iter().collect();
    Ok(list_of_projects(&cx, "/v3/auth/projects", projects))
}

/// All projects for the administrator, their own for everyone else.
pub(super) async fn projects(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let projects = if caller.is_admin {
        model.projects.iter().collect()
    } else {
        model.projects_of(caller.user_id)
    };
    let wanted = |project: &&Project| cx.query("name").is_none_or(|name| name == project.name);
    let projects = projects.into_iter().filter(wanted).collect();
    Ok(list_of_projects(&cx, "/v3/projects", projects))
}

pub(super) async fn project(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let model = cx.cloud.read();
    let mut visible = model.projects_of(caller.user_id);
    if caller.is_admin {
        visible = model.projects.iter().collect();
    }
    let wanted = id.parse().ok();
    let project = visible.into_iter().find(|project| Some(project.id) == wanted);
    let project = project.ok_or_else(|| ModelError::not_found(Kind::Project, id))?;
    Ok(ok(&json!({"project": project_view(&cx, project)})))
}

pub(super) async fn users(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let wanted = |user: &&User| cx.query("name").is_none_or(|name| name == user.name);
    let users: Vec<_> =
        model.users.iter().filter(wanted).map(|user| user_view(&cx, user)).collect();
    Ok(ok(&json!({"users": users, "links": cx.list_links("/v3/users")})))
}

pub(super) async fn user(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?;
    Ok(ok(&json!({"user": user_view(&cx, user)})))
}

pub(super) async fn user_projects(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?;
    let path = format!("/v3/users/{}/projects", user.id);
    Ok(list_of_projects(&cx, &path, model.projects_of(user.id)))
}

pub(super) async fn roles(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let role = |role: &crate::model::Role| {
        json!({
            "id": role.id, "name": role.name, "domain_id": null, "description": null,
            "options": {}, "links": {"self": format!("{}/v3/roles/{}", cx.cloud.api_url, role.id)}
        })
    };
    let roles: Vec<Value> = model.roles.iter().map(role).collect();
    Ok(ok(&json!({"roles": roles, "links": cx.list_links("/v3/roles")})))
}

pub(super) async fn domains(cx: Context) -> Result<Response, Error> {
    let named = cx.query("name").is_none_or(|name| name == DOMAIN_NAME);
    let domains: Vec<Value> = named.then(|| domain_view(&cx)).into_iter().collect();
    Ok(ok(&json!({"domains": domains, "links": cx.list_links("/v3/domains")})))
}

pub(super) async fn domain(cx: Context) -> Result<Response, Error> {
    match cx.param("id") {
        DOMAIN_ID => Ok(ok(&json!({"domain": domain_view(&cx)}))),
        other => Err(Fault::not_found(format!("Could not find domain: {other}.")).into()),
    }
}

/// The user that the path names: oneself, or anyone for the administrator.
pub(super) fn visible_user<'a>(
    cx: &Context,
    model: &'a crate::model::Model,
) -> Result<&'a User, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let user = id.parse().ok().and_then(|id| model.users.get(id));
    let user = user.filter(|user| caller.is_admin || user.id == caller.user_id);
    Ok(user.ok_or_else(|| ModelError::not_found(Kind::User, id))?)
}

fn list_of_projects(cx: &Context, path: &str, projects: Vec<&Project>) -> Response {
    let projects: Vec<Value> =
        projects.into_iter().map(|project| project_view(cx, project)).collect();
    ok(&json!({"projects": projects, "links": cx.list_links(path)}))
}

fn project_view(cx: &Context, project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "domain_id": DOMAIN_ID,
        "description": "",
        "enabled": true,
        "parent_id": DOMAIN_ID,
        "is_domain": false,
        "tags": [],
        "options": {},
        "links": {"self": format!("{}/v3/projects/{}", cx.cloud.api_url, project.id)}
    })
}

fn user_view(cx: &Context, user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "domain_id": DOMAIN_ID,
        "enabled": true,
        "default_project_id": user.grants.first().map(|(project, _)| project),
        "password_expires_at": null,
        "options": {},
        "links": {"self": format!("{}/v3/users/{}", cx.cloud.api_url, user.id)}
    })
}

fn domain_view(cx: &Context) -> Value {
    json!({
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "description": "The default domain",
        "enabled": true,
        "tags": [],
        "options": {},
        "links": {"self": format!("{}/v3/domains/{DOMAIN_ID}", cx.cloud.api_url)}
    })
}

impl Context {
    /// The links that Keystone puts below every list.
    pub(super) fn list_links(&self, path: &str) -> Value {
        json!({"next": null, "previous": null, "self": format!("{}{path}", self.cloud.api_url)})
    }
}
