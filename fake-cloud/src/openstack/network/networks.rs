//! Networks.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, check_revision, describe, one, with_standard};
use super::listing::list as answer;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{Model, Network, NetworkId, NewNetwork, ZONE};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.networks.iter().filter(|network| network.visible_to(&caller));
    answer(&cx, "networks", visible.map(|network| view(&model, network)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let network = model.network(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "network", view(&model, network)))
}

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, mut wanted: Attributes, now| {
        let rule = "create_network";
        let reserved = Reserved::take(&mut wanted, cx, rule)?;
        let changes = Changes::take(&mut wanted)?;
        let network = NewNetwork {
            name: wanted.text("name")?.unwrap_or_default(),
            description: wanted.text("description")?.unwrap_or_default(),
            project_id: wanted.project(cx)?,
            external: reserved.external.unwrap_or(false),
            shared: reserved.shared.unwrap_or(false),
            mtu: wanted.take::<Option<u32>>("mtu")?.flatten().filter(|mtu| *mtu > 0),
        };
        wanted.finish()?;
        let id = model.create_network(network, now)?;
        if let Some(mut network) = model.networks.get_mut(id) {
            changes.apply(&mut network);
            reserved.apply(&mut network);
        }
        Ok::<_, Error>(id)
    };
    let undo = |model: &mut Model, id: NetworkId| drop(model.networks.remove(id));
    let shown =
        |model: &Model, id: NetworkId| model.networks.get(id).map(|network| view(model, network));
    super::attributes::create(cx, ("network", "networks"), make, undo, shown).await
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let mut wanted = Attributes::one(&mut cx, "network").await?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let reserved = Reserved::take(&mut wanted, &cx, "update_network")?;
    let changes = Changes::take(&mut wanted)?;
    let (name, description) = (wanted.text("name")?, wanted.text("description")?);
    let mtu = wanted.take::<u32>("mtu")?;
    wanted.finish()?;
    let changed = cx.cloud.change(|model, now| {
        check_revision(&cx, &model.network_to_change(&caller, id)?.standard)?;
        model.check_mtu(mtu)?;
        if let Some(shared) = reserved.shared {
            model.share_network(&caller, id, shared)?;
        }
        let mut network = model.network_to_change(&caller, id)?;
        if let Some(name) = name {
            network.name = name;
        }
        network.mtu = mtu.unwrap_or(network.mtu);
        changes.apply(&mut network);
        reserved.apply(&mut network);
        describe(&mut network.standard, description, now);
        let id = network.id;
        drop(network);
        let network = model.networks.get(id).ok_or(ModelError::not_found(Kind::Network, id))?;
        Ok::<_, Error>(view(model, network))
    });
    Ok(one(&cx, "network", changed.await?))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let deleted = cx.cloud.change(|model, _| {
        check_revision(&cx, &model.network(&caller, id)?.standard)?;
        Ok::<_, Error>(model.delete_network(&caller, id)?)
    });
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What only the administrator says of a network.
#[derive(Debug)]
struct Reserved {
    external: Option<bool>,
    shared: Option<bool>,
    is_default: Option<bool>,
    kind: Option<String>,
    physical: Option<Option<String>>,
    segment: Option<Option<u32>>,
}

impl Reserved {
    fn take(wanted: &mut Attributes, cx: &Context, rule: &str) -> Result<Self, Fault> {
        let mut take = |name| wanted.reserved(cx, rule, name);
        let truth = |value: Option<Value>| value.and_then(|value| value.as_bool());
        let text = |value: Value| value.as_str().map(str::to_owned);
        let number = |value: Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            external: truth(take("router:external")?),
            shared: truth(take("shared")?),
            is_default: truth(take("is_default")?),
            kind: take("provider:network_type")?.and_then(text),
            physical: take("provider:physical_network")?.map(text),
            segment: take("provider:segmentation_id")?.map(number),
        })
    }

    fn apply(&self, network: &mut Network) {
        network.external = self.external.unwrap_or(network.external);
        network.is_default = self.is_default.unwrap_or(network.is_default);
        let provider = &mut network.provider;
        if let Some(kind) = &self.kind {
            provider.kind.clone_from(kind);
        }
        if let Some(physical) = &self.physical {
            provider.physical.clone_from(physical);
        }
        provider.segment = self.segment.unwrap_or(provider.segment);
    }
}

/// What every owner says of a network.
#[derive(Debug)]
struct Changes {
    admin_up: Option<bool>,
    port_security: Option<bool>,
    zone_hints: Option<Vec<String>>,
}

impl Changes {
    fn take(wanted: &mut Attributes) -> Result<Self, Fault> {
        Ok(Self {
            admin_up: wanted.truth("admin_state_up")?,
            port_security: wanted.truth("port_security_enabled")?,
            zone_hints: zone_hints(wanted)?,
        })
    }

    fn apply(&self, network: &mut Network) {
        network.admin_up = self.admin_up.unwrap_or(network.admin_up);
        network.port_security = self.port_security.unwrap_or(network.port_security);
        if let Some(hints) = &self.zone_hints {
            network.zone_hints.clone_from(hints);
        }
    }
}

/// Where a thing is asked to be: there is one zone.
pub(super) fn zone_hints(wanted: &mut Attributes) -> Result<Option<Vec<String>>, Fault> {
    let hints: Option<Vec<String>> = wanted.take("availability_zone_hints")?;
    match hints.iter().flatten().find(|zone| *zone != ZONE) {
        None => Ok(hints),
        Some(zone) => Err(Fault::named(
            StatusCode::NOT_FOUND,
            "AvailabilityZoneNotFound",
            format!("AvailabilityZone {zone} could not be found."),
        )),
    }
}

fn view(model: &Model, network: &Network) -> Value {
    let subnets: Vec<_> = model.subnets_of(network.id).map(|subnet| subnet.id).collect();
    let mut view = json!({
        "id": network.id,
        "name": network.name,
        "tenant_id": network.project_id,
        "project_id": network.project_id,
        "admin_state_up": network.admin_up,
        "mtu": network.mtu,
        "status": if network.admin_up { "ACTIVE" } else { "DOWN" },
        "subnets": subnets,
        "shared": network.is_shared(),
        "availability_zone_hints": network.zone_hints,
        "availability_zones": [],
        "ipv4_address_scope": null,
        "ipv6_address_scope": null,
        "router:external": network.external,
        "qinq": false,
        "vlan_transparent": false,
        "port_security_enabled": network.port_security,
        "provider:network_type": network.provider.kind,
        "provider:physical_network": network.provider.physical,
        "provider:segmentation_id": network.provider.segment,
    });
    if network.external {
        view["is_default"] = json!(network.is_default);
    }
    with_standard(view, &network.standard)
}
