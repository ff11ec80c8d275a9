//! Floating IPs and networks as Nova's older API shows them; gone since version 2.36.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use crate::model::{FloatingIp, Model, Network, NewFloatingIp, Port};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn pools(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let pools = model.networks.iter().filter(|network| network.external);
    let pools: Vec<Value> = pools.map(|network| json!({"name": network.name})).collect();
    Ok(ok(&json!({"floating_ip_pools": pools})))
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let project = cx.project()?;
    let model = cx.cloud.read();
    let own = model.floating_ips.iter().filter(|ip| ip.project_id == project);
    let views: Vec<Value> = own.map(|ip| view(&model, ip)).collect();
    Ok(ok(&json!({"floating_ips": views})))
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    pool: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let wanted: Option<Wanted> = cx.json().await?;
    let pool = wanted.unwrap_or_default().pool;
    let project_id = cx.project()?;
    let missing = |_| Fault::not_found("Floating IP pool not found.");
    let network_id = cx.cloud.read().floating_pool(pool.as_deref()).map_err(missing)?.id;
    let wanted = NewFloatingIp::from_pool(network_id, project_id);
    let id = cx.cloud.create_floating_ip(wanted).await?;
    let model = cx.cloud.read();
    let floating = model.floating_ips.get(id).ok_or_else(Fault::no_such_path)?;
    Ok(ok(&json!({"floating_ip": view(&model, floating)})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let floating = model.floating_ip(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"floating_ip": view(&model, floating)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    cx.cloud.delete_floating_ip(&cx.caller()?, cx.param("id")).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// The fields of nova-network, which knew all of them; today only id and name have a meaning.
const NETWORK_FIELDS: [&str; 28] = [
    "cidr",
    "netmask",
    "gateway",
    "broadcast",
    "dns1",
    "dns2",
    "cidr_v6",
    "gateway_v6",
    "netmask_v6",
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted",
    "injected",
    "bridge",
    "vlan",
    "vpn_public_address",
    "vpn_public_port",
    "vpn_private_address",
    "dhcp_start",
    "project_id",
    "host",
    "bridge_interface",
    "multi_host",
    "priority",
    "rxtx_base",
    "mtu",
    "dhcp_server",
];

pub(super) async fn networks(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let view = |network: &Network| {
        let mut view = json!({"id": network.id, "label": network.name});
        for field in NETWORK_FIELDS.into_iter().chain(["enable_dhcp", "share_address"]) {
            view[field] = Value::Null;
        }
        view
    };
    let networks = model.networks.iter().filter(|network| network.visible_to(&caller));
    let networks: Vec<Value> = networks.map(view).collect();
    Ok(ok(&json!({"networks": networks})))
}

/// Networks as users who were no administrators saw them.
pub(super) async fn tenant_networks(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let networks = model.networks.iter().filter(|network| network.visible_to(&caller));
    let networks: Vec<Value> = networks.map(tenant_view).collect();
    Ok(ok(&json!({"networks": networks})))
}

pub(super) async fn tenant_network(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let found = model.network(&cx.caller()?, cx.param("id"));
    let network = found.map_err(|_| Fault::not_found("Network not found"))?;
    Ok(ok(&json!({"network": tenant_view(network)})))
}

fn tenant_view(network: &Network) -> Value {
    json!({"id": network.id, "cidr": "None", "label": network.name})
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

fn view(model: &Model, floating: &FloatingIp) -> Value {
    let port = floating.port_id.and_then(|port| model.ports.get(port));
    let pool = model.networks.get(floating.network_id).map(|network| &network.name);
    json!({
        "id": floating.id,
        "ip": floating.address,
        "pool": pool,
        "fixed_ip": floating.fixed_address,
        "instance_id": port.and_then(Port::server_id),
    })
}
