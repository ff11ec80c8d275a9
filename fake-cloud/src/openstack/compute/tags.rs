//! Tags of servers: free-form labels, since version 2.26.

use axum::response::Response;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::Error;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok, with_header};

/// The most tags, and the longest, that a server may have.
const TAGS_MAX: usize = 50;
const TAG_LENGTH_MAX: usize = 60;

#[derive(Debug, Deserialize)]
struct Tags {
    tags: Vec<String>,
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"tags": server.tags})))
}

pub(super) async fn replace(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let mut wanted = cx.json::<Tags>().await?.tags;
    wanted.sort();
    wanted.dedup();
    let tags = change(&cx, |tags| {
        *tags = wanted;
        check_tags(tags)
    });
    Ok(ok(&json!({"tags": tags.await?})))
}

pub(super) async fn clear(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    change(&cx, |tags| {
        tags.clear();
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn check(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let tag = cx.param("tag");
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    if server.tags.iter().any(|known| known == tag) {
        Ok(empty(StatusCode::NO_CONTENT))
    } else {
        Err(no_such_tag(&cx).into())
    }
}

pub(super) async fn add(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let tag = cx.param("tag");
    let mut known = false;
    change(&cx, |tags| {
        known = tags.iter().any(|known| known == tag);
        if !known {
            tags.push(tag.to_owned());
        }
        check_tags(tags)
    })
    .await?;
    if known {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let location =
        format!("{}/compute/v2.1/servers/{}/tags/{tag}", cx.cloud.api_url, cx.param("id"));
    Ok(with_header(empty(StatusCode::CREATED), header::LOCATION, &location))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    change(&cx, |tags| {
        let place = tags.iter().position(|tag| tag == cx.param("tag"));
        tags.remove(place.ok_or_else(|| no_such_tag(&cx))?);
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(26) { Ok(()) } else { Err(Fault::no_such_path()) }
}

fn no_such_tag(cx: &Context) -> Fault {
    Fault::not_found(format!("Server {} has no tag '{}'", cx.param("id"), cx.param("tag")))
}

fn check_tags(tags: &[String]) -> Result<(), Fault> {
    if tags.len() > TAGS_MAX {
        return Err(Fault::bad_request(format!(
            "The number of tags exceeded the per-server limit {TAGS_MAX}"
        )));
    }
    let valid = |tag: &String| {
        (1..=TAG_LENGTH_MAX).contains(&tag.chars().count()) && !tag.contains(['/', ','])
    };
    match tags.iter().find(|tag| !valid(tag)) {
        None => Ok(()),
        Some(tag) => Err(Fault::bad_request(format!("Tag '{tag}' is invalid."))),
    }
}

async fn change(
    cx: &Context,
    decide: impl FnOnce(&mut Vec<String>) -> Result<(), Fault>,
) -> Result<Vec<String>, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            let id = cx.param("id");
            let mut tags = model.server(&caller, id)?.tags.clone();
            decide(&mut tags)?;
            let mut server = model.server_mut(&caller, id)?;
            server.tags.clone_from(&tags);
            server.updated = now;
            Ok::<_, Error>(tags)
        })
        .await
}
