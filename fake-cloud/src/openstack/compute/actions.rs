//! `POST /servers/{id}/action`: many things to do behind one path.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Error, backups, captures, consoles, fields, migrations, rebuild, security_groups};
use crate::model::life::{Request, State};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

#[derive(Debug, Deserialize)]
struct Reboot {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Lock {
    locked_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NewState {
    state: String,
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
        "suspend" => begin(&cx, Request::Suspend).await,
        "resume" => begin(&cx, Request::Resume).await,
        "shelve" => begin(&cx, Request::Shelve).await,
        "shelveOffload" => begin(&cx, Request::OffloadShelved).await,
        "unshelve" => begin(&cx, Request::Unshelve).await,
        "forceDelete" => begin(&cx, Request::Delete).await,
        "rebuild" => rebuild::rebuild(&cx, arguments).await,
        "resize" => rebuild::resize(&cx, arguments).await,
        "revertResize" => begin(&cx, Request::RevertResize).await,
        "confirmResize" => {
            begin(&cx, Request::ConfirmResize).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        "addSecurityGroup" => {
            security_groups::change(&cx, arguments_of(&name, arguments)?, true).await
        }
        "removeSecurityGroup" => {
            security_groups::change(&cx, arguments_of(&name, arguments)?, false).await
        }
        "createImage" => captures::create_image(&cx, arguments).await,
        "createBackup" => backups::create(&cx, arguments).await,
        "rescue" => rescue(&cx),
        name @ ("unrescue" | "restore") => Err(never_fits(&cx, name)?),
        "lock" => lock(&cx, arguments).await,
        "unlock" => unlock(&cx).await,
        "os-resetState" => reset_state(&cx, arguments_of(&name, arguments)?).await,
        "changePassword" => change_password(&cx),
        "migrate" => migrations::cold(&cx, arguments).await,
        "os-migrateLive" => migrations::live(&cx, arguments).await,
        "evacuate" => migrations::evacuate(&cx, arguments).await,
        "os-getVNCConsole" | "os-getSPICEConsole" | "os-getSerialConsole" if !cx.since(6) => {
            consoles::unavailable(&cx, &arguments_of(&name, arguments)?)
        }
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
        "os-getConsoleOutput" => consoles::output(&cx, arguments_of(&name, arguments)?).await,
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

async fn lock(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let reason = match arguments {
        Value::Null => None,
        _ if !cx.since(73) => None,
        given => fields::read::<Lock>(cx, "lock", given, &[("locked_reason", 73)])?.locked_reason,
    };
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            model.lock_server(&caller, cx.param("id"), reason, &cx.request_id, now)?;
            Ok::<_, Error>(empty(StatusCode::ACCEPTED))
        })
        .await
}

async fn unlock(cx: &Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            model.unlock_server(&caller, cx.param("id"), &cx.request_id, now)?;
            Ok::<_, Error>(empty(StatusCode::ACCEPTED))
        })
        .await
}

async fn reset_state(cx: &Context, wanted: NewState) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud.read().server(&caller, cx.param("id"))?;
    if !caller.is_admin {
        return Err(Fault::forbidden(
            "Policy doesn't allow os_compute_api:os-admin-actions:reset_state to be performed.",
        )
        .into());
    }
    let state = match wanted.state.as_str() {
        "active" => State::Active,
        "error" => State::Error,
        other => {
            return Err(Fault::bad_request(format!(
                "Invalid input for field/attribute state. Value: {other}. '{other}' is not one of \
                 ['active', 'error']"
            ))
            .into());
        }
    };
    cx.cloud
        .change(|model, now| {
            model.reset_state(&caller, cx.param("id"), state, &cx.request_id, now)?;
            Ok::<_, Error>(empty(StatusCode::ACCEPTED))
        })
        .await
}

/// What Nova answers where servers cannot boot another image beside their own disk.
fn rescue(cx: &Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    cx.cloud.read().server(&caller, id)?;
    let reason = "the servers of this cloud have one disk only";
    Err(Fault::bad_request(format!("Instance {id} cannot be rescued: {reason}")).into())
}

/// What Nova answers to actions that need a state in which no server of this cloud ever is.
fn never_fits(cx: &Context, action: &str) -> Result<Error, Error> {
    let id = cx.param("id");
    let model = cx.cloud.read();
    let state = model.server(&cx.caller()?, id)?.state.vm_state();
    let message = format!("Cannot '{action}' instance {id} while it is in vm_state {state}");
    Ok(Fault::named(StatusCode::CONFLICT, "Conflict", message).into())
}

/// What Nova answers where no agent in the server could change a password.
fn change_password(cx: &Context) -> Result<Response, Error> {
    cx.cloud.read().check_agent(&cx.caller()?, cx.param("id"))?;
    let message = "Unable to set password on instance";
    Err(Fault::named(StatusCode::NOT_IMPLEMENTED, "HTTPNotImplemented", message).into())
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
