//! Domains.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::projects::required;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Domain, DomainId, IdentityChanges};
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let wanted = |domain: &&Domain| cx.query("name").is_none_or(|name| name == domain.name);
    let domains: Vec<Value> = model.domains.iter().filter(wanted).map(|it| view(&cx, it)).collect();
    Ok(ok(&json!({"domains": domains, "links": cx.list_links("/v3/domains")})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let id = named(&cx)?;
    let model = cx.cloud.read();
    let domain = model.domains.get(id).ok_or(ModelError::not_found(Kind::Domain, id))?;
    Ok(ok(&json!({"domain": view(&cx, domain)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    domain: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.domain;
    let name = wanted.name.ok_or_else(|| required("name"))?;
    let created = cx.cloud.change(|model, _| {
        let id = model.create_domain(&name, wanted.description.as_deref().unwrap_or_default())?;
        let changes = IdentityChanges { enabled: wanted.enabled, ..IdentityChanges::default() };
        model.change_domain(id, changes)?;
        let domain = model.domains.get(id).ok_or(ModelError::not_found(Kind::Domain, id))?;
        Ok::<_, Error>(view(&cx, domain))
    });
    Ok(json(StatusCode::CREATED, &json!({"domain": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let Wanted { name, description, enabled } = cx.json::<Body>().await?.domain;
    let id = named(&cx)?;
    let changed = cx.cloud.change(|model, _| {
        model.change_domain(id, IdentityChanges { name, description, enabled })?;
        let domain = model.domains.get(id).ok_or(ModelError::not_found(Kind::Domain, id))?;
        Ok::<_, Error>(view(&cx, domain))
    });
    Ok(ok(&json!({"domain": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let id = named(&cx)?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_domain(id)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn named(cx: &Context) -> Result<DomainId, ModelError> {
    domain_of(Some(cx.param("id")))
}

/// The domain with an id as clients write it, the default one when none is named.
pub(super) fn domain_of(id: Option<&str>) -> Result<DomainId, ModelError> {
    match id {
        None => Ok(DomainId::DEFAULT),
        Some(id) => id.parse().map_err(|_| ModelError::not_found(Kind::Domain, id)),
    }
}

fn view(cx: &Context, domain: &Domain) -> Value {
    json!({
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": [],
        "options": {},
        "links": {"self": format!("{}/v3/domains/{}", cx.cloud.api_url, domain.id)}
    })
}
