//! Subnets.

use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use crate::model::address::{Block, Pool};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{HostRoute, Model, NetworkId, NewSubnet, Subnet, SubnetChanges, SubnetId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.subnets.iter().filter(|subnet| model.sees_subnet(&caller, subnet));
    answer(&cx, "subnets", visible.map(|subnet| view(&model, subnet)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let subnet = model.subnet(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "subnet", view(&model, subnet)))
}

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, wanted, now| {
        let wanted = read(cx, wanted)?;
        Ok::<_, Error>(model.create_subnet(&cx.caller()?, wanted, now)?)
    };
    let undo = |model: &mut Model, id: SubnetId| drop(model.subnets.remove(id));
    let shown =
        |model: &Model, id: SubnetId| model.subnets.get(id).map(|subnet| view(model, subnet));
    super::attributes::create(cx, ("subnet", "subnets"), make, undo, shown).await
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "subnet").await?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let changes =
        SubnetChanges { gateway: wanted.take("gateway_ip")?, pools: take_pools(&mut wanted)? };
    let (name, description) = (wanted.text("name")?, wanted.text("description")?);
    let dhcp = wanted.truth("enable_dhcp")?;
    let nameservers = take_nameservers(&mut wanted)?;
    let routes = take_routes(&mut wanted, "host_routes")?;
    wanted.take::<bool>("dns_publish_fixed_ip")?;
    wanted.finish()?;
    let changed = cx.cloud.change(|model, now| {
        check_revision(&cx, &model.subnet_to_change(&caller, id)?.standard)?;
        model.change_subnet(&caller, id, changes)?;
        let mut subnet = model.subnet_to_change(&caller, id)?;
        if let Some(name) = name {
            subnet.name = name;
        }
        subnet.dhcp = dhcp.unwrap_or(subnet.dhcp);
        if let Some(nameservers) = nameservers {
            subnet.nameservers = nameservers;
        }
        if let Some(routes) = routes {
            subnet.host_routes = routes;
        }
        describe(&mut subnet.standard, description, now);
        let id = subnet.id;
        drop(subnet);
        let subnet = model.subnets.get(id).ok_or(ModelError::not_found(Kind::Subnet, id))?;
        Ok::<_, Error>(view(model, subnet))
    });
    Ok(one(&cx, "subnet", changed.await?))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let deleted = cx.cloud.change(|model, _| {
        check_revision(&cx, &model.subnet(&caller, id)?.standard)?;
        Ok::<_, Error>(model.delete_subnet(&caller, id)?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn read(cx: &Context, mut wanted: Attributes) -> Result<NewSubnet, Fault> {
    let network = wanted.required::<String>("network_id")?;
    let network_id: NetworkId = network.parse().map_err(|_| not_a("network_id", &network))?;
    match wanted.take::<Value>("ip_version")? {
        None => {}
        Some(version) if version.to_string().trim_matches('"') == "4" => {}
        Some(_) => {
            return Err(Fault::bad_request(
                "Invalid input for ip_version. Reason: this cloud has addresses of version 4 only.",
            ));
        }
    }
    let block = match wanted.text("cidr")? {
        None => None,
        Some(text) => Some(text.parse::<Block>().map_err(|_| {
            Fault::bad_request(format!(
                "Invalid input for cidr. Reason: '{text}' is not a valid IP subnet."
            ))
        })?),
    };
    let pool = wanted.text("subnetpool_id")?.filter(|id| id != "prefix_delegation");
    let pool = pool.map(|id| id.parse().map_err(|_| not_a("subnetpool_id", &id))).transpose()?;
    // A subnet that names neither a block nor a pool is from the default pool, too.
    wanted.truth("use_default_subnetpool")?;
    for name in ["ipv6_ra_mode", "ipv6_address_mode"] {
        if wanted.text(name)?.is_some() {
            return Err(Fault::bad_request(format!(
                "Invalid input for operation: {name} is not valid when ip_version is 4."
            )));
        }
    }
    let subnet = NewSubnet {
        name: wanted.text("name")?.unwrap_or_default(),
        description: wanted.text("description")?.unwrap_or_default(),
        project_id: wanted.project(cx)?,
        network_id,
        block,
        subnet_pool_id: pool,
        prefix: wanted.take::<Option<u8>>("prefixlen")?.flatten(),
        gateway: wanted.take("gateway_ip")?,
        pools: take_pools(&mut wanted)?,
        dhcp: wanted.truth("enable_dhcp")?.unwrap_or(true),
        nameservers: take_nameservers(&mut wanted)?.unwrap_or_default(),
        host_routes: take_routes(&mut wanted, "host_routes")?.unwrap_or_default(),
    };
    wanted.take::<bool>("dns_publish_fixed_ip")?;
    wanted.finish()?;
    Ok(subnet)
}

fn not_a(name: &str, text: &str) -> Fault {
    Fault::bad_request(format!("Invalid input for {name}. Reason: '{text}' is not a valid UUID."))
}

#[derive(Debug, Serialize, Deserialize)]
struct PoolView {
    start: Ipv4Addr,
    end: Ipv4Addr,
}

fn take_pools(wanted: &mut Attributes) -> Result<Option<Vec<Pool>>, Fault> {
    let pools = wanted.take::<Option<Vec<PoolView>>>("allocation_pools")?.flatten();
    let pool = |PoolView { start, end }| Pool { first: start, last: end };
    Ok(pools.map(|pools| pools.into_iter().map(pool).collect()))
}

fn take_nameservers(wanted: &mut Attributes) -> Result<Option<Vec<String>>, Fault> {
    let servers = wanted.take::<Option<Vec<String>>>("dns_nameservers")?.flatten();
    let wrong = |text: &&String| text.parse::<std::net::IpAddr>().is_err();
    match servers.iter().flatten().find(wrong) {
        None => Ok(servers),
        Some(text) => Err(Fault::bad_request(format!(
            "Invalid input for dns_nameservers. Reason: '{text}' is not a valid nameserver."
        ))),
    }
}

#[derive(Debug, Deserialize)]
struct RouteView {
    destination: String,
    nexthop: Ipv4Addr,
}

/// Takes ways to elsewhere.
pub(super) fn take_routes(
    wanted: &mut Attributes,
    name: &str,
) -> Result<Option<Vec<HostRoute>>, Fault> {
    let routes = wanted.take::<Option<Vec<RouteView>>>(name)?.flatten();
    let route = |RouteView { destination, nexthop }| {
        let destination = destination.parse().map_err(|_| {
            Fault::bad_request(format!(
                "Invalid input for {name}. Reason: '{destination}' is not a valid IP subnet."
            ))
        })?;
        Ok(HostRoute { destination, nexthop })
    };
    routes.map(|routes| routes.into_iter().map(route).collect()).transpose()
}

/// Ways to elsewhere as the API shows them.
pub(super) fn routes_view(routes: &[HostRoute]) -> Vec<Value> {
    let view = |route: &HostRoute| json!({"destination": route.destination.to_string(), "nexthop": route.nexthop});
    routes.iter().map(view).collect()
}

fn view(model: &Model, subnet: &Subnet) -> Value {
    let external = model.networks.get(subnet.network_id).is_some_and(|network| network.external);
    let pool = |pool: &Pool| PoolView { start: pool.first, end: pool.last };
    let view = json!({
        "id": subnet.id,
        "name": subnet.name,
        "tenant_id": subnet.project_id,
        "project_id": subnet.project_id,
        "network_id": subnet.network_id,
        "ip_version": 4,
        "cidr": subnet.block.to_string(),
        "gateway_ip": subnet.gateway,
        "allocation_pools": subnet.pools.iter().map(pool).collect::<Vec<_>>(),
        "enable_dhcp": subnet.dhcp,
        "dns_nameservers": subnet.nameservers,
        "dns_publish_fixed_ip": false,
        "host_routes": routes_view(&subnet.host_routes),
        "ipv6_ra_mode": null,
        "ipv6_address_mode": null,
        "service_types": [],
        "segment_id": null,
        "subnetpool_id": subnet.subnet_pool_id,
        "router:external": external,
    });
    with_standard(view, &subnet.standard)
}
