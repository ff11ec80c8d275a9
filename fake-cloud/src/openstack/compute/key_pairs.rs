//! Key pairs: public keys that open servers.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use crate::model::KeyPair;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, json, ok};

#[derive(Debug, Deserialize)]
struct Body {
    keypair: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    public_key: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let user = cx.caller()?.user_id;
    let model = cx.cloud.read();
    let own = model.key_pairs.iter().filter(|key| key.user_id == user);
    let keys: Vec<Value> = own.map(|key| json!({"keypair": brief(&cx, key)})).collect();
    Ok(ok(&json!({"keypairs": keys})))
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.keypair;
    let caller = cx.caller()?;
    check_name(&wanted.name)?;
    if wanted.kind.as_deref().is_some_and(|kind| kind != "ssh") {
        return Err(
            Fault::bad_request("Keypair data is invalid: only keys of type ssh are kept").into()
        );
    }
    let Some(public_key) = wanted.public_key else {
        return Err(Fault::bad_request(
            "Keypair data is invalid: 'public_key' is a required property; this cloud makes no keys",
        )
        .into());
    };
    let key = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.create_key_pair(&caller, &wanted.name, &public_key, now)?)
    });
    let key = key.await?;
    let mut view = brief(&cx, &key);
    view["user_id"] = json!(key.user_id);
    let status = if cx.since(2) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &json!({"keypair": view})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let key = model.key_pair(cx.caller()?.user_id, cx.param("name"))?;
    let mut view = brief(&cx, key);
    view["user_id"] = json!(key.user_id);
    view["id"] = json!(1);
    view["created_at"] = json!(Micros(key.created));
    view["updated_at"] = Value::Null;
    view["deleted"] = json!(false);
    view["deleted_at"] = Value::Null;
    Ok(ok(&json!({"keypair": view})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let user = cx.caller()?.user_id;
    cx.cloud
        .change(|model, _| Ok::<_, Error>(model.delete_key_pair(user, cx.param("name"))?))
        .await?;
    Ok(empty(if cx.since(2) { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED }))
}

fn brief(cx: &Context, key: &KeyPair) -> Value {
    let mut view = json!({
        "name": key.name, "public_key": key.public_key, "fingerprint": key.fingerprint
    });
    if cx.since(2) {
        view["type"] = json!("ssh");
    }
    view
}

fn check_name(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " @._-".contains(c);
    if !name.is_empty() && name.len() <= 255 && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(Fault::bad_request(
            "Keypair data is invalid: Keypair name contains unsafe characters, or has not 1 to 255",
        ))
    }
}
