//! Metadata of servers: free-form properties, all at once or one by one.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Error;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

type Items = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
struct All {
    metadata: Items,
}

#[derive(Debug, Deserialize)]
struct One {
    meta: Items,
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"metadata": server.metadata})))
}

pub(super) async fn merge(mut cx: Context) -> Result<Response, Error> {
    let new = cx.json::<All>().await?.metadata;
    let merged = change(&cx, |mut items| {
        items.extend(new);
        Ok(items)
    });
    Ok(ok(&json!({"metadata": merged.await?})))
}

pub(super) async fn replace(mut cx: Context) -> Result<Response, Error> {
    let new = cx.json::<All>().await?.metadata;
    Ok(ok(&json!({"metadata": change(&cx, |_| Ok(new)).await?})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let key = cx.param("key");
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let value = server.metadata.get(key).ok_or_else(no_such_item)?;
    Ok(ok(&json!({"meta": {key: value}})))
}

pub(super) async fn set(mut cx: Context) -> Result<Response, Error> {
    let meta = cx.json::<One>().await?.meta;
    let key = cx.param("key");
    let Some(value) = meta.get(key).filter(|_| meta.len() == 1) else {
        return Err(Fault::bad_request("Request body and URI mismatch").into());
    };
    change(&cx, |mut items| {
        items.insert(key.to_owned(), value.clone());
        Ok(items)
    })
    .await?;
    Ok(ok(&json!({"meta": {key: value}})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    change(&cx, |mut items| {
        items.remove(cx.param("key")).ok_or_else(no_such_item)?;
        Ok(items)
    })
    .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn no_such_item() -> Fault {
    Fault::not_found("Metadata item was not found")
}

async fn change(
    cx: &Context,
    decide: impl FnOnce(Items) -> Result<Items, Fault>,
) -> Result<Items, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            let id = cx.param("id");
            let items = decide(model.server(&caller, id)?.metadata.clone())?;
            model.set_metadata(&caller, id, items.clone(), now)?;
            Ok::<_, Error>(items)
        })
        .await
}
