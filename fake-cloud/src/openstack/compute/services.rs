//! The services of Nova: the one that runs servers can be told to take no new ones.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, fields};
use crate::model::{HOST, token_id};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

const CONDUCTOR: &str = "nova-conductor";
const COMPUTE: &str = "nova-compute";

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let is = |name: &str, value: &str| cx.query(name).is_none_or(|wanted| wanted == value);
    let services: Vec<_> = [CONDUCTOR, "nova-scheduler", COMPUTE]
        .into_iter()
        .filter(|binary| is("binary", binary) && is("host", HOST))
        .map(|binary| view(&cx, binary))
        .collect();
    Ok(ok(&json!({"services": services})))
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    status: Option<String>,
    disabled_reason: Option<String>,
    forced_down: Option<bool>,
    host: Option<String>,
    binary: Option<String>,
}

/// Since version 2.53 by id; before that what to do stands in its place: `/os-services/disable`.
pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let body: Value = cx.json().await?;
    let id = cx.param("id").to_owned();
    if cx.since(53) {
        let known = &[("status", 53), ("disabled_reason", 53), ("forced_down", 53)];
        let wanted = fields::read(&cx, "service", body, known)?;
        if service_id(&cx, COMPUTE) != id {
            return Err(match [CONDUCTOR, "nova-scheduler"].map(|it| service_id(&cx, it)) {
                others if others.iter().any(|other| *other == id) => Fault::bad_request(format!(
                    "Updating a {COMPUTE} service is supported only: {id} is another."
                )),
                _ => Fault::not_found(format!("Service {id} could not be found.")),
            }
            .into());
        }
        change(&cx, wanted).await?;
        return Ok(ok(&json!({"service": view(&cx, COMPUTE)})));
    }
    let known = &[("host", 1), ("binary", 1), ("disabled_reason", 1), ("forced_down", 11)];
    let mut wanted: Wanted = fields::read(&cx, "service", body, known)?;
    if wanted.host.as_deref() != Some(HOST) || wanted.binary.as_deref() != Some(COMPUTE) {
        let (host, binary) = (wanted.host.unwrap_or_default(), wanted.binary.unwrap_or_default());
        let message = format!("Could not find binary {binary} on host {host}.");
        return Err(Fault::not_found(message).into());
    }
    wanted.status = match id.as_str() {
        "enable" => Some("enabled".to_owned()),
        "disable" | "disable-log-reason" => Some("disabled".to_owned()),
        "force-down" if cx.since(11) => None,
        _ => return Err(Fault::not_found("Unknown action").into()),
    };
    change(&cx, wanted).await?;
    let whole = view(&cx, COMPUTE);
    let mut told = json!({"host": HOST, "binary": COMPUTE});
    let names: &[&str] = match id.as_str() {
        "force-down" => &["forced_down"],
        "disable-log-reason" => &["status", "disabled_reason"],
        _ => &["status"],
    };
    for name in names {
        told[*name] = whole[*name].clone();
    }
    Ok(ok(&json!({"service": told})))
}

async fn change(cx: &Context, wanted: Wanted) -> Result<(), Error> {
    let disabled = match wanted.status.as_deref() {
        None => None,
        Some("enabled") => Some(false),
        Some("disabled") => Some(true),
        Some(other) => {
            return Err(Fault::bad_request(format!(
                "Invalid input for field/attribute status. Value: {other}. '{other}' is not one \
                 of ['enabled', 'disabled']"
            ))
            .into());
        }
    };
    if wanted.disabled_reason.is_some() && disabled != Some(true) {
        let message = "Specifying disabled_reason is only allowed when disabling the service.";
        return Err(Fault::bad_request(message).into());
    }
    cx.cloud
        .change(|model, _| {
            model.change_compute_service(|service| {
                if let Some(disabled) = disabled {
                    service.disabled = disabled;
                    service.disabled_reason = wanted.disabled_reason;
                }
                service.forced_down = wanted.forced_down.unwrap_or(service.forced_down);
            });
            Ok::<_, Error>(())
        })
        .await
}

fn view(cx: &Context, binary: &str) -> Value {
    let model = cx.cloud.read();
    let mut view = json!({
        "id": service_id(cx, binary),
        "binary": binary,
        "host": HOST,
        "zone": "internal",
        "status": "enabled",
        "state": "up",
        "updated_at": Micros(cx.cloud.now()),
        "disabled_reason": null,
    });
    let service = (binary == COMPUTE).then(|| model.compute_service());
    if cx.since(11) {
        view["forced_down"] = json!(service.as_ref().is_some_and(|service| service.forced_down));
    }
    if let Some(service) = service {
        view["zone"] = json!(model.zone());
        view["status"] = json!(if service.disabled { "disabled" } else { "enabled" });
        view["state"] = json!(if service.forced_down { "down" } else { "up" });
        view["disabled_reason"] = json!(service.disabled_reason);
    }
    view
}

/// Ids are UUIDs since version 2.53 and numbers before.
pub(super) fn service_id(cx: &Context, binary: &str) -> Value {
    if cx.since(53) { json!(token_id(binary).0) } else { json!(binary.len()) }
}
