//! Availability zones and the one machine in them, as the oldest parts of the API tell of it.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::Error;
use crate::cloud::capacity;
use crate::model::{HOST, ProjectId, Resources};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

pub(super) async fn zones(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let available = !model.compute_service().disabled;
    Ok(ok(&json!({"availabilityZoneInfo": [
        {"zoneName": model.zone(), "zoneState": {"available": available}, "hosts": null}
    ]})))
}

pub(super) async fn zones_detail(cx: Context) -> Result<Response, Error> {
    let now = Micros(cx.cloud.now());
    let model = cx.cloud.read();
    let zone = |name: &str, services: &[&str], service: Value| {
        let services = services.iter().map(|name| ((*name).to_owned(), service.clone()));
        json!({
            "zoneName": name,
            "zoneState": {"available": service["available"]},
            "hosts": {HOST: services.collect::<Map<_, _>>()}
        })
    };
    let up = json!({"available": true, "active": true, "updated_at": now});
    let compute = model.compute_service();
    let runs = json!({
        "available": !compute.forced_down, "active": !compute.disabled, "updated_at": now
    });
    let zones = [
        zone("internal", &["nova-conductor", "nova-scheduler"], up),
        zone(model.zone(), &["nova-compute"], runs),
    ];
    Ok(ok(&json!({"availabilityZoneInfo": zones})))
}

/// Until version 2.42.
pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    needs_old(&cx)?;
    let model = cx.cloud.read();
    let host =
        |service: &str, zone: &str| json!({"host_name": HOST, "service": service, "zone": zone});
    let hosts = [
        host("conductor", "internal"),
        host("scheduler", "internal"),
        host("compute", model.zone()),
    ];
    let wanted = |host: &Value| cx.query("zone").is_none_or(|zone| host["zone"] == zone);
    Ok(ok(&json!({"hosts": hosts.into_iter().filter(wanted).collect::<Vec<_>>()})))
}

/// What the machine has, what servers take of it, and what those of each project take.
pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    needs_old(&cx)?;
    let name = cx.param("host");
    if name != HOST {
        return Err(Fault::not_found(format!("Compute host {name} could not be found.")).into());
    }
    let total = capacity(&cx.cloud.state_dir);
    let model = cx.cloud.read();
    let line = |project: &str, of: Resources| {
        json!({"resource": {
            "host": HOST,
            "project": project,
            "cpu": of.vcpus,
            "memory_mb": of.memory_mib,
            "disk_gb": of.disk_gib,
        }})
    };
    let used = model.resources_used();
    let mut lines =
        vec![line("(total)", total), line("(used_now)", used), line("(used_max)", used)];
    let mut projects: Vec<(ProjectId, Resources)> = Vec::new();
    for server in model.servers.iter() {
        match projects.iter_mut().find(|(id, _)| *id == server.project_id) {
            Some((_, sum)) => *sum = *sum + server.resources(),
            None => projects.push((server.project_id, server.resources())),
        }
    }
    lines.extend(projects.iter().map(|(id, sum)| line(&id.to_string(), *sum)));
    Ok(ok(&json!({"host": lines})))
}

fn needs_old(cx: &Context) -> Result<(), Fault> {
    if cx.since(43) { Err(Fault::no_such_path()) } else { Ok(()) }
}
