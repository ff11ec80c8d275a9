//! Users and their passwords.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::domains::domain_of;
use super::projects::required;
use super::tokens::check_password;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{IdentityChanges, Model, NewUser, ProjectId, User, UserId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};
use crate::passwords;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let is = |name: &str, actual: &dyn std::fmt::Display| {
        cx.query(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(&actual.to_string()))
    };
    let wanted = |user: &&User| {
        cx.query("name").is_none_or(|name| name == user.name)
            && is("domain_id", &user.domain_id)
            && is("enabled", &user.enabled)
    };
    let users: Vec<_> = model.users.iter().filter(wanted).map(|user| view(&cx, user)).collect();
    Ok(ok(&json!({"users": users, "links": cx.list_links("/v3/users")})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?;
    Ok(ok(&json!({"user": view(&cx, user)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    user: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    domain_id: Option<String>,
    description: Option<String>,
    email: Option<String>,
    enabled: Option<bool>,
    default_project_id: Option<String>,
    password: Option<String>,
}

impl Wanted {
    fn default_project(&self) -> Result<Option<ProjectId>, Fault> {
        let id = self.default_project_id.as_ref();
        id.map(|id| {
            id.parse().map_err(|_| Fault::bad_request(format!("'{id}' is not a project's id")))
        })
        .transpose()
    }

    fn changes(self) -> IdentityChanges {
        let Self { name, description, enabled, .. } = self;
        IdentityChanges { name, description, enabled }
    }
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = cx.json::<Body>().await?.user;
    let name = wanted.name.clone().filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| required("name"))?;
    let password_hash = hash(wanted.password.as_deref()).await?;
    let default_project_id = wanted.default_project()?;
    let created = cx.cloud.change(|model, _| {
        let domain_id = domain_of(wanted.domain_id.as_deref())?;
        let user = NewUser { name, domain_id, default_project_id, password_hash };
        let id = model.create_user(user)?;
        let email = wanted.email.take();
        model.change_user(id, wanted.changes())?;
        let mut user = model.users.get_mut(id).ok_or(ModelError::not_found(Kind::User, id))?;
        user.email = email;
        Ok::<_, Error>(view(&cx, &user))
    });
    Ok(json(StatusCode::CREATED, &json!({"user": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = cx.json::<Body>().await?.user;
    let id = named(&cx)?;
    let hash = hash(wanted.password.as_deref()).await?;
    let default_project = wanted.default_project()?;
    let password = wanted.password.take();
    let changed = cx.cloud.change(|model, _| {
        let email = wanted.email.take();
        model.change_user(id, wanted.changes())?;
        if let Some(hash) = hash {
            model.set_password(id, hash)?;
        }
        let mut user = model.users.get_mut(id).ok_or(ModelError::not_found(Kind::User, id))?;
        user.email = email.or(user.email.take());
        user.default_project_id = default_project.or(user.default_project_id);
        // Before anyone can ask with the old one again.
        if let Some(password) = &password {
            cx.cloud.passwords.remember(id, password);
        }
        Ok::<_, Error>(view(&cx, &user))
    });
    Ok(ok(&json!({"user": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let id = named(&cx)?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_user(id)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[derive(Debug, Deserialize)]
struct PasswordBody {
    user: Passwords,
}

#[derive(Debug, Deserialize)]
struct Passwords {
    original_password: String,
    password: String,
}

/// Changes one's own password, with the old one as the only proof that is needed.
pub(super) async fn change_password(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<PasswordBody>().await?.user;
    let known = {
        let id = cx.param("id").parse().ok();
        let model = cx.cloud.read();
        id.and_then(|id: UserId| model.users.get(id)).map(|user| user.id)
    };
    let id = known.ok_or_else(Fault::unauthorized)?;
    if !check_password(&cx.cloud, id, &wanted.original_password).await {
        return Err(Fault::unauthorized().into());
    }
    let Some(hash) = hash(Some(&wanted.password)).await? else {
        return Err(required("password").into());
    };
    let changed = cx.cloud.change(|model, _| {
        model.set_password(id, hash)?;
        cx.cloud.passwords.remember(id, &wanted.password);
        Ok::<_, Error>(())
    });
    changed.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The hash of a password, made where that may take its time.
pub(super) async fn hash(password: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(password) = password.map(str::to_owned) else { return Ok(None) };
    let hashed = tokio::task::spawn_blocking(move || passwords::hash(&password)).await;
    hashed.map(Some).map_err(|error| {
        tracing::error!(%error, "failed to hash a password");
        Fault::internal()
    })
}

/// The user that the path names: oneself, or anyone for the administrator.
pub(super) fn visible_user<'a>(cx: &Context, model: &'a Model) -> Result<&'a User, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let user = id.parse().ok().and_then(|id| model.users.get(id));
    let user = user.filter(|user| caller.is_admin || user.id == caller.user_id);
    Ok(user.ok_or_else(|| ModelError::not_found(Kind::User, id))?)
}

fn named(cx: &Context) -> Result<UserId, ModelError> {
    let id = cx.param("id");
    id.parse().map_err(|_| ModelError::not_found(Kind::User, id))
}

/// A user as the API shows them; who has no default project shows the first of their own.
pub(super) fn view(cx: &Context, user: &User) -> Value {
    let first = user.grants.first().map(|(project, _)| *project);
    let mut view = json!({
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "default_project_id": user.default_project_id.or(first),
        "password_expires_at": null,
        "options": {},
        "links": {"self": format!("{}/v3/users/{}", cx.cloud.api_url, user.id)}
    });
    for (name, text) in [("description", &user.description), ("email", &user.email)] {
        if let Some(text) = text {
            view[name] = json!(text);
        }
    }
    view
}
