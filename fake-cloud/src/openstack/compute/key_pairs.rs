//! Key pairs: public keys that open servers, each of one user.

use std::str::FromStr;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::fields::{self, Field};
use crate::cloud::chain;
use crate::key_material::{self, Algorithm};
use crate::model::{Caller, KeyPair, Model, UserId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, json, ok};

/// The longest page.
const PAGE_MAX: usize = 1000;

const FIELDS: &[Field] = &[("name", 1), ("public_key", 1), ("type", 2), ("user_id", 10)];

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    #[serde(default, deserialize_with = "present")]
    public_key: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    user_id: Option<String>,
}

/// What may be left out, but not be `null`.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    String::deserialize(value).map(Some)
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let user = owner(&cx, "index", asked_user(&cx))?.map(|caller| caller.user_id);
    let model = cx.cloud.read();
    let mut own: Vec<&KeyPair> =
        model.key_pairs.iter().filter(|key| Some(key.user_id) == user).collect();
    own.sort_by(|a, b| a.name.cmp(&b.name));
    let mut answer = Map::new();
    if cx.since(35) {
        let limit: Option<usize> = cx.parsed_query("limit")?;
        let limit = limit.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        if let Some(marker) = cx.query("marker") {
            let place = own.iter().position(|key| key.name == marker).ok_or_else(|| {
                Fault::bad_request(format!("Marker {marker} could not be found."))
            })?;
            own.drain(..=place);
        }
        if let Some(last) = own.get(..limit).filter(|_| own.len() > limit).and_then(<[_]>::last) {
            answer.insert("keypairs_links".to_owned(), next(&cx, limit, &last.name));
        }
        own.truncate(limit);
    }
    let keys: Vec<Value> = own.iter().map(|key| json!({"keypair": brief(&cx, key)})).collect();
    answer.insert("keypairs".to_owned(), json!(keys));
    Ok(ok(&answer))
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let wanted = fields::below("keypair", body)?;
    let wanted: Wanted = fields::read(&cx, "keypair", wanted, FIELDS)?;
    check_name(&wanted.name)?;
    if wanted.kind.as_deref().is_some_and(|kind| kind != "ssh") {
        return Err(
            Fault::bad_request("Keypair data is invalid: only keys of type ssh are kept").into()
        );
    }
    if wanted.public_key.is_none() && cx.since(92) {
        return Err(Fault::bad_request(
            "Invalid input for field/attribute keypair. 'public_key' is a required property",
        )
        .into());
    }
    let caller = owner(&cx, "create", wanted.user_id.as_deref())?
        .ok_or_else(|| Fault::bad_request("Invalid input for field/attribute user_id."))?;
    let (public, private) = match wanted.public_key {
        Some(public) => (public, None),
        None => {
            // No need to make one in vain.
            cx.cloud.read().check_new_key_pair(&caller, &wanted.name)?;
            let made = key_material::generate(Algorithm::Rsa).await.map_err(|error| {
                tracing::error!(error = chain(&error), "failed to make a key pair");
                Fault::internal()
            })?;
            (format!("{} Generated-by-Nova", made.public), Some(made))
        }
    };
    let digest = private.as_ref().and_then(|made| made.private_digest.clone());
    let key = cx.cloud.change(|model, now| {
        let mut key = model.create_key_pair(&caller, &wanted.name, &public, now)?;
        if digest.is_some() {
            key.private_digest = digest;
            model.key_pairs.insert(key.clone());
        }
        Ok::<_, Error>(key)
    });
    let key = key.await?;
    let mut view = brief(&cx, &key);
    view["user_id"] = json!(key.user_id);
    if let Some(made) = private {
        view["private_key"] = json!(made.private);
    }
    let status = if cx.since(2) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &json!({"keypair": view})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let user = owner(&cx, "show", asked_user(&cx))?;
    let model = cx.cloud.read();
    let key = find(&cx, &model, user.as_ref())?;
    let mut view = brief(&cx, key);
    view["user_id"] = json!(key.user_id);
    // Nova numbers them. No number is kept here; one that follows from the id serves as well.
    view["id"] = json!(key.id.0.as_fields().0 >> 1);
    view["created_at"] = json!(Micros(key.created));
    view["updated_at"] = Value::Null;
    view["deleted"] = json!(false);
    view["deleted_at"] = Value::Null;
    Ok(ok(&json!({"keypair": view})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let user = owner(&cx, "delete", asked_user(&cx))?;
    cx.cloud
        .change(|model, _| {
            let id = find(&cx, model, user.as_ref())?.id;
            model.key_pairs.remove(id);
            Ok::<_, Error>(())
        })
        .await?;
    Ok(empty(if cx.since(2) { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED }))
}

/// The user that the query names, since version 2.10.
fn asked_user(cx: &Context) -> Option<&str> {
    cx.query("user_id").filter(|_| cx.since(10))
}

/// The caller as the user whose key pairs are meant, which only the administrator may say;
/// nobody when there cannot be such a user.
fn owner(cx: &Context, verb: &str, asked: Option<&str>) -> Result<Option<Caller>, Fault> {
    let caller = cx.caller()?;
    let Some(asked) = asked else { return Ok(Some(caller)) };
    let user = UserId::from_str(asked).ok();
    if user != Some(caller.user_id) && !caller.is_admin {
        return Err(Fault::forbidden(format!(
            "Policy doesn't allow os_compute_api:os-keypairs:{verb} to be performed."
        )));
    }
    Ok(user.map(|user_id| Caller { user_id, ..caller }))
}

fn find<'a>(cx: &Context, model: &'a Model, owner: Option<&Caller>) -> Result<&'a KeyPair, Fault> {
    let name = cx.param("name");
    let found = owner.and_then(|owner| model.key_pair(owner.user_id, name).ok());
    found.ok_or_else(|| {
        let user = owner.map(|owner| owner.user_id.to_string()).unwrap_or_default();
        Fault::not_found(format!("Keypair {name} not found for user {user}"))
    })
}

fn next(cx: &Context, limit: usize, last: &str) -> Value {
    let marker = crate::query::encode(last);
    let href =
        format!("{}/compute/v2.1/os-keypairs?limit={limit}&marker={marker}", cx.cloud.api_url);
    json!([{"rel": "next", "href": href}])
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
    if name.is_empty() || name.len() > 255 {
        return Err(Fault::bad_request(
            "Keypair data is invalid: Keypair name must be string and between 1 and 255 \
             characters long",
        ));
    }
    if !name.chars().all(allowed) {
        return Err(Fault::bad_request(
            "Keypair data is invalid: Keypair name contains unsafe characters",
        ));
    }
    Ok(())
}
