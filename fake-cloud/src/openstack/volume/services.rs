//! The services of Cinder and the pool that volumes are in, as the administrator sees them.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Error, project};
use crate::cloud::capacity;
use crate::model::{HOST, ZONE};
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let service = |binary: &str, host: String| {
        json!({
            "binary": binary,
            "host": host,
            "zone": ZONE,
            "status": "enabled",
            "state": "up",
            "updated_at": Micros(cx.cloud.now()),
            "disabled_reason": null,
        })
    };
    let mut volume = service("cinder-volume", format!("{HOST}@local"));
    volume["frozen"] = json!(false);
    volume["replication_status"] = json!("disabled");
    volume["active_backend_id"] = Value::Null;
    let services = [service("cinder-scheduler", HOST.to_owned()), volume];
    let is = |service: &Value, name: &str| cx.query(name).is_none_or(|it| service[name] == it);
    let wanted = services.into_iter().filter(|it| is(it, "binary") && is(it, "host"));
    Ok(ok(&json!({"services": wanted.collect::<Vec<_>>()})))
}

/// There is one pool: the file system of the cloud's state.
pub(super) async fn pools(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let name = format!("{HOST}@local#local");
    let mut pool = json!({"name": name});
    if cx.query("detail").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        let total = capacity(&cx.cloud.state_dir).disk_gib;
        let model = cx.cloud.read();
        let volumes = model.volumes.iter().map(|volume| volume.size_gib);
        let snapshots = model.snapshots.iter().map(|snapshot| snapshot.size_gib);
        let allocated: u64 = volumes.chain(snapshots).sum();
        pool["capabilities"] = json!({
            "volume_backend_name": "local",
            "vendor_name": HOST,
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": "file",
            "total_capacity_gb": total,
            "free_capacity_gb": total.saturating_sub(allocated),
            "allocated_capacity_gb": allocated,
            "reserved_percentage": 0,
            "thin_provisioning_support": true,
            "QoS_support": false,
            "timestamp": Micros(cx.cloud.now()),
        });
    }
    Ok(ok(&json!({"pools": [pool]})))
}
