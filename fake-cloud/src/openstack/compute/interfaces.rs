//! Interfaces of servers.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::cloud::Failure;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{AttachPlug, FixedIp, Port};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let views: Vec<_> = model.ports_of(server).map(|port| view(&cx, port)).collect();
    Ok(ok(&json!({"interfaceAttachments": views})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let (id, port) = (cx.param("id"), cx.param("port"));
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, id)?;
    let found = model.interface(server, port).ok().and_then(|port| model.ports.get(port));
    let found = found.ok_or_else(|| {
        Fault::not_found(format!("Instance {id} does not have a port with id {port}"))
    })?;
    Ok(ok(&json!({"interfaceAttachment": view(&cx, found)})))
}

const FIELDS: &[fields::Field] = &[("net_id", 1), ("port_id", 1), ("fixed_ips", 1), ("tag", 49)];

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    net_id: Option<String>,
    port_id: Option<String>,
    #[serde(default)]
    fixed_ips: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    ip_address: Ipv4Addr,
}

pub(super) async fn attach(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let wanted: Wanted = match body.is_empty() {
        true => Wanted::default(),
        false => {
            let wanted = fields::below("interfaceAttachment", body)?;
            fields::read(&cx, "interfaceAttachment", wanted, FIELDS)?
        }
    };
    if wanted.net_id.is_some() && wanted.port_id.is_some() {
        return Err(Fault::bad_request("Must not input both network_id and port_id").into());
    }
    let address = wanted.fixed_ips.first().map(|it| it.ip_address);
    if address.is_some() && wanted.net_id.is_none() {
        return Err(Fault::bad_request("Must input network_id when request IP address").into());
    }
    let plug = AttachPlug { network: wanted.net_id, address, port: wanted.port_id };
    let caller = cx.caller()?;
    let attached = cx.cloud.attach_interface(&caller, cx.param("id"), &plug, &cx.request_id).await;
    let port = attached.map_err(|failure| match failure {
        Failure::Refused(error @ ModelError::NoAddress(_)) => {
            Fault::bad_request(error.to_string()).into()
        }
        Failure::Refused(error) => Error::from(in_novas_words(error)),
        other => other.into(),
    })?;
    let port = cx.cloud.read().ports.get(port).map(|port| view(&cx, port));
    Ok(ok(&json!({"interfaceAttachment": port})))
}

pub(super) async fn detach(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let (id, port, request) = (cx.param("id"), cx.param("port"), cx.request_id.as_str());
    let detached = cx.cloud.detach_interface(&caller, id, port, request).await;
    detached.map_err(|failure| match failure {
        Failure::Refused(error) => Error::from(in_novas_words(error)),
        other => other.into(),
    })?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// Nova tells of what it misses in the network in sentences of its own.
fn in_novas_words(error: ModelError) -> Fault {
    match error {
        ModelError::NotFound { kind: Kind::Port, id } => {
            Fault::not_found(format!("Port id {id} could not be found."))
        }
        ModelError::NotFound { kind: Kind::Network, id } => {
            Fault::not_found(format!("Network {id} could not be found."))
        }
        other => crate::openstack::errors::nova(other),
    }
}

fn view(cx: &Context, port: &Port) -> Value {
    let fixed =
        |fixed: &FixedIp| json!({"subnet_id": fixed.subnet_id, "ip_address": fixed.address});
    let mut view = json!({
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": "ACTIVE",
        "fixed_ips": port.fixed_ips.iter().map(fixed).collect::<Vec<_>>(),
    });
    if cx.since(70) {
        view["tag"] = Value::Null;
    }
    view
}
