//! Flavors: sizes of servers.

mod access;
mod extra_specs;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use access::{access, change_access};
pub(super) use extra_specs::{
    delete as delete_extra_spec, list as extra_specs, set as set_extra_specs,
    set_one as set_extra_spec, show as extra_spec,
};

use super::Error;
use super::create::check_name;
use super::fields::{self, Field};
use super::views::Links;
use crate::model::{Caller, Flavor, NewFlavor};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let brief = |flavor: &Flavor| {
        let mut view =
            json!({"id": flavor.shown_id(), "name": flavor.name, "links": links(&cx, flavor)});
        if cx.since(55) {
            view["description"] = json!(flavor.description);
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
    Ok(ok(&json!({"flavor": view(&cx, model.flavor(&cx.caller()?, cx.param("id"))?)})))
}

const FIELDS: &[Field] = &[
    ("name", 1),
    ("id", 1),
    ("ram", 1),
    ("vcpus", 1),
    ("disk", 1),
    ("OS-FLV-EXT-DATA:ephemeral", 1),
    ("swap", 1),
    ("rxtx_factor", 1),
    ("os-flavor-access:is_public", 1),
    ("description", 55),
];

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    id: Option<Value>,
    ram: Value,
    vcpus: Value,
    disk: Value,
    #[serde(rename = "OS-FLV-EXT-DATA:ephemeral")]
    ephemeral: Option<Value>,
    swap: Option<Value>,
    #[serde(rename = "os-flavor-access:is_public")]
    public: Option<Value>,
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let wanted: Wanted = fields::read(&cx, "flavor", fields::below("flavor", body)?, FIELDS)?;
    let id = match &wanted.id {
        None | Some(Value::Null) => None,
        Some(Value::String(word)) if word == "auto" => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(other) => Some(other.to_string()),
    };
    let new = NewFlavor {
        id,
        name: check_name(&wanted.name)?,
        description: wanted.description,
        vcpus: u32::try_from(number("vcpus", &wanted.vcpus, 1)?)
            .map_err(|_| invalid("vcpus", &wanted.vcpus))?,
        ram_mib: number("ram", &wanted.ram, 1)?,
        disk_gib: number("disk", &wanted.disk, 0)?,
        ephemeral_gib: optional("OS-FLV-EXT-DATA:ephemeral", wanted.ephemeral.as_ref())?,
        swap_mib: optional("swap", wanted.swap.as_ref())?,
        private: wanted.public.as_ref().is_some_and(is_false),
    };
    let id = cx.cloud.change(|model, _| Ok::<_, Error>(model.create_flavor(new)?)).await?;
    let model = cx.cloud.read();
    let made = model.flavors.get(id).ok_or_else(Fault::no_such_path)?;
    Ok(ok(&json!({"flavor": view(&cx, made)})))
}

#[derive(Debug, Deserialize)]
struct Changes {
    description: Option<String>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    if !cx.since(55) {
        return Err(Fault::no_such_path().into());
    }
    let body: Map<String, Value> = cx.json().await?;
    let changes = fields::below("flavor", body)?;
    let changes: Changes = fields::read(&cx, "flavor", changes, &[("description", 55)])?;
    let changed = cx.cloud.change(|model, _| {
        let mut flavor = model.flavor_mut(cx.param("id"))?;
        flavor.description = changes.description;
        Ok::<_, Error>(flavor.clone())
    });
    let changed = changed.await?;
    Ok(ok(&json!({"flavor": view(&cx, &changed)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_flavor(cx.param("id"))?)).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

fn invalid(name: &str, value: &Value) -> Fault {
    Fault::bad_request(format!("Invalid input for field/attribute {name}. Value: {value}."))
}

/// Sizes are sent as numbers and as text; no machine is larger than the limit.
fn number(name: &str, value: &Value, least: u64) -> Result<u64, Fault> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    };
    let valid = least..=0x7fff_ffff;
    number.filter(|number| valid.contains(number)).ok_or_else(|| invalid(name, value))
}

fn optional(name: &str, value: Option<&Value>) -> Result<u64, Fault> {
    match value {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(text)) if text.is_empty() => Ok(0),
        Some(value) => number(name, value, 0),
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => !yes,
        Value::String(text) => matches!(text.to_lowercase().as_str(), "false" | "0" | "no" | "off"),
        _ => false,
    }
}

/// Which of the flavors a list shows: the public ones, the private ones, or both.
fn wanted(cx: &Context, caller: Caller) -> impl Fn(&Flavor) -> bool + use<> {
    let asked = cx.query("is_public").map(str::to_lowercase);
    let public = match asked.as_deref() {
        // Who is no administrator is shown what they may use, and nothing else.
        _ if !caller.is_admin => None,
        None => Some(true),
        Some("none") => None,
        Some(word) => Some(!matches!(word, "false" | "f" | "0" | "no" | "off")),
    };
    move |flavor| {
        flavor.visible_to(&caller)
            && public.is_none_or(|public| public == flavor.private_to.is_none())
    }
}

fn page(cx: &Context, show: impl Fn(&Flavor) -> Value) -> Result<Response, Error> {
    let (min_ram, min_disk) = (cx.parsed_query("minRam")?, cx.parsed_query("minDisk")?);
    let limit = cx.parsed_query("limit")?.unwrap_or(usize::MAX);
    let seen = wanted(cx, cx.caller()?);
    let model = cx.cloud.read();
    let mut flavors: Vec<&Flavor> = model.flavors.iter().filter(|flavor| seen(flavor)).collect();
    let start = match cx.query("marker") {
        None => 0,
        Some(marker) => {
            let found = flavors.iter().position(|flavor| flavor.shown_id() == marker);
            1 + found.ok_or_else(|| Fault::bad_request(format!("marker [{marker}] not found")))?
        }
    };
    flavors.drain(..start);
    let large = |flavor: &&&Flavor| {
        min_ram.is_none_or(|min: u64| flavor.ram_mib >= min)
            && min_disk.is_none_or(|min: u64| flavor.disk_gib >= min)
    };
    let flavors: Vec<Value> =
        flavors.iter().filter(large).take(limit).map(|flavor| show(flavor)).collect();
    Ok(ok(&json!({"flavors": flavors})))
}

fn links(cx: &Context, flavor: &Flavor) -> Value {
    let (api_url, id) = (&cx.cloud.api_url, flavor.shown_id());
    json!(Links { api_url, collection: "flavors", id: &id, bookmark_only: false })
}

fn view(cx: &Context, flavor: &Flavor) -> Value {
    let swap = match flavor.swap_mib {
        0 if !cx.since(75) => json!(""),
        mib => json!(mib),
    };
    let mut view = json!({
        "id": flavor.shown_id(),
        "name": flavor.name,
        "ram": flavor.ram_mib,
        "disk": flavor.disk_gib,
        "swap": swap,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gib,
        "OS-FLV-DISABLED:disabled": false,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.private_to.is_none(),
        "rxtx_factor": 1.0,
        "links": links(cx, flavor),
    });
    if cx.since(55) {
        view["description"] = json!(flavor.description);
    }
    if cx.since(61) {
        view["extra_specs"] = json!(flavor.extra_specs);
    }
    view
}
