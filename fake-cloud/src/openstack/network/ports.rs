//! Ports: where servers are plugged in.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::listing::{list as answer, one};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::security::DEFAULT_GROUP;
use crate::model::{Caller, HOST, Model, NewPort, Port, ProjectId, SecurityGroupId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, json};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    // The one filter that clients use at every turn needs no views of all the others.
    let device = cx.query("device_id");
    let visible = model.ports.iter().filter(|port| {
        caller.sees(port.project_id)
            && device.is_none_or(|device| {
                port.server_id.map_or_else(String::new, |id| id.to_string()) == device
            })
    });
    answer(&cx, "ports", visible.map(view))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(one(&cx, "port", view(model.port(&cx.caller()?, cx.param("id"))?)))
}

#[derive(Debug, Deserialize)]
struct Create {
    port: NewPortBody,
}

#[derive(Debug, Deserialize)]
struct NewPortBody {
    network_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    fixed_ips: Vec<FixedIp>,
    security_groups: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct FixedIp {
    ip_address: Option<Ipv4Addr>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Create>().await?.port;
    let (caller, project) = (cx.caller()?, cx.project()?);
    let created = cx.cloud.change(|model, now| {
        let network = model.network(&wanted.network_id)?;
        if network.external && !caller.is_admin {
            return Err(Fault::forbidden("(rule:create_port) is disallowed by policy").into());
        }
        let port = NewPort {
            name: wanted.name,
            project_id: project,
            network_id: network.id,
            address: wanted.fixed_ips.first().and_then(|fixed| fixed.ip_address),
            security_groups: groups(model, &caller, project, wanted.security_groups)?,
        };
        Ok::<_, Error>(model.create_port(port, now)?)
    });
    let id = created.await?;
    let model = cx.cloud.read();
    let port = model.ports.get(id).ok_or_else(|| ModelError::not_found(Kind::Port, id))?;
    Ok(json(StatusCode::CREATED, &json!({"port": view(port)})))
}

#[derive(Debug, Deserialize)]
struct Update {
    port: Changes,
}

#[derive(Debug, Deserialize)]
struct Changes {
    name: Option<String>,
    security_groups: Option<Vec<String>>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let changes = cx.json::<Update>().await?.port;
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            let port = model.port(&caller, cx.param("id"))?;
            let (id, project) = (port.id, port.project_id);
            let groups = match changes.security_groups {
                Some(wanted) => Some(groups(model, &caller, project, Some(wanted))?),
                None => None,
            };
            let port =
                model.ports.get_mut(id).ok_or_else(|| ModelError::not_found(Kind::Port, id))?;
            port.updated = now;
            if let Some(name) = changes.name {
                port.name = name;
            }
            if let Some(groups) = groups {
                port.security_groups = groups;
            }
            Ok::<_, Error>(())
        })
        .await?;
    let model = cx.cloud.read();
    Ok(one(&cx, "port", view(model.port(&caller, cx.param("id"))?)))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .delete_port(|model| {
            let port = model.port(&caller, cx.param("id"))?;
            match port.server_id {
                None => Ok(port.id),
                Some(server) => Err(ModelError::Conflict(format!(
                    "Port {} cannot be deleted directly via the port API: it is in use by server \
                     {server}.",
                    port.id
                ))),
            }
        })
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The wanted groups, the project's default one when none are named.
fn groups(
    model: &Model,
    caller: &Caller,
    project: ProjectId,
    wanted: Option<Vec<String>>,
) -> Result<Vec<SecurityGroupId>, ModelError> {
    match wanted {
        None => {
            let default = model.find_security_group(project, DEFAULT_GROUP);
            Ok(default.map(|group| group.id).into_iter().collect())
        }
        Some(ids) => {
            ids.iter().map(|id| model.security_group(caller, id).map(|group| group.id)).collect()
        }
    }
}

fn view(port: &Port) -> Value {
    let bound = port.server_id.is_some();
    json!({
        "id": port.id,
        "name": port.name,
        "network_id": port.network_id,
        "tenant_id": port.project_id,
        "project_id": port.project_id,
        "mac_address": port.mac,
        "admin_state_up": true,
        "status": if bound { "ACTIVE" } else { "DOWN" },
        "device_id": port.server_id.map(|id| id.to_string()).unwrap_or_default(),
        "device_owner": if bound { "compute:nova" } else { "" },
        "fixed_ips": [{"subnet_id": port.subnet_id, "ip_address": port.address}],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": port.security_groups,
        "description": "",
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:host_id": if bound { HOST } else { "" },
        "binding:vif_type": if bound { "ovs" } else { "unbound" },
        "binding:vif_details": {},
        "port_security_enabled": true,
        "tags": [],
        "created_at": Zulu(port.created),
        "updated_at": Zulu(port.updated),
        "revision_number": 1,
    })
}
