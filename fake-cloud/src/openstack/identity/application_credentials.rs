//! Application credentials: what programs log in with instead of their users' passwords.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Error;
use super::tokens::random_text;
use super::users::{hash, visible_user};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{ApplicationCredential, Model, NewApplicationCredential};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?.id;
    let named = |it: &&ApplicationCredential| cx.query("name").is_none_or(|name| name == it.name);
    let own = model.application_credentials_of(user).filter(named);
    let views: Vec<Value> = own.map(|it| view(&cx, &model, it)).collect();
    let links = cx.list_links(&format!("/v3/users/{user}/application_credentials"));
    Ok(ok(&json!({"application_credentials": views, "links": links})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let user = visible_user(&cx, &model)?.id;
    let credential = model.application_credential_of(user, cx.param("credential"))?;
    Ok(ok(&json!({"application_credential": view(&cx, &model, credential)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    application_credential: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    description: Option<String>,
    secret: Option<String>,
    #[serde(default)]
    roles: Vec<Map<String, Value>>,
    #[serde(default)]
    unrestricted: Option<bool>,
    expires_at: Option<String>,
    access_rules: Option<Vec<Value>>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.application_credential;
    let caller = cx.caller()?;
    if cx.param("id") != caller.user_id.to_string() {
        return Err(Fault::forbidden(
            "You are not authorized to perform the requested action: \
             identity:create_application_credential.",
        )
        .into());
    }
    if wanted.access_rules.is_some_and(|rules| !rules.is_empty()) {
        return Err(Fault::bad_request("This cloud does not know access rules.").into());
    }
    let role = |role: &Map<String, Value>| {
        let text = role.get("id").or_else(|| role.get("name")).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| Fault::bad_request("A role needs an id or a name."))
    };
    let roles = wanted.roles.iter().map(role).collect::<Result<Vec<_>, _>>()?;
    let expires = wanted.expires_at.as_deref().map(read_time).transpose()?;
    if expires.is_some_and(|end| end <= cx.cloud.now()) {
        let message = "The 'expires_at' must not be before now.";
        return Err(Fault::bad_request(message).into());
    }
    let secret = wanted.secret.unwrap_or_else(|| random_text(64));
    let Some(secret_hash) = hash(Some(&secret)).await? else {
        return Err(Fault::internal().into());
    };
    let wanted = NewApplicationCredential {
        name: wanted.name,
        description: wanted.description,
        roles,
        secret_hash,
        unrestricted: wanted.unrestricted.unwrap_or(false),
        expires,
    };
    let created = cx.cloud.change(|model, _| {
        let id = model.create_application_credential(&caller, wanted)?;
        let missing = ModelError::not_found(Kind::ApplicationCredential, id);
        Ok::<_, Error>(view(&cx, model, model.application_credentials.get(id).ok_or(missing)?))
    });
    let mut view = created.await?;
    // Shown this once, and never again.
    view["secret"] = json!(secret);
    Ok(json(StatusCode::CREATED, &json!({"application_credential": view})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted = cx.cloud.change(|model, _| {
        let user = visible_user(&cx, model)?.id;
        let id = cx.param("credential");
        Ok::<_, Error>(model.delete_application_credential(&caller, user, id)?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A time with or without a zone; Keystone's are UTC.
fn read_time(text: &str) -> Result<OffsetDateTime, Fault> {
    let zoned = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
    OffsetDateTime::parse(&zoned, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc3339))
        .map_err(|_| Fault::bad_request(format!("Invalid input for field 'expires_at': {text}")))
}

fn view(cx: &Context, model: &Model, credential: &ApplicationCredential) -> Value {
    let (id, user) = (credential.id, credential.user_id);
    let role = |role: &crate::model::RoleId| {
        let role = model.roles.get(*role)?;
        Some(json!({"id": role.id, "name": role.name, "domain_id": null}))
    };
    let own = format!("{}/v3/users/{user}/application_credentials/{id}", cx.cloud.api_url);
    json!({
        "id": id,
        "name": credential.name,
        "description": credential.description,
        "user_id": user,
        "project_id": credential.project_id,
        "system": null,
        "roles": credential.roles.iter().filter_map(role).collect::<Vec<_>>(),
        "unrestricted": credential.unrestricted,
        "expires_at": credential.expires.map(Micros),
        "access_rules": null,
        "links": {"self": own}
    })
}
