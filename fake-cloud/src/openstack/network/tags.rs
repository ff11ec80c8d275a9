//! Tags: free-form labels that every thing of the network API can have.

use std::collections::BTreeSet;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Error;
use crate::model::{Caller, Model, StandardAttributes};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

/// The longest tag.
const TAG_MAX: usize = 255;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let tags = labels(&cx)?;
    Ok(ok(&json!({"tags": tags})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    match labels(&cx)?.contains(cx.param("tag")) {
        true => Ok(empty(StatusCode::NO_CONTENT)),
        false => Err(missing(cx.param("tag")).into()),
    }
}

pub(super) async fn add(cx: Context) -> Result<Response, Error> {
    let tag = cx.param("tag").to_owned();
    check(&tag)?;
    change(&cx, |tags| {
        tags.insert(tag.clone());
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::CREATED))
}

#[derive(Debug, Deserialize)]
struct Body {
    tags: BTreeSet<String>,
}

pub(super) async fn replace(mut cx: Context) -> Result<Response, Error> {
    let Body { tags } = cx.json().await?;
    tags.iter().try_for_each(|tag| check(tag))?;
    change(&cx, |known| {
        known.clone_from(&tags);
        Ok(())
    })
    .await?;
    Ok(ok(&json!({"tags": tags})))
}

pub(super) async fn remove(cx: Context) -> Result<Response, Error> {
    let tag = cx.param("tag");
    change(&cx, |tags| if tags.remove(tag) { Ok(()) } else { Err(missing(tag)) }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn clear(cx: Context) -> Result<Response, Error> {
    change(&cx, |tags| {
        tags.clear();
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn check(tag: &str) -> Result<(), Fault> {
    if !tag.is_empty() && tag.len() <= TAG_MAX {
        return Ok(());
    }
    Err(Fault::named(
        StatusCode::BAD_REQUEST,
        "InvalidInput",
        format!("Invalid input for operation: '{tag}' is not a tag of 1 to {TAG_MAX} characters."),
    ))
}

fn missing(tag: &str) -> Fault {
    let message = format!("Tag {tag} could not be found.");
    Fault::named(StatusCode::NOT_FOUND, "TagNotFound", message)
}

/// The things that the path is about: `networks` of `/v2.0/networks/{id}/tags`.
fn collection(cx: &Context) -> &'static str {
    cx.route.path.split('/').nth(2).unwrap_or_default()
}

fn labels(cx: &Context) -> Result<BTreeSet<String>, Error> {
    let model = cx.cloud.read();
    Ok(bearer(&model, &cx.caller()?, collection(cx), cx.param("id"))?.labels.clone())
}

async fn change(
    cx: &Context,
    change: impl FnOnce(&mut BTreeSet<String>) -> Result<(), Fault>,
) -> Result<(), Error> {
    let (caller, collection, id) = (cx.caller()?, collection(cx), cx.param("id"));
    let changed = cx.cloud.change(|model, now| {
        // A copy first: what is refused must leave no trace.
        let mut standard = bearer(model, &caller, collection, id)?.clone();
        change(&mut standard.labels)?;
        standard.touch(now);
        set(model, &caller, collection, id, standard)
    });
    changed.await
}

fn unknown(collection: &str, id: &str) -> Fault {
    let message = format!("Resource {collection} {id} could not be found.");
    Fault::named(StatusCode::NOT_FOUND, "TagResourceNotFound", message)
}

/// The attributes of a thing that the caller may see.
fn bearer<'a>(
    model: &'a Model,
    caller: &Caller,
    collection: &str,
    id: &str,
) -> Result<&'a StandardAttributes, Error> {
    Ok(match collection {
        "networks" => &model.network(caller, id)?.standard,
        "subnets" => &model.subnet(caller, id)?.standard,
        "subnetpools" => &model.subnet_pool(caller, id)?.standard,
        "ports" => &model.port(caller, id)?.standard,
        "routers" => &model.router(caller, id)?.standard,
        "floatingips" => &model.floating_ip(caller, id)?.standard,
        "security-groups" => &model.security_group(caller, id)?.standard,
        "security-group-rules" => &model.security_group_rule(caller, id)?.standard,
        other => return Err(unknown(other, id).into()),
    })
}

/// Gives a thing that the caller may change other attributes.
fn set(
    model: &mut Model,
    caller: &Caller,
    collection: &str,
    id: &str,
    standard: StandardAttributes,
) -> Result<(), Error> {
    /// Finds out that the caller may see it, then changes it.
    macro_rules! of {
        ($table:ident, $find:ident) => {{
            let id = model.$find(caller, id)?.id;
            if let Some(mut found) = model.$table.get_mut(id) {
                found.standard = standard;
            }
        }};
    }
    match collection {
        "networks" => model.network_to_change(caller, id)?.standard = standard,
        "subnets" => model.subnet_to_change(caller, id)?.standard = standard,
        "subnetpools" => of!(subnet_pools, subnet_pool),
        "ports" => of!(ports, port),
        "routers" => of!(routers, router),
        "floatingips" => of!(floating_ips, floating_ip),
        "security-groups" => of!(security_groups, security_group),
        "security-group-rules" => of!(security_group_rules, security_group_rule),
        other => return Err(unknown(other, id).into()),
    }
    Ok(())
}
