//! Free-form properties of flavors.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Error;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

type Specs = BTreeMap<String, String>;

pub(in crate::openstack::compute) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let specs = &model.flavor(&cx.caller()?, cx.param("id"))?.extra_specs;
    Ok(ok(&json!({"extra_specs": specs})))
}

pub(in crate::openstack::compute) async fn show(cx: Context) -> Result<Response, Error> {
    let key = cx.param("key");
    let model = cx.cloud.read();
    let specs = &model.flavor(&cx.caller()?, cx.param("id"))?.extra_specs;
    Ok(ok(&json!({key: specs.get(key).ok_or_else(|| missing(&cx))?})))
}

#[derive(Debug, Deserialize)]
struct All {
    extra_specs: Specs,
}

pub(in crate::openstack::compute) async fn set(mut cx: Context) -> Result<Response, Error> {
    let new = cx.json::<All>().await?.extra_specs;
    change(&cx, |specs| {
        specs.extend(new.clone());
        Ok(())
    })
    .await?;
    Ok(ok(&json!({"extra_specs": new})))
}

pub(in crate::openstack::compute) async fn set_one(mut cx: Context) -> Result<Response, Error> {
    let new: Specs = cx.json().await?;
    let key = cx.param("key");
    let Some(value) = new.get(key).filter(|_| new.len() == 1) else {
        return Err(Fault::bad_request("Request body and URI mismatch").into());
    };
    change(&cx, |specs| {
        specs.insert(key.to_owned(), value.clone());
        Ok(())
    })
    .await?;
    Ok(ok(&new))
}

pub(in crate::openstack::compute) async fn delete(cx: Context) -> Result<Response, Error> {
    change(&cx, |specs| {
        specs.remove(cx.param("key")).ok_or_else(|| missing(&cx))?;
        Ok(())
    })
    .await?;
    Ok(empty(StatusCode::OK))
}

fn missing(cx: &Context) -> Fault {
    let (id, key) = (cx.param("id"), cx.param("key"));
    Fault::not_found(format!("Flavor {id} has no extra specs with key {key}."))
}

async fn change(
    cx: &Context,
    decide: impl FnOnce(&mut Specs) -> Result<(), Fault>,
) -> Result<(), Error> {
    cx.cloud
        .change(|model, _| {
            let mut specs = model.flavor_mut(cx.param("id"))?.extra_specs.clone();
            decide(&mut specs)?;
            model.flavor_mut(cx.param("id"))?.extra_specs = specs;
            Ok::<_, Error>(())
        })
        .await
}
