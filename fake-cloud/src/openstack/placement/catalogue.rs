//! What Placement speaks and which words it knows.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::host::TRAITS;
use super::resources::STANDARD;
use super::{Error, needs};
use crate::openstack::errors::Fault;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn versions(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"versions": [{
        "id": "v1.0",
        "max_version": format!("1.{}", Microversion::PLACEMENT_MAX.0),
        "min_version": "1.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}]
    }]})))
}

pub(super) async fn classes(cx: Context) -> Result<Response, Error> {
    needs(&cx, 2)?;
    let classes: Vec<_> = STANDARD.iter().map(|name| class_view(name)).collect();
    Ok(ok(&json!({"resource_classes": classes})))
}

pub(super) async fn class(cx: Context) -> Result<Response, Error> {
    needs(&cx, 2)?;
    let name = cx.param("name");
    if STANDARD.contains(&name) {
        return Ok(ok(&class_view(name)));
    }
    Err(Fault::not_found(format!("No such resource class {name}.")).into())
}

fn class_view(name: &str) -> Value {
    let href = format!("/placement/resource_classes/{name}");
    json!({"name": name, "links": [{"rel": "self", "href": href}]})
}

/// The traits that some provider has; the real one lists those too that none has.
pub(super) async fn traits(cx: Context) -> Result<Response, Error> {
    needs(&cx, 6)?;
    let wanted = cx.query("name").unwrap_or("startswith:");
    let chosen: Box<dyn Fn(&&&str) -> bool> = match wanted.split_once(':') {
        Some(("startswith", prefix)) => Box::new(move |name| name.starts_with(prefix)),
        Some(("in", names)) => Box::new(move |name| names.split(',').any(|known| known == **name)),
        _ => {
            let message = format!("Badly formatted name parameter. Got: {wanted}.");
            return Err(Fault::bad_request(message).into());
        }
    };
    Ok(ok(&json!({"traits": TRAITS.iter().filter(chosen).collect::<Vec<_>>()})))
}

pub(super) async fn check_trait(cx: Context) -> Result<Response, Error> {
    needs(&cx, 6)?;
    let name = cx.param("name");
    if TRAITS.contains(&name) {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    Err(Fault::not_found(format!("No such trait: {name}.")).into())
}
