//! Ports: where servers are plugged in.

use std::net::Ipv4Addr;

use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::security::DEFAULT_GROUP;
use crate::model::{
    AddressPair, Caller, Device, FixedIp, HOST, Model, NewPort, Port, PortId, ProjectId,
    SecurityGroupId, WantedIp,
};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    // The one filter that clients use at every turn needs no views of all the others.
    let devices: Vec<&str> = cx.queries("device_id").collect();
    let visible = model.ports.iter().filter(|port| {
        model.sees_port(&caller, port)
            && (devices.is_empty() || devices.contains(&port.device.described().0.as_str()))
    });
    answer(&cx, "ports", visible.map(view))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(one(&cx, "port", view(model.port(&cx.caller()?, cx.param("id"))?)))
}

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let undo = |model: &mut Model, id: PortId| drop(model.ports.remove(id));
    let shown = |model: &Model, id: PortId| model.ports.get(id).map(view);
    super::attributes::create(cx, ("port", "ports"), make, undo, shown).await
}

fn make(
    cx: &Context,
    model: &mut Model,
    mut wanted: Attributes,
    now: time::OffsetDateTime,
) -> Result<PortId, Error> {
    let caller = cx.caller()?;
    let network = wanted.required::<String>("network_id")?;
    let network = model.network(&caller, &network)?;
    let (network_id, external, owner) = (network.id, network.external, network.project_id);
    if external && !caller.sees(owner) {
        return Err(Fault::forbidden("(rule:create_port) is disallowed by policy").into());
    }
    let project_id = wanted.project(cx)?;
    model.welcome(project_id, now);
    let device = take_device(&mut wanted)?;
    let groups = wanted.take::<Option<Vec<String>>>("security_groups")?.flatten();
    let changes = Changes::take(&mut wanted)?;
    let port = NewPort {
        name: wanted.text("name")?.unwrap_or_default(),
        description: wanted.text("description")?.unwrap_or_default(),
        project_id,
        network_id,
        mac: wanted.text("mac_address")?,
        fixed_ips: take_fixed_ips(&mut wanted)?,
        device: device.unwrap_or_default(),
        security_groups: match changes.port_security {
            Some(false) if groups.is_none() => Vec::new(),
            _ => find_groups(model, &caller, project_id, groups)?,
        },
    };
    wanted.finish()?;
    changes.check()?;
    let id = model.create_port(port, now)?;
    if let Some(mut port) = model.ports.get_mut(id) {
        changes.apply(&mut port);
    }
    Ok(id)
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "port").await?;
    let caller = cx.caller()?;
    let (name, description) = (wanted.text("name")?, wanted.text("description")?);
    let (mac, fixed_ips) = (wanted.text("mac_address")?, take_fixed_ips(&mut wanted)?);
    let groups = wanted.take::<Option<Vec<String>>>("security_groups")?.flatten();
    let device = take_device(&mut wanted)?;
    let changes = Changes::take(&mut wanted)?;
    wanted.finish()?;
    changes.check()?;
    let id = cx.param("id");
    let changed = cx.cloud.change(|model, now| {
        let port = model.port(&caller, id)?;
        check_revision(&cx, &port.standard)?;
        let (id, network, project) = (port.id, port.network_id, port.project_id);
        let plugged = !matches!(port.device, Device::Nothing | Device::Other { .. });
        if let (Some(address), Some(_)) = (port.address(), fixed_ips.as_ref().filter(|_| plugged)) {
            let wanted = fixed_ips.iter().flatten();
            if !wanted.clone().any(|wanted| wanted.address == Some(address)) {
                return Err(in_use(port, "its address").into());
            }
        }
        if mac.is_some() && plugged {
            return Err(in_use(port, "its MAC address").into());
        }
        let groups = match groups {
            Some(wanted) => Some(find_groups(model, &caller, project, Some(wanted))?),
            None => None,
        };
        let mac = mac.map(|mac| model.check_mac(network, &mac, Some(id))).transpose()?;
        let fixed_ips = match fixed_ips {
            Some(wanted) => Some(model.choose_fixed_ips(network, Some(&wanted), Some(id))?),
            None => None,
        };
        let missing = || ModelError::not_found(Kind::Port, id);
        let mut port = model.ports.get_mut(id).ok_or_else(missing)?;
        if let Some(name) = name {
            port.name = name;
        }
        if let Some(device) = device.filter(|_| !plugged) {
            port.device = device;
        }
        port.mac = mac.unwrap_or_else(|| std::mem::take(&mut port.mac));
        if let Some(groups) = groups {
            port.security_groups = groups;
        }
        if let Some(fixed_ips) = fixed_ips {
            port.fixed_ips = fixed_ips;
        }
        changes.apply(&mut port);
        describe(&mut port.standard, description, now);
        Ok::<_, Error>(view(&port))
    });
    Ok(one(&cx, "port", changed.await?))
}

