//! Flavors: sizes of servers.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use super::views::Links;
use crate::model::Flavor;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let brief = |flavor: &Flavor| {
        let mut view = json!({"id": flavor.id, "name": flavor.name, "links": links(&cx, flavor)});
        if cx.since(55) {
            view["description"] = Value::Null;
        }
        view
    };
    page(&cx, brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, |flavor| view(&cx, flavor))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&json!({"flavor": view(&cx, model.flavor(cx.param("id"))?)})))
}

pub(super) async fn extra_specs(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&json!({"extra_specs": model.flavor(cx.param("id"))?.extra_specs})))
}

pub(super) async fn extra_spec(cx: Context) -> Result<Response, Error> {
    let (id, key) = (cx.param("id"), cx.param("key"));
    let model = cx.cloud.read();
    let value = model.flavor(id)?.extra_specs.get(key).ok_or_else(|| {
        Fault::not_found(format!("Flavor {id} has no extra specs with key {key}."))
    })?;
    Ok(ok(&json!({key: value})))
}

fn page(cx: &Context, show: impl Fn(&Flavor) -> Value) -> Result<Response, Error> {
    let (min_ram, min_disk) = (cx.parsed_query("minRam")?, cx.parsed_query("minDisk")?);
    let limit = cx.parsed_query("limit")?.unwrap_or(usize::MAX);
    let model = cx.cloud.read();
    let mut flavors: Vec<&Flavor> = model.flavors.iter().collect();
    let start = match cx.query("marker") {
        None => 0,
        Some(marker) => {
            let found = flavors.iter().position(|flavor| flavor.id.to_string() == marker);
            1 + found.ok_or_else(|| Fault::bad_request(format!("marker [{marker}] not found")))?
        }
    };
    flavors.drain(..start);
    let wanted = |flavor: &&&Flavor| {
        min_ram.is_none_or(|min: u64| flavor.ram_mib >= min)
            && min_disk.is_none_or(|min: u64| flavor.disk_gib >= min)
            // All flavors are public.
            && cx.query("is_public").is_none_or(|public| !public.eq_ignore_ascii_case("false"))
    };
    let flavors: Vec<Value> =
        flavors.iter().filter(wanted).take(limit).map(|flavor| show(flavor)).collect();
    Ok(ok(&json!({"flavors": flavors})))
}

fn links(cx: &Context, flavor: &Flavor) -> Value {
    let api_url = &cx.cloud.api_url;
    json!(Links { api_url, collection: "flavors", id: &flavor.id, bookmark_only: false })
}

fn view(cx: &Context, flavor: &Flavor) -> Value {
    let mut view = json!({
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram_mib,
        "disk": flavor.disk_gib,
        "swap": if cx.since(75) { json!(0) } else { json!("") },
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": false,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": true,
        "rxtx_factor": 1.0,
        "links": links(cx, flavor),
    });
    if cx.since(55) {
        view["description"] = Value::Null;
    }
    if cx.since(61) {
        view["extra_specs"] = json!(flavor.extra_specs);
    }
    view
}
