//! The resource provider, and what it has and gives.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::demand::Demand;
use super::host::{Host, TRAITS};
use super::resources::{allocated, amounts};
use super::{Error, needs};
use crate::model::HOST;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let host = Host::of(&cx.cloud);
    let id = Host::id().to_string();
    let is = |name: &str, value: &str| cx.query(name).is_none_or(|wanted| wanted == value);
    let chosen = is("name", HOST)
        && is("uuid", &id)
        && is("in_tree", &id)
        && cx.query("member_of").is_none()
        && Demand::read(cx.all_queries())?.fits(&host);
    let found: Vec<_> = chosen.then(|| view(&cx, &host)).into_iter().collect();
    Ok(ok(&json!({"resource_providers": found})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let host = known(&cx)?;
    Ok(ok(&view(&cx, &host)))
}

pub(super) async fn inventories(cx: Context) -> Result<Response, Error> {
    let host = known(&cx)?;
    Ok(ok(&json!({
        "inventories": host.inventories(), "resource_provider_generation": host.generation
    })))
}

pub(super) async fn inventory(cx: Context) -> Result<Response, Error> {
    let (host, class) = (known(&cx)?, cx.param("class"));
    let mut inventory = host.inventory(class).ok_or_else(|| {
        Fault::not_found(format!("No inventory of class {class} for {}", Host::id()))
    })?;
    inventory["resource_provider_generation"] = json!(host.generation);
    Ok(ok(&inventory))
}

pub(super) async fn usages(cx: Context) -> Result<Response, Error> {
    let host = known(&cx)?;
    Ok(ok(&json!({
        "usages": amounts(host.used), "resource_provider_generation": host.generation
    })))
}

/// Those that the machine is in, by the ids that Nova gives them here.
pub(super) async fn aggregates(cx: Context) -> Result<Response, Error> {
    needs(&cx, 1)?;
    let host = known(&cx)?;
    let model = cx.cloud.read();
    let ids: Vec<_> = model.aggregates_of_host().map(|aggregate| aggregate.id).collect();
    let mut answer = json!({"aggregates": ids});
    if cx.since(19) {
        answer["resource_provider_generation"] = json!(host.generation);
    }
    Ok(ok(&answer))
}

pub(super) async fn traits(cx: Context) -> Result<Response, Error> {
    needs(&cx, 6)?;
    let host = known(&cx)?;
    Ok(ok(&json!({"traits": TRAITS, "resource_provider_generation": host.generation})))
}

/// What each server takes.
pub(super) async fn allocations(cx: Context) -> Result<Response, Error> {
    let host = known(&cx)?;
    let model = cx.cloud.read();
    let of = |server: &crate::model::Server| {
        let resources = allocated(server.resources());
        let mut taken = json!({"resources": resources});
        if cx.since(28) {
            taken["consumer_generation"] = json!(1);
        }
        (!resources.is_empty()).then(|| (server.id.to_string(), taken))
    };
    let allocations: Map<String, Value> = model.servers.iter().filter_map(of).collect();
    Ok(ok(&json!({
        "allocations": allocations, "resource_provider_generation": host.generation
    })))
}

/// The provider, if the path names it.
fn known(cx: &Context) -> Result<Host, Fault> {
    let id = cx.param("uuid");
    if id == Host::id().to_string() {
        return Ok(Host::of(&cx.cloud));
    }
    Err(Fault::not_found(format!("No resource provider with uuid {id} found")))
}

fn view(cx: &Context, host: &Host) -> Value {
    let own = format!("/placement/resource_providers/{}", Host::id());
    let parts =
        [("inventories", 0), ("usages", 0), ("aggregates", 1), ("traits", 6), ("allocations", 11)];
    let part = |name: &str| json!({"rel": name, "href": format!("{own}/{name}")});
    let parts = parts.iter().filter(|(_, since)| cx.since(*since)).map(|(name, _)| part(name));
    let links: Vec<_> = std::iter::once(json!({"rel": "self", "href": own})).chain(parts).collect();
    let mut view = json!({
        "uuid": Host::id(), "name": HOST, "generation": host.generation, "links": links
    });
    if cx.since(14) {
        view["parent_provider_uuid"] = Value::Null;
        view["root_provider_uuid"] = json!(Host::id());
    }
    view
}
