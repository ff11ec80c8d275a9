//! `GET /allocation_candidates`: where a server could go.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::demand::Demand;
use super::host::{Host, TRAITS};
use super::resources::{COUNTED, amount};
use super::{Error, needs};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    needs(&cx, 10)?;
    let demand = Demand::read(cx.all_queries())?;
    if demand.resources.is_empty() {
        let message = "Invalid query string parameters: 'resources' is a required property";
        return Err(Fault::bad_request(message).into());
    }
    let host = Host::of(&cx.cloud);
    let apart = cx.query("group_policy") == Some("isolate")
        && demand.groups.iter().filter(|suffix| !suffix.is_empty()).count() > 1;
    if apart || !demand.fits(&host) {
        return Ok(ok(&json!({"allocation_requests": [], "provider_summaries": {}})));
    }
    let id = Host::id().to_string();
    let allocations = if cx.since(12) {
        json!({&id: {"resources": demand.resources}})
    } else {
        json!([{"resource_provider": {"uuid": id}, "resources": demand.resources}])
    };
    let mut request = json!({"allocations": allocations});
    if cx.since(34) {
        let all = demand.groups.iter().map(|suffix| (suffix.clone(), json!([id])));
        request["mappings"] = Value::Object(all.collect());
    }
    let summary = summary(&cx, &host, &demand);
    Ok(ok(&json!({"allocation_requests": [request], "provider_summaries": {id: summary}})))
}

/// The machine in a few words; before version 1.27 only of what was asked for.
fn summary(cx: &Context, host: &Host, demand: &Demand) -> Value {
    let told = |class: &&&str| cx.since(27) || demand.resources.contains_key(**class);
    let line = |class: &&str| {
        let of = json!({"used": amount(host.used, class), "capacity": host.capacity(class)});
        ((*class).to_owned(), of)
    };
    let resources: Map<String, Value> = COUNTED.iter().filter(told).map(line).collect();
    let mut summary = json!({"resources": resources});
    if cx.since(17) {
        summary["traits"] = json!(TRAITS);
    }
    if cx.since(29) {
        summary["parent_provider_uuid"] = Value::Null;
        summary["root_provider_uuid"] = json!(Host::id());
    }
    summary
}
