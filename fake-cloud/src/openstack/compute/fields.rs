//! Which fields a request may have: Nova refuses others, and those that its version has not yet.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::openstack::errors::Fault;
use crate::openstack::request::Context;

/// A field, and the minor version since which it is there.
pub(super) type Field = (&'static str, u16);

/// Reads what is below a name, and refuses fields that are not there in the request's version.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    cx: &Context,
    name: &str,
    value: Value,
    fields: &[Field],
) -> Result<T, Fault> {
    check(cx, name, &value, fields)?;
    serde_json::from_value(value).map_err(|error| {
        Fault::bad_request(format!("Invalid input for field/attribute {name}. {error}."))
    })
}

/// The object that a request's body has below a name, and nothing beside it.
pub(super) fn below(name: &str, mut body: Map<String, Value>) -> Result<Value, Fault> {
    let value = body.remove(name).ok_or_else(|| missing(name, name))?;
    match body.keys().next() {
        None => Ok(value),
        Some(other) => Err(unexpected(name, other)),
    }
}

/// What is said of a field that must be there.
pub(super) fn missing(name: &str, field: &str) -> Fault {
    Fault::bad_request(format!(
        "Invalid input for field/attribute {name}. '{field}' is a required property"
    ))
}

fn check(cx: &Context, name: &str, value: &Value, fields: &[Field]) -> Result<(), Fault> {
    let Value::Object(object) = value else {
        return Err(Fault::bad_request(format!(
            "Invalid input for field/attribute {name}. Value: {value}. {value} is not of type \
             'object'"
        )));
    };
    let known = |key: &str| fields.iter().any(|(field, since)| *field == key && cx.since(*since));
    match object.keys().find(|key| !known(key)) {
        None => Ok(()),
        Some(key) => Err(unexpected(name, key)),
    }
}

fn unexpected(name: &str, key: &str) -> Fault {
    Fault::named(
        StatusCode::BAD_REQUEST,
        "ValidationError",
        format!(
            "Invalid input for field/attribute {name}. Additional properties are not allowed \
             ('{key}' was unexpected)"
        ),
    )
}