/// What is plugged in would go on with what it was told when it was.
fn in_use(port: &Port, what: &str) -> ModelError {
    ModelError::Conflict(format!(
        "Unable to complete operation on port {}: {what} is in use by {}.",
        port.id,
        port.device.described().0
    ))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    check_revision(&cx, &cx.cloud.read().port(&caller, cx.param("id"))?.standard)?;
    cx.cloud
        .delete_port(|model| {
            let port = model.port(&caller, cx.param("id"))?;
            match &port.device {
                Device::Nothing | Device::Other { .. } => Ok(port.id),
                Device::Server(server) => Err(ModelError::Conflict(format!(
                    "Port {} cannot be deleted directly via the port API: it is in use by server \
                     {server}.",
                    port.id
                ))),
                router @ (Device::RouterInterface(_) | Device::RouterGateway(_)) => {
                    Err(ModelError::Conflict(format!(
                        "Port {} cannot be deleted directly via the port API: has device owner {}.",
                        port.id,
                        router.described().1
                    )))
                }
            }
        })
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The wanted groups, the project's default one when none are named.
fn find_groups(
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

/// What a client says is plugged in; nothing when both fields are empty.
fn take_device(wanted: &mut Attributes) -> Result<Option<Device>, Fault> {
    match (wanted.text("device_id")?, wanted.text("device_owner")?) {
        (None, None) => Ok(None),
        (id, owner) => {
            let (id, owner) = (id.unwrap_or_default(), owner.unwrap_or_default());
            let nothing = id.is_empty() && owner.is_empty();
            Ok(Some(if nothing { Device::Nothing } else { Device::Other { id, owner } }))
        }
    }
}

#[derive(Debug, Deserialize)]
struct FixedIpView {
    #[serde(default, deserialize_with = "nonempty")]
    subnet_id: Option<String>,
    ip_address: Option<Ipv4Addr>,
}

fn nonempty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Takes wanted addresses.
fn take_fixed_ips(wanted: &mut Attributes) -> Result<Option<Vec<WantedIp>>, Fault> {
    let fixed = wanted.take::<Option<Vec<FixedIpView>>>("fixed_ips")?.flatten();
    let read = |fixed: FixedIpView| {
        let subnet_id = fixed.subnet_id.map(|id| {
            id.parse().map_err(|_| {
                Fault::bad_request(format!(
                    "Invalid input for fixed_ips. Reason: '{id}' is not a valid UUID."
                ))
            })
        });
        Ok(WantedIp { subnet_id: subnet_id.transpose()?, address: fixed.ip_address })
    };
    fixed.map(|fixed| fixed.into_iter().map(read).collect()).transpose()
}

/// What is said of a port besides its names and addresses.
#[derive(Debug)]
struct Changes {
    admin_up: Option<bool>,
    port_security: Option<bool>,
    pairs: Option<Vec<AddressPair>>,
}

impl Changes {
    fn take(wanted: &mut Attributes) -> Result<Self, Fault> {
        // How a port is bound, and what DHCP and DNS should say of it, means nothing here.
        for name in [
            "binding:host_id",
            "binding:profile",
            "binding:vnic_type",
            "extra_dhcp_opts",
            "dns_name",
            "propagate_uplink_status",
        ] {
            wanted.take::<Value>(name)?;
        }
        Ok(Self {
            admin_up: wanted.truth("admin_state_up")?,
            port_security: wanted.truth("port_security_enabled")?,
            pairs: wanted.take::<Option<Vec<AddressPair>>>("allowed_address_pairs")?.flatten(),
        })
    }

    fn check(&self) -> Result<(), Error> {
        let pairs = self.pairs.as_deref().unwrap_or_default();
        if self.port_security == Some(false) && !pairs.is_empty() {
            return Err(Fault::named(
                StatusCode::CONFLICT,
                "AddressPairAndPortSecurityRequired",
                "Port Security must be enabled in order to have allowed address pairs on a port.",
            )
            .into());
        }
        for (index, pair) in pairs.iter().enumerate() {
            pair.check()?;
            if pairs[..index].contains(pair) {
                return Err(Fault::named(
                    StatusCode::BAD_REQUEST,
                    "DuplicateAddressPairInRequest",
                    format!("Request contains duplicate address pair: {}.", pair.ip_address),
                )
                .into());
            }
        }
        Ok(())
    }

    fn apply(self, port: &mut Port) {
        port.admin_up = self.admin_up.unwrap_or(port.admin_up);
        port.port_security = self.port_security.unwrap_or(port.port_security);
        if let Some(pairs) = self.pairs {
            port.allowed_pairs = pairs;
        }
    }
}

/// How a port is doing, as the API says it.
pub(super) fn status(port: &Port) -> &'static str {
    let bound = !matches!(port.device, Device::Nothing | Device::Other { .. });
    if bound && port.admin_up { "ACTIVE" } else { "DOWN" }
}

fn view(port: &Port) -> Value {
    let (device, owner) = port.device.described();
    let bound = !matches!(port.device, Device::Nothing | Device::Other { .. });
    let fixed = |it: &FixedIp| json!({"subnet_id": it.subnet_id, "ip_address": it.address});
    let pair = |pair: &AddressPair| {
        let mac = pair.mac_address.as_ref().unwrap_or(&port.mac);
        json!({"ip_address": pair.ip_address, "mac_address": mac})
    };
    let view = json!({
        "id": port.id,
        "name": port.name,
        "network_id": port.network_id,
        "tenant_id": port.project_id,
        "project_id": port.project_id,
        "mac_address": port.mac,
        "admin_state_up": port.admin_up,
        "status": status(port),
        "device_id": device,
        "device_owner": owner,
        "fixed_ips": port.fixed_ips.iter().map(fixed).collect::<Vec<_>>(),
        "allowed_address_pairs": port.allowed_pairs.iter().map(pair).collect::<Vec<_>>(),
        "extra_dhcp_opts": [],
        "security_groups": port.security_groups,
        "binding:vnic_type": "normal",
        "binding:profile": {},
        "binding:host_id": if bound { HOST } else { "" },
        "binding:vif_type": if bound { "ovs" } else { "unbound" },
        "binding:vif_details": {},
        "port_security_enabled": port.port_security,
    });
    with_standard(view, &port.standard)
}
