//! The one machine of this cloud as what servers run on.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use super::services::service_id;
use crate::cloud::capacity;
use crate::model::{HOST, token_id};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    answer(&cx, brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    answer(&cx, full)
}

/// The machine, if the query does not ask for another.
fn answer(cx: &Context, view: fn(&Context) -> Value) -> Result<Response, Error> {
    let mut found = vec![view(cx)];
    if let Some(pattern) = cx.query("hypervisor_hostname_pattern") {
        if !HOST.contains(pattern) {
            let message = format!("No hypervisor matching '{pattern}' could be found.");
            return Err(Fault::not_found(message).into());
        }
    } else if cx.query("marker").is_some() {
        // The next page after the only one.
        found.clear();
    }
    Ok(ok(&json!({"hypervisors": found})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let id = cx.param("id");
    // Before version 2.88 there are words where later an id is.
    if id == "statistics" && !cx.since(88) {
        return Ok(ok(&json!({"hypervisor_statistics": statistics(&cx)})));
    }
    known(&cx)?;
    Ok(ok(&json!({"hypervisor": full(&cx)})))
}

/// Nobody has asked the machine since when it runs.
pub(super) async fn uptime(cx: Context) -> Result<Response, Error> {
    if cx.since(88) {
        return Err(Fault::no_such_path().into());
    }
    known(&cx)?;
    let message = "The requested functionality is not supported.";
    Err(Fault::named(http::StatusCode::NOT_IMPLEMENTED, "HTTPNotImplemented", message).into())
}

/// The older way to look for machines by a part of their names: `/os-hypervisors/fake/search`.
pub(super) async fn search(cx: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"hypervisors": [named(&cx, brief)?]})))
}

/// The older way to ask for the servers of such machines.
pub(super) async fn servers(cx: Context) -> Result<Response, Error> {
    let mut view = named(&cx, brief)?;
    view["servers"] = running(&cx);
    Ok(ok(&json!({"hypervisors": [view]})))
}

fn named(cx: &Context, view: fn(&Context) -> Value) -> Result<Value, Fault> {
    if cx.since(53) {
        return Err(Fault::no_such_path());
    }
    let pattern = cx.param("id");
    if HOST.contains(pattern) {
        return Ok(view(cx));
    }
    Err(Fault::not_found(format!("No hypervisor matching '{pattern}' could be found.")))
}

fn known(cx: &Context) -> Result<(), Fault> {
    let (id, own) = (cx.param("id"), hypervisor_id(cx).to_string());
    if own.trim_matches('"') == id {
        return Ok(());
    }
    Err(Fault::not_found(format!("Hypervisor with ID '{id}' could not be found.")))
}

/// Ids are UUIDs since version 2.53 and numbers before.
fn hypervisor_id(cx: &Context) -> Value {
    if cx.since(53) { json!(token_id(HOST).0) } else { json!(1) }
}

fn running(cx: &Context) -> Value {
    let model = cx.cloud.read();
    let placed = model.servers.iter().filter(|server| server.is_placed());
    let view = |server: &crate::model::Server| {
        let name = server.instance_name();
        json!({"uuid": server.id, "name": name})
    };
    placed.map(view).collect()
}

fn brief(cx: &Context) -> Value {
    let service = cx.cloud.read().compute_service();
    let mut view = json!({
        "id": hypervisor_id(cx),
        "hypervisor_hostname": HOST,
        "state": if service.forced_down { "down" } else { "up" },
        "status": if service.disabled { "disabled" } else { "enabled" },
    });
    let wanted = |text: &str| text.eq_ignore_ascii_case("true");
    if cx.since(53) && cx.query("with_servers").is_some_and(wanted) {
        view["servers"] = running(cx);
    }
    view
}

fn full(cx: &Context) -> Value {
    let mut view = brief(cx);
    let service = cx.cloud.read().compute_service();
    for (key, value) in [
        ("hypervisor_type", json!(HOST)),
        ("hypervisor_version", json!(1000)),
        ("host_ip", json!(host_ip(cx))),
        (
            "service",
            json!({
                "id": service_id(cx, "nova-compute"),
                "host": HOST,
                "disabled_reason": service.disabled_reason,
            }),
        ),
    ] {
        view[key] = value;
    }
    if cx.since(88) {
        view["uptime"] = Value::Null;
        return view;
    }
    let (Value::Object(view_fields), Value::Object(numbers)) = (&mut view, statistics(cx)) else {
        return view;
    };
    view_fields.extend(numbers.into_iter().filter(|(name, _)| name != "count"));
    view["cpu_info"] = if cx.since(28) { json!({}) } else { json!("") };
    view
}

/// What the machine has and what servers take, as was told before version 2.88.
fn statistics(cx: &Context) -> Value {
    let total = capacity(&cx.cloud.state_dir);
    let model = cx.cloud.read();
    let used = model.resources_used();
    json!({
        "count": 1,
        "current_workload": model.servers.iter().filter(|server| server.task.is_some()).count(),
        "running_vms": model.servers.iter().filter(|server| server.is_placed()).count(),
        "vcpus": total.vcpus,
        "vcpus_used": used.vcpus,
        "memory_mb": total.memory_mib,
        "memory_mb_used": used.memory_mib,
        "free_ram_mb": total.memory_mib.saturating_sub(used.memory_mib),
        "local_gb": total.disk_gib,
        "local_gb_used": used.disk_gib,
        "free_disk_gb": total.disk_gib.saturating_sub(used.disk_gib),
        "disk_available_least": total.disk_gib.saturating_sub(used.disk_gib),
    })
}

fn host_ip(cx: &Context) -> String {
    let host = cx.cloud.api_url.trim_start_matches("http://");
    host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned()
}
