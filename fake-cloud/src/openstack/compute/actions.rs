//! `POST /servers/{id}/action`: many things to do behind one path.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use crate::model::life::Request;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

#[derive(Debug, Deserialize)]
struct Reboot {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Console {
    length: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Address {
    address: String,
}

pub(super) async fn act(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let mut actions = body.into_iter();
    let (Some((name, arguments)), None) = (actions.next(), actions.next()) else {
        return Err(Fault::bad_request("There must be exactly one action in the request.").into());
    };
    match name.as_str() {
        "os-start" => begin(&cx, Request::Start).await,
        "os-stop" => begin(&cx, Request::Stop).await,
        "pause" => begin(&cx, Request::Pause).await,
        "unpause" => begin(&cx, Request::Unpause).await,
        "reboot" => {
            let request =
                match arguments_of::<Reboot>(&name, arguments)?.kind.to_uppercase().as_str() {
                    "SOFT" => Request::SoftReboot,
                    "HARD" => Request::HardReboot,
                    other => {
                        return Err(Fault::bad_request(format!(
                        "Invalid input for field/attribute type. Value: {other}. '{other}' is not \
                         one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"
                    ))
                    .into());
                    }
                };
            begin(&cx, request).await
        }
        "os-getConsoleOutput" => console(&cx, arguments_of(&name, arguments)?).await,
        "addFloatingIp" if !cx.since(44) => {
            add_floating_ip(&cx, arguments_of(&name, arguments)?).await
        }
        "removeFloatingIp" if !cx.since(44) => {
            remove_floating_ip(&cx, arguments_of(&name, arguments)?).await
        }
        other => Err(Fault::bad_request(format!("There is no such action: {other}")).into()),
    }
}

fn arguments_of<T: serde::de::DeserializeOwned>(action: &str, value: Value) -> Result<T, Fault> {
    serde_json::from_value(value)
        .map_err(|error| Fault::bad_request(format!("Invalid input for action {action}: {error}")))
}

async fn begin(cx: &Context, request: Request) -> Result<Response, Error> {
    cx.cloud.act(&cx.caller()?, cx.param("id"), request, &cx.request_id).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

async fn console(cx: &Context, Console { length }: Console) -> Result<Response, Error> {
    let id = cx.cloud.read().server(&cx.caller()?, cx.param("id"))?.id;
    let lines = match &length {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.parse().ok()),
        Some(number) => Some(number.as_i64()),
    };
    // -1 asks for everything.
    let lines = match lines {
        None | Some(Some(-1)) => None,
        Some(lines) => {
            Some(lines.and_then(|lines| usize::try_from(lines).ok()).ok_or_else(|| {
                Fault::bad_request("Length in request body must be an integer value")
            })?)
        }
    };
    let output =
        cx.cloud.backend.console(id.0, lines).await.map_err(crate::cloud::Failure::from)?;
    Ok(ok(&json!({"output": output})))
}

async fn add_floating_ip(cx: &Context, wanted: Address) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let (floating, port) = {
        let model = cx.cloud.read();
        let server = model.server(&caller, cx.param("id"))?;
        let missing = || Fault::bad_request("No fixed IPs associated to instance");
        let port = model.primary_port(server).ok_or_else(missing)?.id;
        let floating = model
            .floating_ip_at(&caller, &wanted.address)
            .map_err(|_| Fault::not_found(format!("floating IP not found: {}", wanted.address)))?;
        (floating.id.to_string(), port)
    };
    cx.cloud.associate(&caller, &floating, Some(port.into())).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

async fn remove_floating_ip(cx: &Context, wanted: Address) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let floating = {
        let model = cx.cloud.read();
        let server = model.server(&caller, cx.param("id"))?;
        let floating = model
            .floating_ip_at(&caller, &wanted.address)
            .map_err(|_| Fault::not_found(format!("floating IP not found: {}", wanted.address)))?;
        if floating.port_id.is_none_or(|port| !server.ports.contains(&port)) {
            return Err(Fault::named(
                StatusCode::CONFLICT,
                "Conflict",
                format!(
                    "Floating IP {} is not associated with instance {}.",
                    wanted.address, server.id
                ),
            )
            .into());
        }
        floating.id.to_string()
    };
    cx.cloud.associate(&caller, &floating, None).await?;
    Ok(empty(StatusCode::ACCEPTED))
}
