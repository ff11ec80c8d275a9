//! Free-form properties of volumes.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, project};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

type Metadata = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
struct Many {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct One {
    meta: Metadata,
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"metadata": current(&cx)?})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let (mut metadata, key) = (current(&cx)?, cx.param("key"));
    let value = metadata.remove(key).ok_or_else(|| missing(key))?;
    Ok(ok(&json!({"meta": {key: value}})))
}

pub(super) async fn replace(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Many>().await?.metadata;
    let metadata = change(&cx, |metadata| {
        *metadata = wanted;
        Ok(())
    });
    Ok(ok(&json!({"metadata": metadata.await?})))
}

pub(super) async fn merge(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Many>().await?.metadata;
    let metadata = change(&cx, |metadata| {
        metadata.extend(wanted);
        Ok(())
    });
    Ok(ok(&json!({"metadata": metadata.await?})))
}

pub(super) async fn set(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = cx.json::<One>().await?.meta;
    let key = cx.param("key");
    let value = wanted.remove(key).filter(|_| wanted.is_empty());
    let value: Value = value.map(Value::String).ok_or_else(|| {
        Fault::bad_request("Request body and URI mismatch: it must name the same one key")
    })?;
    let text = value.as_str().unwrap_or_default().to_owned();
    let set = change(&cx, |metadata| {
        metadata.insert(key.to_owned(), text);
        Ok(())
    });
    set.await?;
    Ok(ok(&json!({"meta": {key: value}})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let key = cx.param("key");
    change(&cx, |metadata| metadata.remove(key).map(drop).ok_or_else(|| missing(key))).await?;
    Ok(empty(StatusCode::OK))
}

fn current(cx: &Context) -> Result<Metadata, Error> {
    project(cx)?;
    Ok(cx.cloud.read().volume(&cx.caller()?, cx.param("id"))?.metadata.clone())
}

async fn change(
    cx: &Context,
    change: impl FnOnce(&mut Metadata) -> Result<(), Fault>,
) -> Result<Metadata, Error> {
    project(cx)?;
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        let mut volume = model.volume_mut(&caller, cx.param("id"))?;
        change(&mut volume.metadata)?;
        volume.updated = Some(now);
        Ok::<_, Error>(volume.metadata.clone())
    });
    changed.await
}

fn missing(key: &str) -> Fault {
    Fault::not_found(format!("Metadata item was not found: {key}"))
}
