//! The documents by which clients find out what this Nova speaks.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"versions": [version(&cx.cloud.api_url)]})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let mut version = version(&cx.cloud.api_url);
    version["media-types"] = json!([{
        "base": "application/json",
        "type": "application/vnd.openstack.compute+json;version=2.1"
    }]);
    Ok(ok(&json!({"version": version})))
}

fn version(api_url: &str) -> Value {
    json!({
        "id": "v2.1",
        "status": "CURRENT",
        "version": Microversion::MAX.to_string(),
        "min_version": Microversion::MIN.to_string(),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": format!("{api_url}/compute/v2.1/")}]
    })
}
