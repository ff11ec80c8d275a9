//! Roles, and who has which of them where.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::projects::required;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{DomainId, Grantee, Model, ProjectId, Role, RoleId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let wanted = |role: &&Role| cx.query("name").is_none_or(|name| name == role.name);
    let roles: Vec<Value> = model.roles.iter().filter(wanted).map(|it| view(&cx, it)).collect();
    Ok(ok(&json!({"roles": roles, "links": cx.list_links("/v3/roles")})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let id = role_id(&cx, "id")?;
    let model = cx.cloud.read();
    let role = model.roles.get(id).ok_or(ModelError::not_found(Kind::Role, id))?;
    Ok(ok(&json!({"role": view(&cx, role)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    role: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.role;
    let name = wanted.name.ok_or_else(|| required("name"))?;
    let created = cx.cloud.change(|model, _| {
        let id = model.create_role(&name, wanted.description)?;
        let role = model.roles.get(id).ok_or(ModelError::not_found(Kind::Role, id))?;
        Ok::<_, Error>(view(&cx, role))
    });
    Ok(json(StatusCode::CREATED, &json!({"role": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.role;
    let id = role_id(&cx, "id")?;
    let changed = cx.cloud.change(|model, _| {
        let mut role = model.roles.get_mut(id).ok_or(ModelError::not_found(Kind::Role, id))?;
        role.name = wanted.name.unwrap_or_else(|| std::mem::take(&mut role.name));
        role.description = wanted.description.or(role.description.take());
        Ok::<_, Error>(view(&cx, &role))
    });
    Ok(ok(&json!({"role": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let id = role_id(&cx, "id")?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_role(id)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn grants(cx: Context) -> Result<Response, Error> {
    let (grantee, project) = (grantee(&cx)?, project(&cx)?);
    let model = cx.cloud.read();
    let held = model.grants(grantee)?.iter().filter(|(at, _)| *at == project);
    let roles = held.filter_map(|(_, role)| model.roles.get(*role));
    let roles: Vec<Value> = roles.map(|role| view(&cx, role)).collect();
    Ok(ok(&json!({"roles": roles, "links": cx.list_links(&format!("/v3/projects/{project}"))})))
}

pub(super) async fn grant(cx: Context) -> Result<Response, Error> {
    let (grantee, project, role) = (grantee(&cx)?, project(&cx)?, role_id(&cx, "role")?);
    let granted = cx.cloud.change(|model, _| Ok::<_, Error>(model.grant(grantee, project, role)?));
    granted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn check(cx: Context) -> Result<Response, Error> {
    let (grantee, project, role) = (grantee(&cx)?, project(&cx)?, role_id(&cx, "role")?);
    let model = cx.cloud.read();
    if model.grants(grantee)?.contains(&(project, role)) {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    Err(ModelError::not_found(Kind::RoleAssignment, role).into())
}

pub(super) async fn revoke(cx: Context) -> Result<Response, Error> {
    let (grantee, project, role) = (grantee(&cx)?, project(&cx)?, role_id(&cx, "role")?);
    let revoked = cx.cloud.change(|model, _| Ok::<_, Error>(model.revoke(grantee, project, role)?));
    revoked.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Who has which role where; with `effective`, groups are told as their members.
pub(super) async fn assignments(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let effective = flag(&cx, "effective");
    let users = model
        .users
        .iter()
        .flat_map(|user| user.grants.iter().map(|(at, role)| (Grantee::User(user.id), *at, *role)));
    let groups = model.groups.iter().flat_map(|group| {
        let members = group.members.iter().map(|user| Grantee::User(*user));
        let grantees: Vec<Grantee> = match effective {
            true => members.collect(),
            false => vec![Grantee::Group(group.id)],
        };
        grantees
            .into_iter()
            .flat_map(|who| group.grants.iter().map(move |(at, role)| (who, *at, *role)))
    });
    let is = |name: &str, actual: String| cx.query(name).is_none_or(|wanted| wanted == actual);
    let shown = users.chain(groups).filter(|(who, project, role)| {
        let (user, group) = match who {
            Grantee::User(id) => (id.to_string(), String::new()),
            Grantee::Group(id) => (String::new(), id.to_string()),
        };
        is("user.id", user)
            && is("group.id", group)
            && is("scope.project.id", project.to_string())
            && is("role.id", role.to_string())
            && cx.query("scope.domain.id").is_none()
            && cx.query("scope.system").is_none()
    });
    let names = flag(&cx, "include_names");
    let views: Vec<Value> = shown.map(|it| assignment_view(&cx, &model, names, it)).collect();
    let links = cx.list_links("/v3/role_assignments");
    Ok(ok(&json!({"role_assignments": views, "links": links})))
}

/// A word that is true when it is there, unless it says that it is not.
fn flag(cx: &Context, name: &str) -> bool {
    cx.query(name).is_some_and(|value| !matches!(value.to_lowercase().as_str(), "0" | "false"))
}

fn assignment_view(
    cx: &Context,
    model: &Model,
    names: bool,
    (who, project, role): (Grantee, ProjectId, RoleId),
) -> Value {
    let domain =
        |id: DomainId| json!({"id": id, "name": model.domains.get(id).map(|domain| &domain.name)});
    let named = |id: Value, name: Option<&String>, at: Option<DomainId>| match (name, at) {
        (Some(name), Some(at)) if names => json!({"id": id, "name": name, "domain": domain(at)}),
        (Some(name), None) if names => json!({"id": id, "name": name}),
        _ => json!({"id": id}),
    };
    let at = model.projects.get(project);
    let (kind, path, holder) = match who {
        Grantee::User(id) => {
            let user = model.users.get(id);
            let view = named(json!(id), user.map(|it| &it.name), user.map(|it| it.domain_id));
            ("user", format!("users/{id}"), view)
        }
        Grantee::Group(id) => {
            let group = model.groups.get(id);
            let view = named(json!(id), group.map(|it| &it.name), group.map(|it| it.domain_id));
            ("group", format!("groups/{id}"), view)
        }
    };
    let link = format!("{}/v3/projects/{project}/{path}/roles/{role}", cx.cloud.api_url);
    json!({
        "role": named(json!(role), model.roles.get(role).map(|it| &it.name), None),
        "scope": {
            "project": named(json!(project), at.map(|it| &it.name), at.map(|it| it.domain_id))
        },
        kind: holder,
        "links": {"assignment": link}
    })
}

fn role_id(cx: &Context, name: &str) -> Result<RoleId, ModelError> {
    let id = cx.param(name);
    id.parse().map_err(|_| ModelError::not_found(Kind::Role, id))
}

fn project(cx: &Context) -> Result<ProjectId, ModelError> {
    let id = cx.param("project");
    id.parse().map_err(|_| ModelError::not_found(Kind::Project, id))
}

/// The user or group that the path names.
fn grantee(cx: &Context) -> Result<Grantee, Fault> {
    let (user, group) = (cx.param("user"), cx.param("group"));
    let found = match user {
        "" => group.parse().map(Grantee::Group),
        user => user.parse().map(Grantee::User),
    };
    found.map_err(|_| Fault::not_found(format!("Could not find user: {user}{group}.")))
}

fn view(cx: &Context, role: &Role) -> Value {
    json!({
        "id": role.id, "name": role.name, "domain_id": null, "description": role.description,
        "options": {}, "links": {"self": format!("{}/v3/roles/{}", cx.cloud.api_url, role.id)}
    })
}
