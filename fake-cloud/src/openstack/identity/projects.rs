//! Projects.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::domains::domain_of;
use super::users::visible_user;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{IdentityChanges, Project, ProjectId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};

pub(super) async fn own(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let projects = model.projects_of(caller.user_id).into_iter().filter(|it| it.enabled).collect();
    Ok(list_view(&cx, "/v3/auth/projects", projects))
}

/// All projects for the administrator, their own for everyone else.
pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let projects = if caller.is_admin {
        model.projects.iter().collect()
    } else {
        model.projects_of(caller.user_id)
    };
    let is = |name: &str, actual: &dyn std::fmt::Display| {
        cx.query(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(&actual.to_string()))
    };
    let wanted = |project: &&Project| {
        cx.query("name").is_none_or(|name| name == project.name)
            && is("domain_id", &project.domain_id)
            && is("parent_id", &project.domain_id)
            && is("enabled", &project.enabled)
            && is("is_domain", &false)
            && cx
                .queries("tags")
                .flat_map(|tags| tags.split(','))
                .all(|tag| project.tags.iter().any(|known| known == tag))
    };
    let projects = projects.into_iter().filter(wanted).collect();
    Ok(list_view(&cx, "/v3/projects", projects))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let model = cx.cloud.read();
    let mut visible = model.projects_of(caller.user_id);
    if caller.is_admin {
        visible = model.projects.iter().collect();
    }
    let wanted = id.parse().ok();
    let project = visible.into_iter().find(|project| Some(project.id) == wanted);
    let project = project.ok_or_else(|| ModelError::not_found(Kind::Project, id))?;
    Ok(ok(&json!({"project": view(&cx, project)})))
}

/// The projects of the user that the path names.
pub(super) async fn of_user(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?;
    let path = format!("/v3/users/{}/projects", user.id);
    Ok(list_view(&cx, &path, model.projects_of(user.id)))
}

#[derive(Debug, Deserialize)]
struct Body {
    project: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    domain_id: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
    tags: Option<Vec<String>>,
}

impl Wanted {
    fn changes(self) -> IdentityChanges {
        let Self { name, description, enabled, .. } = self;
        IdentityChanges { name, description, enabled }
    }
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = cx.json::<Body>().await?.project;
    let name = wanted.name.clone().filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| required("name"))?;
    let created = cx.cloud.change(|model, now| {
        let domain = domain_of(wanted.domain_id.as_deref())?;
        let id = model.create_project(domain, &name, now)?;
        let tags = wanted.tags.take();
        model.change_project(id, wanted.changes())?;
        let mut project =
            model.projects.get_mut(id).ok_or(ModelError::not_found(Kind::Project, id))?;
        project.tags = tags.unwrap_or_default();
        Ok::<_, Error>(view(&cx, &project))
    });
    Ok(json(StatusCode::CREATED, &json!({"project": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = cx.json::<Body>().await?.project;
    let id = named(&cx)?;
    let changed = cx.cloud.change(|model, _| {
        let tags = wanted.tags.take();
        model.change_project(id, wanted.changes())?;
        let mut project =
            model.projects.get_mut(id).ok_or(ModelError::not_found(Kind::Project, id))?;
        project.tags = tags.unwrap_or_else(|| std::mem::take(&mut project.tags));
        Ok::<_, Error>(view(&cx, &project))
    });
    Ok(ok(&json!({"project": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let id = named(&cx)?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_project(id)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn named(cx: &Context) -> Result<ProjectId, ModelError> {
    let id = cx.param("id");
    id.parse().map_err(|_| ModelError::not_found(Kind::Project, id))
}

/// What is told who leaves out what must be there.
pub(super) fn required(name: &str) -> Fault {
    Fault::bad_request(format!("'{name}' is a required property"))
}

fn list_view(cx: &Context, path: &str, projects: Vec<&Project>) -> Response {
    let projects: Vec<Value> = projects.into_iter().map(|project| view(cx, project)).collect();
    ok(&json!({"projects": projects, "links": cx.list_links(path)}))
}

fn view(cx: &Context, project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "parent_id": project.domain_id,
        "is_domain": false,
        "tags": project.tags,
        "options": {},
        "links": {"self": format!("{}/v3/projects/{}", cx.cloud.api_url, project.id)}
    })
}
