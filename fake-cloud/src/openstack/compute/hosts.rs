//! The one machine of this cloud, as its administrator sees it.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::model::{HOST, ZONE, token_id};
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

pub(super) async fn zones(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"availabilityZoneInfo": [
        {"zoneName": ZONE, "zoneState": {"available": true}, "hosts": null}
    ]})))
}

pub(super) async fn zones_detail(cx: Context) -> Result<Response, Error> {
    let now = Micros(cx.cloud.now());
    let service = json!({"available": true, "active": true, "updated_at": now});
    let zone = |name: &str, service_name: &str| {
        json!({
            "zoneName": name,
            "zoneState": {"available": true},
            "hosts": {HOST: {service_name: service}}
        })
    };
    let zones = [zone("internal", "nova-conductor"), zone(ZONE, "nova-compute")];
    Ok(ok(&json!({"availabilityZoneInfo": zones})))
}

pub(super) async fn hypervisors(cx: Context) -> Result<Response, Error> {
    let view = json!({
        "id": hypervisor_id(&cx), "hypervisor_hostname": HOST, "state": "up", "status": "enabled"
    });
    Ok(ok(&json!({"hypervisors": [view]})))
}

pub(super) async fn hypervisors_detail(cx: Context) -> Result<Response, Error> {
    let (service, host_ip) = (service_id(&cx, "nova-compute"), host_ip(&cx));
    let mut view = json!({
        "id": hypervisor_id(&cx),
        "hypervisor_hostname": HOST,
        "state": "up",
        "status": "enabled",
        "hypervisor_type": "fake-cloud",
        "hypervisor_version": 1000,
        "host_ip": host_ip,
        "service": {"id": service, "host": HOST, "disabled_reason": null},
    });
    if cx.since(88) {
        view["uptime"] = Value::Null;
    } else {
        let model = cx.cloud.read();
        let flavors = model.servers.iter().map(|server| &server.flavor);
        let (vcpus, ram, disk) = flavors.fold((0, 0, 0), |(vcpus, ram, disk), flavor| {
            (vcpus + flavor.vcpus, ram + flavor.ram_mib, disk + flavor.disk_gib)
        });
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        for (key, value) in [
            ("running_vms", json!(model.servers.len())),
            ("vcpus", json!(cpus)),
            ("vcpus_used", json!(vcpus)),
            ("memory_mb_used", json!(ram)),
            ("local_gb_used", json!(disk)),
            ("current_workload", json!(0)),
            ("cpu_info", if cx.since(28) { json!({}) } else { json!("") }),
        ] {
            view[key] = value;
        }
    }
    Ok(ok(&json!({"hypervisors": [view]})))
}

pub(super) async fn services(cx: Context) -> Result<Response, Error> {
    let now = Micros(cx.cloud.now());
    let view = |(binary, zone): (&str, &str)| {
        json!({
            "id": service_id(&cx, binary),
            "binary": binary,
            "host": HOST,
            "zone": zone,
            "status": "enabled",
            "state": "up",
            "updated_at": now,
            "disabled_reason": null,
            "forced_down": false,
        })
    };
    let services = [("nova-conductor", "internal"), ("nova-compute", ZONE)].map(view);
    Ok(ok(&json!({"services": services})))
}

/// There is one machine: nothing moves.
pub(super) async fn migrations(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"migrations": []})))
}

/// Nobody has grouped the one machine.
pub(super) async fn aggregates(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"aggregates": []})))
}

/// Ids are UUIDs since version 2.53 and numbers before.
fn hypervisor_id(cx: &Context) -> Value {
    if cx.since(53) { json!(token_id(HOST).0) } else { json!(1) }
}

fn service_id(cx: &Context, binary: &str) -> Value {
    if cx.since(53) { json!(token_id(binary).0) } else { json!(binary.len()) }
}

fn host_ip(cx: &Context) -> String {
    let host = cx.cloud.api_url.trim_start_matches("http://");
    host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned()
}
