//! Floating IPs: taken from the pool, led to a port, given back.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use super::ports::status;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Caller, FloatingIp, Model, NewFloatingIp, Target};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json};

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

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "floatingip").await?;
    let (caller, project_id) = (cx.caller()?, wanted.project(&cx)?);
    let network = wanted.required::<String>("floating_network_id")?;
    let subnet = wanted.text("subnet_id")?;
    let address = wanted.take::<Option<Ipv4Addr>>("floating_ip_address")?.flatten();
    let port = wanted.text("port_id")?;
    let fixed = wanted.take::<Option<Ipv4Addr>>("fixed_ip_address")?.flatten();
    let description = wanted.text("description")?.unwrap_or_default();
    refuse_qos(&mut wanted)?;
    wanted.finish()?;
    let wanted = {
        let model = cx.cloud.read();
        NewFloatingIp {
            project_id,
            network_id: model.network(&caller, &network)?.id,
            subnet_id: subnet.map(|id| model.subnet(&caller, &id).map(|it| it.id)).transpose()?,
            address,
            target: target(&model, &caller, port.as_deref(), fixed)?,
            goes_with_port: false,
            description,
        }
    };
    let id = cx.cloud.create_floating_ip(wanted).await?;
    let model = cx.cloud.read();
    let missing = || ModelError::not_found(Kind::FloatingIp, id);
    let floating = model.floating_ips.get(id).ok_or_else(missing)?;
    Ok(json(StatusCode::CREATED, &json!({"floatingip": view(&model, floating)})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "floatingip").await?;
    let port = wanted.take::<Option<String>>("port_id")?;
    let fixed = wanted.take::<Option<Ipv4Addr>>("fixed_ip_address")?.flatten();
    let description = wanted.text("description")?;
    refuse_qos(&mut wanted)?;
    wanted.finish()?;
    let caller = cx.caller()?;
    let id = cx.param("id");
    check_revision(&cx, &cx.cloud.read().floating_ip(&caller, id)?.standard)?;
    // Neutron disassociates when the port is null or not there; a description alone changes
    // nothing else.
    if port.is_some() || description.is_none() {
        let target = {
            let model = cx.cloud.read();
            target(&model, &caller, port.flatten().as_deref(), fixed)?
        };
        cx.cloud.associate(&caller, id, target).await?;
    }
    if description.is_some() {
        let described = cx.cloud.change(|model, now| {
            let id = model.floating_ip(&caller, id)?.id;
            if let Some(mut floating) = model.floating_ips.get_mut(id) {
                describe(&mut floating.standard, description, now);
            }
            Ok::<_, Error>(())
        });
        described.await?;
    }
    let model = cx.cloud.read();
    Ok(one(&cx, "floatingip", view(&model, model.floating_ip(&caller, id)?)))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    check_revision(&cx, &cx.cloud.read().floating_ip(&caller, id)?.standard)?;
    cx.cloud.delete_floating_ip(&caller, id).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Names and qualities that this cloud does not give are taken when they ask for nothing.
fn refuse_qos(wanted: &mut Attributes) -> Result<(), Fault> {
    for name in ["qos_policy_id", "dns_name", "dns_domain"] {
        if wanted.text(name)?.is_some_and(|text| !text.is_empty()) {
            return Err(Fault::bad_request(format!("Unrecognized attribute(s) '{name}'")));
        }
    }
    Ok(())
}

/// Where a floating IP is asked to lead.
fn target(
    model: &Model,
    caller: &Caller,
    port: Option<&str>,
    fixed_address: Option<Ipv4Addr>,
) -> Result<Option<Target>, Error> {
    match port.filter(|id| !id.is_empty()) {
        Some(id) => Ok(Some(Target { port_id: model.port(caller, id)?.id, fixed_address })),
        None if fixed_address.is_none() => Ok(None),
        None => Err(Fault::named(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.",
        )
        .into()),
    }
}

fn view(model: &Model, floating: &FloatingIp) -> Value {
    let port = floating.port_id.and_then(|port| model.ports.get(port));
    let details = port.map(|port| {
        let (device, owner) = port.device.described();
        json!({
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac,
            "admin_state_up": port.admin_up,
            "status": status(port),
            "device_id": device,
            "device_owner": owner,
        })
    });
    let view = json!({
        "id": floating.id,
        "tenant_id": floating.project_id,
        "project_id": floating.project_id,
        "floating_ip_address": floating.address,
        "floating_network_id": floating.network_id,
        "router_id": floating.router_id,
        "port_id": floating.port_id,
        "fixed_ip_address": floating.fixed_address,
        "status": if port.is_some() { "ACTIVE" } else { "DOWN" },
        "port_details": details,
    });
    with_standard(view, &floating.standard)
}
