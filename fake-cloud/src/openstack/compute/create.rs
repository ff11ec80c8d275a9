//! New servers: what a request asks for, in the words of the model.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{StatusCode, header};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fields::{self, Field};
use super::views::Links;
use super::{Error, block_devices};
use crate::cloud::Failure;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{HOST, NewServers, Plug, Plugs, WantedIp};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{json, with_header};

/// The most servers that one request makes.
const COUNT_MAX: u32 = 1000;

/// The minor version since which a client must say that it leaves the networks to the cloud: `auto`.
const NETWORKS_NEEDED: u16 = 37;

#[derive(Debug, Deserialize)]
struct Body {
    server: Value,
    #[serde(rename = "os:scheduler_hints", alias = "OS-SCH-HNT:scheduler_hints", default)]
    scheduler_hints: Map<String, Value>,
}

/// What may be said of a new server.
const FIELDS: &[Field] = &[
    ("name", 1),
    ("imageRef", 1),
    ("flavorRef", 1),
    ("adminPass", 1),
    ("metadata", 1),
    ("networks", 1),
    ("OS-DCF:diskConfig", 1),
    ("accessIPv4", 1),
    ("accessIPv6", 1),
    ("personality", 1),
    ("availability_zone", 1),
    ("block_device_mapping", 1),
    ("block_device_mapping_v2", 1),
    ("config_drive", 1),
    ("key_name", 1),
    ("min_count", 1),
    ("max_count", 1),
    ("return_reservation_id", 1),
    ("security_groups", 1),
    ("user_data", 1),
    ("description", 19),
    ("tags", 52),
    ("trusted_image_certificates", 63),
    ("host", 74),
    ("hypervisor_hostname", 74),
    ("hostname", 90),
];

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    hostname: Option<String>,
    description: Option<String>,
    #[serde(rename = "imageRef", default)]
    image: Option<String>,
    #[serde(rename = "flavorRef")]
    flavor: Value,
    key_name: Option<String>,
    user_data: Option<String>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    security_groups: Vec<Named>,
    #[serde(default)]
    networks: Value,
    min_count: Option<Value>,
    max_count: Option<Value>,
    #[serde(default)]
    return_reservation_id: bool,
    #[serde(default)]
    block_device_mapping_v2: Vec<block_devices::Device>,
    #[serde(default)]
    block_device_mapping: Vec<block_devices::LegacyDevice>,
    availability_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct NetworkRequest {
    uuid: Option<String>,
    port: Option<String>,
    fixed_ip: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let Body { server, scheduler_hints } = cx.json().await?;
    if cx.since(NETWORKS_NEEDED) && server.get("networks").is_none() {
        return Err(fields::missing("server", "networks").into());
    }
    let wanted: Wanted = fields::read(&cx, "server", server, FIELDS)?;
    let (caller, project) = (cx.caller()?, cx.project()?);
    if let Some(zone) = wanted.availability_zone.as_deref().filter(|zone| !zone.is_empty()) {
        check_zone(&cx, zone)?;
    }
    let by_reservation = wanted.return_reservation_id;
    let request = NewServers { scheduler_hints, ..read(wanted, &cx.request_id)? };
    let made = cx.cloud.create_servers(&caller, project, &request).await;
    let ids = made.map_err(missing_device)?;
    let id = *ids.first().ok_or_else(|| Fault::bad_request("min_count must be at least 1"))?;

    let model = cx.cloud.read();
    // The server may be gone already, deleted by someone who was quicker than this answer.
    let server = model.servers.get(id);
    if by_reservation {
        let reservation = server.map(|server| &server.reservation_id);
        return Ok(json(StatusCode::ACCEPTED, &json!({"reservation_id": reservation})));
    }
    let groups = server.map(|server| server.security_groups.as_slice()).unwrap_or_default();
    let groups: Vec<Value> = groups
        .iter()
        .filter_map(|id| Some(json!({"name": model.security_groups.get(*id)?.name})))
        .collect();
    let links =
        Links { api_url: &cx.cloud.api_url, collection: "servers", id: &id, bookmark_only: false };
    let answer = json!({"server": {
        "id": id,
        "links": links,
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": groups,
        "adminPass": password(),
    }});
    let location = format!("{}/compute/v2.1/servers/{id}", cx.cloud.api_url);
    Ok(with_header(json(StatusCode::ACCEPTED, &answer), header::LOCATION, &location))
}

fn read(wanted: Wanted, request_id: &str) -> Result<NewServers, Fault> {
    let name = check_name(&wanted.name)?;
    let min_count = count("min_count", wanted.min_count)?;
    let max_count = count("max_count", wanted.max_count)?;
    let (min_count, max_count) = match (min_count, max_count) {
        (None, None) => (1, 1),
        (Some(min), None) => (min, min),
        (None, Some(max)) => (1, max),
        (Some(min), Some(max)) => (min, max),
    };
    if min_count > max_count {
        return Err(Fault::bad_request("min_count must be <= max_count"));
    }
    let disks = block_devices::read(block_devices::Wanted {
        image: wanted.image,
        devices: wanted.block_device_mapping_v2,
        legacy: wanted.block_device_mapping,
    })?;
    Ok(NewServers {
        name,
        hostname: wanted.hostname,
        description: wanted.description,
        flavor: reference(&wanted.flavor)?,
        image: disks.image,
        root: disks.root,
        volumes: disks.volumes,
        key_name: wanted.key_name,
        user_data: wanted.user_data,
        metadata: wanted.metadata.unwrap_or_default(),
        tags: wanted.tags,
        security_groups: wanted.security_groups.into_iter().map(|group| group.name).collect(),
        plugs: plugs(wanted.networks)?,
        min_count,
        max_count,
        request_id: request_id.to_owned(),
        ..NewServers::default()
    })
}

