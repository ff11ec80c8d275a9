//! How a server is, in numbers, for the administrator.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::backends::Usage;
use crate::model::life::State;
use crate::model::{HOST, Server};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let id = cx.cloud.read().server(&cx.caller()?, cx.param("id"))?.id;
    let usage = cx.cloud.backend.usage(id.0).await;
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let state = match server.state {
        State::Active | State::Resized if server.power_state() == 1 => "running",
        State::Paused => "paused",
        other => {
            return Err(Fault::named(
                http::StatusCode::CONFLICT,
                "Conflict",
                format!(
                    "Cannot 'get_diagnostics' instance {id} while it is in vm_state {}",
                    other.vm_state()
                ),
            )
            .into());
        }
    };
    let disks = 1 + model.volumes_of(server.id).count();
    let macs: Vec<_> = model.ports_of(server).map(|port| port.mac.as_str()).collect();
    let numbers = Numbers { state, disks, macs: &macs, usage };
    Ok(ok(&if cx.since(48) { modern(&cx, server, &numbers) } else { older(server, usage) }))
}

/// What there is to tell beside the server itself.
struct Numbers<'a> {
    state: &'a str,
    disks: usize,
    macs: &'a [&'a str],
    usage: Usage,
}

/// The form that is the same for whatever runs servers, since version 2.48. What nobody measures
/// is `null`.
fn modern(cx: &Context, server: &Server, numbers: &Numbers<'_>) -> Value {
    let Numbers { state, disks, macs, usage } = numbers;
    let uptime = server.launched.map(|since| (cx.cloud.now() - since).whole_seconds());
    let nic = |mac: &&str| {
        let mut nic = json!({"mac_address": mac});
        for name in ["rx_octets", "rx_errors", "rx_drop", "rx_packets", "rx_rate"] {
            nic[name] = Value::Null;
            nic[name.replacen("rx", "tx", 1)] = Value::Null;
        }
        nic
    };
    // Of several processors nobody knows which one worked.
    let time = usage.processor_nanoseconds.filter(|_| server.flavor.vcpus == 1);
    let cpu = |id: u32| json!({"id": id, "time": time, "utilisation": null});
    let used = usage.memory_bytes.map(|bytes| bytes >> 20);
    json!({
        "state": state,
        "driver": HOST,
        "hypervisor": HOST,
        "hypervisor_os": std::env::consts::OS,
        "uptime": uptime,
        "config_drive": false,
        "num_cpus": server.flavor.vcpus,
        "num_nics": macs.len(),
        "num_disks": disks,
        "cpu_details": (0..server.flavor.vcpus).map(cpu).collect::<Vec<_>>(),
        "nic_details": macs.iter().map(nic).collect::<Vec<_>>(),
        "disk_details": [],
        "memory_details": {"maximum": server.flavor.ram_mib, "used": used},
    })
}

/// Before that each driver told what it liked: as libvirt's does, memory in KiB.
fn older(server: &Server, usage: Usage) -> Value {
    let mut told = json!({"memory": server.flavor.ram_mib * 1024, "vcpus": server.flavor.vcpus});
    if let Some(bytes) = usage.memory_bytes {
        told["memory-rss"] = json!(bytes >> 10);
    }
    if let Some(time) = usage.processor_nanoseconds.filter(|_| server.flavor.vcpus == 1) {
        told["cpu0_time"] = json!(time);
    }
    told
}
