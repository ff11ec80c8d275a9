//! Floating IPs: taken from the pool, led to a port, given back.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::Error;
use super::listing::{list as answer, one};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Caller, FloatingIp, Model, NewFloatingIp, PortId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, json};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.floating_ips.iter().filter(|ip| caller.sees(ip.project_id));
    answer(&cx, "floatingips", visible.map(|ip| view(&model, ip)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let floating = model.floating_ip(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "floatingip", view(&model, floating)))
}

#[derive(Debug, Deserialize)]
struct Create {
    floatingip: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    floating_network_id: String,
    floating_ip_address: Option<Ipv4Addr>,
    port_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Create>().await?.floatingip;
    let (caller, project_id) = (cx.caller()?, cx.project()?);
    let (network_id, port_id) = {
        let model = cx.cloud.read();
        let network = model.network(&wanted.floating_network_id)?.id;
        (network, find_port(&model, &caller, wanted.port_id.as_deref())?)
    };
    let wanted = NewFloatingIp {
        project_id,
        network_id,
        address: wanted.floating_ip_address,
        port_id,
        description: wanted.description.unwrap_or_default(),
    };
    let id = cx.cloud.create_floating_ip(wanted).await?;
    let model = cx.cloud.read();
    let missing = || ModelError::not_found(Kind::FloatingIp, id);
    let floating = model.floating_ips.get(id).ok_or_else(missing)?;
    Ok(json(StatusCode::CREATED, &json!({"floatingip": view(&model, floating)})))
}

#[derive(Debug, Deserialize)]
struct Update {
    floatingip: Changes,
}

#[derive(Debug, Deserialize)]
struct Changes {
    #[serde(default, deserialize_with = "given")]
    port_id: Option<Option<String>>,
    description: Option<String>,
}

/// Tells a field that is `null` from one that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let changes = cx.json::<Update>().await?.floatingip;
    let caller = cx.caller()?;
    let id = cx.param("id");
    // Neutron disassociates when the port is null or not there; a description alone changes
    // nothing else.
    if changes.port_id.is_some() || changes.description.is_none() {
        let port = {
            let model = cx.cloud.read();
            model.floating_ip(&caller, id)?;
            find_port(&model, &caller, changes.port_id.flatten().as_deref())?
        };
        cx.cloud.associate(&caller, id, port).await?;
    }
    if let Some(description) = changes.description {
        let described = cx.cloud.change(|model, now| {
            let id = model.floating_ip(&caller, id)?.id;
            if let Some(floating) = model.floating_ips.get_mut(id) {
                floating.description = description;
                floating.touch(now);
            }
            Ok::<_, Error>(())
        });
        described.await?;
    }
    let model = cx.cloud.read();
    Ok(one(&cx, "floatingip", view(&model, model.floating_ip(&caller, id)?)))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    cx.cloud.delete_floating_ip(&cx.caller()?, cx.param("id")).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn find_port(model: &Model, caller: &Caller, id: Option<&str>) -> Result<Option<PortId>, Fault> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    match model.port(caller, id) {
        Ok(port) => Ok(Some(port.id)),
        Err(_) => Err(Fault::named(
            StatusCode::NOT_FOUND,
            "PortNotFound",
            format!("Port {id} could not be found."),
        )),
    }
}

fn view(model: &Model, floating: &FloatingIp) -> Value {
    let port = floating.port_id.and_then(|port| model.ports.get(port));
    let details = port.map(|port| {
        let bound = port.server_id.is_some();
        json!({
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac,
            "admin_state_up": true,
            "status": if bound { "ACTIVE" } else { "DOWN" },
            "device_id": port.server_id.map(|id| id.to_string()).unwrap_or_default(),
            "device_owner": if bound { "compute:nova" } else { "" },
        })
    });
    json!({
        "id": floating.id,
        "tenant_id": floating.project_id,
        "project_id": floating.project_id,
        "floating_ip_address": floating.address,
        "floating_network_id": floating.network_id,
        "router_id": null,
        "port_id": floating.port_id,
        "fixed_ip_address": port.map(|port| port.address),
        "status": if port.is_some() { "ACTIVE" } else { "DOWN" },
        "description": floating.description,
        "port_details": details,
        "tags": [],
        "created_at": Zulu(floating.created),
        "updated_at": Zulu(floating.updated),
        "revision_number": floating.revision,
    })
}
