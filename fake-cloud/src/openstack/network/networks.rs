//! Networks and their subnets. There are two, both shared by all projects: the private one for
//! servers and the external one for floating IPs.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use super::listing::{list as answer, one};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Model, Network, Subnet};
use crate::openstack::request::Context;
use crate::openstack::response::Zulu;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    answer(&cx, "networks", model.networks.iter().map(|network| view(&model, network)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(one(&cx, "network", view(&model, model.network(cx.param("id"))?)))
}

pub(super) async fn list_subnets(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    answer(&cx, "subnets", model.subnets.iter().map(|subnet| subnet_view(&model, subnet)))
}

pub(super) async fn show_subnet(cx: Context) -> Result<Response, Error> {
    let (model, id) = (cx.cloud.read(), cx.param("id"));
    let subnet = id.parse().ok().and_then(|id| model.subnets.get(id));
    let subnet = subnet.ok_or_else(|| ModelError::not_found(Kind::Subnet, id))?;
    Ok(one(&cx, "subnet", subnet_view(&model, subnet)))
}

/// There are none: the private network reaches the external one by itself.
pub(super) async fn list_routers(cx: Context) -> Result<Response, Error> {
    answer(&cx, "routers", std::iter::empty())
}

fn view(model: &Model, network: &Network) -> Value {
    let subnets: Vec<_> = model.subnet_of(network.id).iter().map(|subnet| subnet.id).collect();
    json!({
        "id": network.id,
        "name": network.name,
        "tenant_id": network.project_id,
        "project_id": network.project_id,
        "admin_state_up": true,
        "mtu": 65535,
        "status": "ACTIVE",
        "subnets": subnets,
        "shared": true,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": null,
        "ipv6_address_scope": null,
        "router:external": network.external,
        "qinq": false,
        "vlan_transparent": false,
        "description": "",
        "port_security_enabled": true,
        "is_default": network.external,
        "tags": [],
        "created_at": Zulu(network.created),
        "updated_at": Zulu(network.created),
        "revision_number": 1,
        "provider:network_type": "local",
        "provider:physical_network": null,
        "provider:segmentation_id": null,
    })
}

fn subnet_view(model: &Model, subnet: &Subnet) -> Value {
    let external = model.networks.get(subnet.network_id).is_some_and(|network| network.external);
    json!({
        "id": subnet.id,
        "name": subnet.name,
        "tenant_id": subnet.project_id,
        "project_id": subnet.project_id,
        "network_id": subnet.network_id,
        "ip_version": 4,
        "cidr": subnet.range.to_string(),
        "gateway_ip": subnet.range.gateway(),
        "allocation_pools": [{"start": subnet.range.first, "end": subnet.range.last}],
        "enable_dhcp": !external,
        "dns_nameservers": [],
        "dns_publish_fixed_ip": false,
        "host_routes": [],
        "ipv6_ra_mode": null,
        "ipv6_address_mode": null,
        "service_types": [],
        "segment_id": null,
        "subnetpool_id": null,
        "router:external": external,
        "description": "",
        "tags": [],
        "created_at": Zulu(subnet.created),
        "updated_at": Zulu(subnet.created),
        "revision_number": 0,
    })
}