/// What a block device of a request needs and what is not there is the request's mistake.
fn missing_device(failure: Failure) -> Error {
    let kind = match &failure {
        Failure::Refused(ModelError::NotFound { kind: Kind::Volume, id }) => ("volume", id),
        Failure::Refused(ModelError::NotFound { kind: Kind::Snapshot, id }) => ("snapshot", id),
        Failure::Refused(ModelError::NotFound { kind: Kind::Image, id }) => ("image", id),
        _ => return failure.into(),
    };
    let (kind, id) = kind;
    let message = format!("Block Device Mapping is Invalid: failed to get {kind} {id}.");
    Fault::bad_request(message).into()
}

/// There is one zone; the administrator may name the machine in it too.
fn check_zone(cx: &Context, zone: &str) -> Result<(), Fault> {
    let (zone, host) = zone.split_once(':').unwrap_or((zone, HOST));
    if zone == cx.cloud.read().zone() && host == HOST {
        return Ok(());
    }
    Err(Fault::bad_request("The requested availability zone is not available"))
}

/// A server's name, as it is kept.
pub(super) fn check_name(text: &str) -> Result<String, Fault> {
    let name = text.trim();
    if name.is_empty() || name.len() > 255 {
        return Err(Fault::bad_request(format!(
            "Invalid input for field/attribute name. Value: {text}. It must have 1 to 255 \
             characters."
        )));
    }
    Ok(name.to_owned())
}

/// Ids of flavors may be sent as numbers, and as links by very old clients.
pub(super) fn reference(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.rsplit('/').next().unwrap_or(text).to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Fault::bad_request("Invalid flavorRef provided.")),
    }
}

fn plugs(networks: Value) -> Result<Plugs, Fault> {
    let requests: Vec<NetworkRequest> = match networks {
        Value::Null => return Ok(Plugs::Auto),
        Value::String(word) if word == "auto" => return Ok(Plugs::Auto),
        Value::String(_) => {
            return Err(Fault::bad_request("A server of this cloud has at least one network."));
        }
        list => serde_json::from_value(list).map_err(|error| {
            Fault::bad_request(format!("Invalid input for field/attribute networks: {error}"))
        })?,
    };
    if requests.is_empty() {
        return Ok(Plugs::Auto);
    }
    requests.iter().map(plug).collect::<Result<_, _>>().map(Plugs::These)
}

fn plug(request: &NetworkRequest) -> Result<Plug, Fault> {
    let invalid = |what: &str, value: &str| {
        Fault::bad_request(format!("Bad networks format: {what} is not in proper format ({value})"))
    };
    match request {
        NetworkRequest { port: Some(port), .. } => {
            port.parse().map(Plug::Port).map_err(|_| invalid("port uuid", port))
        }
        NetworkRequest { uuid: Some(network), fixed_ip, port: None } => {
            let id = network.parse().map_err(|_| invalid("network uuid", network))?;
            let address =
                fixed_ip.as_deref().map(|text| text.parse().map_err(|_| invalid("fixed_ip", text)));
            Ok(Plug::Network(id, WantedIp::at(address.transpose()?)))
        }
        NetworkRequest { uuid: None, port: None, .. } => {
            Err(Fault::bad_request("Bad networks format: uuid or port is missing"))
        }
    }
}

fn count(name: &str, value: Option<Value>) -> Result<Option<u32>, Fault> {
    let number = match &value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| (1..=COUNT_MAX).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(Fault::bad_request(format!(
            "Invalid input for field/attribute {name}. Value: {}.",
            value.unwrap_or_default()
        ))),
    }
}

/// The administrator's password that Nova makes up: nobody can log in with it here either.
pub(super) fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(12).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NetworkId, PortId};

    fn wanted(extra: Value) -> Result<NewServers, Fault> {
        let mut server = json!({"name": "vm", "imageRef": "i", "flavorRef": "f"});
        for (key, value) in extra.as_object().unwrap() {
            server[key] = value.clone();
        }
        read(serde_json::from_value(server).unwrap(), "req-1")
    }

    #[test]
    fn counts_follow_from_each_other() {
        let counts = |extra| wanted(extra).map(|w| (w.min_count, w.max_count)).ok();
        assert_eq!(counts(json!({})), Some((1, 1)));
        assert_eq!(counts(json!({"min_count": 3})), Some((3, 3)));
        assert_eq!(counts(json!({"max_count": "3"})), Some((1, 3)));
        assert_eq!(counts(json!({"min_count": 3, "max_count": 2})), None);
        assert_eq!(counts(json!({"min_count": 0})), None);
    }

    #[test]
    fn networks_are_places_to_plug_in() {
        let plugs = |networks| wanted(json!({"networks": networks})).map(|w| w.plugs).ok();
        let these = |plugs: &[Plug]| Some(Plugs::These(plugs.to_vec()));
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(plugs(json!("auto")), Some(Plugs::Auto));
        assert_eq!(plugs(json!([])), Some(Plugs::Auto));
        let (port, network) =
            (Plug::Port(PortId(id)), Plug::Network(NetworkId(id), WantedIp::default()));
        assert_eq!(plugs(json!([{"port": id}, {"uuid": id}])), these(&[port, network]));
        let with_address = json!([{"uuid": id, "fixed_ip": "127.0.16.9"}]);
        let address = Some("127.0.16.9".parse().unwrap());
        assert_eq!(
            plugs(with_address),
            these(&[Plug::Network(NetworkId(id), WantedIp::at(address))])
        );
        assert_eq!(plugs(json!("none")), None);
        assert_eq!(plugs(json!([{"uuid": "private"}])), None);
        assert_eq!(plugs(json!([{}])), None);
    }
}
