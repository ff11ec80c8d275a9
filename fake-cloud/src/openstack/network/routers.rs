//! Routers and what they are plugged into.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use super::networks::zone_hints;
use super::subnets::{routes_view, take_routes};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{
    GatewayWanted, InterfaceWanted, Model, NewRouter, Port, Router, RouterId, WantedIp, ZONE,
};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.routers.iter().filter(|router| caller.sees(router.project_id));
    answer(&cx, "routers", visible.map(|router| view(&model, router)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let router = model.router(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "router", view(&model, router)))
}

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, mut wanted: Attributes, now| {
        let changes = Changes::take(&mut wanted, cx)?;
        let router = NewRouter {
            name: wanted.text("name")?.unwrap_or_default(),
            description: wanted.text("description")?.unwrap_or_default(),
            project_id: wanted.project(cx)?,
            gateway: take_gateway(&mut wanted)?.flatten(),
        };
        wanted.finish()?;
        let id = model.create_router(&cx.caller()?, router, now)?;
        if let Some(mut router) = model.routers.get_mut(id) {
            changes.apply(&mut router);
        }
        Ok::<_, Error>(id)
    };
    let undo = |model: &mut Model, id: RouterId| {
        let gateway = model.routers.remove(id).and_then(|router| router.gateway);
        if let Some(gateway) = gateway {
            model.ports.remove(gateway.port_id);
        }
    };
    let shown =
        |model: &Model, id: RouterId| model.routers.get(id).map(|router| view(model, router));
    super::attributes::create(cx, ("router", "routers"), make, undo, shown).await
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "router").await?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let changes = Changes::take(&mut wanted, &cx)?;
    let (name, description) = (wanted.text("name")?, wanted.text("description")?);
    let gateway = take_gateway(&mut wanted)?;
    wanted.finish()?;
    let changed = cx.cloud.change(|model, now| {
        let router = model.router(&caller, id)?;
        check_revision(&cx, &router.standard)?;
        let id = router.id;
        if let Some(gateway) = gateway {
            model.set_gateway(&caller, id, gateway, now)?;
        }
        let missing = || ModelError::not_found(Kind::Router, id);
        let mut router = model.routers.get_mut(id).ok_or_else(missing)?;
        if let Some(name) = name {
            router.name = name;
        }
        changes.apply(&mut router);
        describe(&mut router.standard, description, now);
        drop(router);
        let router = model.routers.get(id).ok_or_else(missing)?;
        Ok::<_, Error>(view(model, router))
    });
    Ok(one(&cx, "router", changed.await?))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let deleted = cx.cloud.change(|model, _| {
        check_revision(&cx, &model.router(&caller, id)?.standard)?;
        Ok::<_, Error>(model.delete_router(&caller, id)?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[derive(Debug, Deserialize)]
struct Interface {
    subnet_id: Option<String>,
    port_id: Option<String>,
}

pub(super) async fn add_interface(mut cx: Context) -> Result<Response, Error> {
    let wanted = read_interface(cx.json().await?)?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let added = cx.cloud.change(|model, now| {
        let port = model.add_interface(&caller, id, wanted, now)?;
        let missing = ModelError::not_found(Kind::Port, port);
        Ok::<_, Error>(model.ports.get(port).ok_or(missing)?.clone())
    });
    Ok(ok(&interface_view(&added.await?, id)))
}

pub(super) async fn remove_interface(mut cx: Context) -> Result<Response, Error> {
    let wanted = read_interface(cx.json().await?)?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let removed = cx
        .cloud
        .change(|model, now| Ok::<_, Error>(model.remove_interface(&caller, id, wanted, now)?));
    Ok(ok(&interface_view(&removed.await?, id)))
}

fn read_interface(wanted: Interface) -> Result<InterfaceWanted, Fault> {
    let bad = |message: &str| {
        Fault::named(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("Bad router request: {message}."),
        )
    };
    let invalid = |id: &str| Fault::bad_request(format!("'{id}' is not a valid UUID."));
    match (wanted.subnet_id, wanted.port_id) {
        (None, None) => Err(bad("Either subnet_id or port_id must be specified")),
        (Some(_), Some(_)) => Err(bad("Cannot specify both subnet-id and port-id")),
        (Some(id), None) => id.parse().map(InterfaceWanted::Subnet).map_err(|_| invalid(&id)),
        (None, Some(id)) => id.parse().map(InterfaceWanted::Port).map_err(|_| invalid(&id)),
    }
}

fn interface_view(port: &Port, router: &str) -> Value {
    let subnets: Vec<_> = port.fixed_ips.iter().map(|fixed| fixed.subnet_id).collect();
    json!({
        "id": router,
        "network_id": port.network_id,
        "port_id": port.id,
        "subnet_id": subnets.first(),
        "subnet_ids": subnets,
        "project_id": port.project_id,
        "tenant_id": port.project_id,
    })
}

#[derive(Debug, Deserialize)]
struct GatewayView {
    network_id: Option<String>,
    enable_snat: Option<bool>,
    external_fixed_ips: Option<Vec<AddressView>>,
    #[serde(rename = "qos_policy_id")]
    _policy: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct AddressView {
    subnet_id: Option<String>,
    ip_address: Option<Ipv4Addr>,
}

/// The way to the outside: not told, none (also as an empty object), or one.
fn take_gateway(wanted: &mut Attributes) -> Result<Option<Option<GatewayWanted>>, Fault> {
    let Some(given) = wanted.take::<Option<GatewayView>>("external_gateway_info")? else {
        return Ok(None);
    };
    let Some((given, network)) =
        given.and_then(|mut given| given.network_id.take().map(|network| (given, network)))
    else {
        return Ok(Some(None));
    };
    let invalid = |id: &str| {
        Fault::bad_request(format!(
            "Invalid input for external_gateway_info. Reason: '{id}' is not a valid UUID."
        ))
    };
    let network_id = network.parse().map_err(|_| invalid(&network))?;
    let place = |wanted: AddressView| {
        let subnet_id = wanted.subnet_id.map(|id| id.parse().map_err(|_| invalid(&id)));
        Ok::<_, Fault>(WantedIp { subnet_id: subnet_id.transpose()?, address: wanted.ip_address })
    };
    let fixed_ips = given.external_fixed_ips.filter(|places| !places.is_empty());
    let fixed_ips = fixed_ips.map(|places| places.into_iter().map(place).collect::<Result<_, _>>());
    let snat = given.enable_snat.unwrap_or(true);
    Ok(Some(Some(GatewayWanted { network_id, fixed_ips: fixed_ips.transpose()?, snat })))
}

/// What is said of a router besides its names and its ways.
#[derive(Debug)]
struct Changes {
    admin_up: Option<bool>,
    routes: Option<Vec<crate::model::HostRoute>>,
    zone_hints: Option<Vec<String>>,
}

impl Changes {
    fn take(wanted: &mut Attributes, cx: &Context) -> Result<Self, Fault> {
        // One machine: no router is spread over several, or in want of a second one.
        for name in ["distributed", "ha"] {
            wanted.reserved(cx, "create_router", name)?;
        }
        Ok(Self {
            admin_up: wanted.truth("admin_state_up")?,
            routes: take_routes(wanted, "routes")?,
            zone_hints: zone_hints(wanted)?,
        })
    }

    fn apply(self, router: &mut Router) {
        router.admin_up = self.admin_up.unwrap_or(router.admin_up);
        if let Some(routes) = self.routes {
            router.routes = routes;
        }
        if let Some(hints) = self.zone_hints {
            router.zone_hints = hints;
        }
    }
}

fn view(model: &Model, router: &Router) -> Value {
    let gateway = router.gateway.map(|gateway| {
        let address = |(subnet, address)| json!({"subnet_id": subnet, "ip_address": address});
        let addresses: Vec<_> =
            model.gateway_addresses(&gateway).into_iter().map(address).collect();
        json!({
            "network_id": gateway.network_id,
            "external_fixed_ips": addresses,
            "enable_snat": gateway.snat,
        })
    });
    let view = json!({
        "id": router.id,
        "name": router.name,
        "tenant_id": router.project_id,
        "project_id": router.project_id,
        "admin_state_up": router.admin_up,
        "status": if router.admin_up { "ACTIVE" } else { "DOWN" },
        "external_gateway_info": gateway,
        "availability_zone_hints": router.zone_hints,
        "availability_zones": [ZONE],
        "distributed": false,
        "ha": false,
        "flavor_id": null,
        "routes": routes_view(&router.routes),
    });
    with_standard(view, &router.standard)
}
