//! Nova: servers and flavors. Records as Nova writes them, and one function a call.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::catalog::Service::Compute;
use super::session::{Call, Session};
use crate::{CloudError, InstanceType, Server, ServerState};

/// Nova takes no more user-data than this, counted after encoding.
const USER_DATA_LIMIT: usize = 65_535;

/// Servers asked for at once; Nova's own limit is the same unless configured.
const PAGE: &str = "1000";

/// The first microversion in which a flavor shows its extra specs.
const EXTRA_SPECS: &str = "2.61";

/// The extra spec in which a cloud may state a price.
const PRICE: &str = "price:per_hour";

/// A server to be made, names resolved to ids.
#[derive(Debug)]
pub(crate) struct NewServerRecord {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) flavor: String,
    pub(crate) network: Option<String>,
    /// Names or ids: Nova takes either.
    pub(crate) security_groups: Vec<String>,
    pub(crate) key_name: Option<String>,
    /// Encoded by [`encode_user_data`].
    pub(crate) user_data: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl NewServerRecord {
    fn body(&self) -> Value {
        let mut server = json!({
            "name": self.name,
            "imageRef": self.image,
            "flavorRef": self.flavor,
            "metadata": self.metadata,
        });
        if !self.user_data.is_empty() {
            server["user_data"] = json!(self.user_data);
        }
        if let Some(network) = &self.network {
            server["networks"] = json!([{"uuid": network}]);
        }
        if !self.security_groups.is_empty() {
            server["security_groups"] =
                self.security_groups.iter().map(|name| json!({"name": name})).collect();
        }
        if let Some(key_name) = &self.key_name {
            server["key_name"] = json!(key_name);
        }
        json!({ "server": server })
    }
}

/// User-data as Nova wants it.
pub(crate) fn encode_user_data(user_data: &[u8]) -> Result<String, CloudError> {
    let encoded = STANDARD.encode(user_data);
    if encoded.len() > USER_DATA_LIMIT {
        return Err(CloudError::Refused {
            operation: "create a server".to_owned(),
            message: format!(
                "its user-data takes {} of {USER_DATA_LIMIT} bytes after encoding",
                encoded.len()
            ),
        });
    }
    Ok(encoded)
}

/// A server as Nova writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServerRecord {
    pub(crate) id: String,
    name: String,
    status: String,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default)]
    addresses: BTreeMap<String, Vec<AddressRecord>>,
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(default)]
    fault: Option<FaultRecord>,
    #[serde(default, rename = "OS-EXT-STS:task_state")]
    task_state: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct AddressRecord {
    addr: String,
    #[serde(default, rename = "OS-EXT-IPS:type")]
    kind: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct FaultRecord {
    message: String,
}

impl ServerRecord {
    pub(crate) fn state(&self) -> ServerState {
        state(&self.status, self.task_state.as_deref())
    }

    /// Why a failed server failed.
    pub(crate) fn fault(&self) -> String {
        match &self.fault {
            Some(fault) => fault.message.clone(),
            None => format!("it is in state {} and the cloud gives no reason", self.status),
        }
    }

    /// The first IPv4 address of a kind. Where Nova states no kind, an address is a fixed one.
    fn address(&self, kind: &str) -> Option<Ipv4Addr> {
        self.addresses
            .values()
            .flatten()
            .filter(|address| address.kind.as_deref().unwrap_or("fixed") == kind)
            .find_map(|address| address.addr.parse().ok())
    }
}

impl From<ServerRecord> for Server {
    fn from(record: ServerRecord) -> Self {
        Self {
            state: record.state(),
            private_ip: record.address("fixed"),
            public_ip: record.address("floating"),
            id: record.id,
            name: record.name,
            tags: record.metadata,
            created: record.created,
        }
    }
}

fn state(status: &str, task_state: Option<&str>) -> ServerState {
    if matches!(task_state, Some("deleting" | "soft-deleting")) {
        return ServerState::Deleting;
    }
    match status {
        "BUILD" | "REBUILD" => ServerState::Building,
        "ACTIVE" | "REBOOT" | "HARD_REBOOT" | "PASSWORD" | "MIGRATING" | "RESIZE"
        | "VERIFY_RESIZE" | "REVERT_RESIZE" => ServerState::Active,
        "SHUTOFF" | "PAUSED" | "SUSPENDED" | "RESCUE" | "SHELVED" | "SHELVED_OFFLOADED" => {
            ServerState::Stopped
        }
        "DELETED" | "SOFT_DELETED" => ServerState::Deleting,
        "ERROR" => ServerState::Failed,
        _ => ServerState::Unknown,
    }
}

/// Asks for a server; returns its id at once.
pub(crate) async fn server_create(
    session: &Session,
    new: &NewServerRecord,
) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        server: Created,
    }
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let call = Call::post("create a server", Compute, &["servers"], new.body());
    Ok(session.fetch::<Body>(call).await?.server.id)
}

/// One server; `None` when it does not exist.
pub(crate) async fn server(
    session: &Session,
    id: &str,
) -> Result<Option<ServerRecord>, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        server: ServerRecord,
    }
    let call = Call::get("look at a server", Compute, &["servers", id]);
    Ok(session.find::<Body>(call).await?.map(|body| body.server))
}

/// All servers of the project.
pub(crate) async fn servers(session: &Session) -> Result<Vec<ServerRecord>, CloudError> {
    let call = Call::get("list servers", Compute, &["servers", "detail"]);
    session.list(call.query("limit", Some(PAGE)), "servers").await
}

/// Asks for a server to be deleted.
pub(crate) async fn server_delete(session: &Session, id: &str) -> Result<(), CloudError> {
    session.remove(Call::delete("delete a server", Compute, &["servers", id])).await
}

/// What the server wrote on its console.
pub(crate) async fn console(session: &Session, id: &str) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        output: String,
    }
    let body = json!({"os-getConsoleOutput": {"length": null}});
    let call = Call::post("read a console", Compute, &["servers", id, "action"], body);
    Ok(session.fetch::<Body>(call).await?.output)
}

/// Whether a key pair of this name exists.
pub(crate) async fn key_pair_exists(session: &Session, name: &str) -> Result<bool, CloudError> {
    let call = Call::get("look at a key pair", Compute, &["os-keypairs", name]);
    Ok(session.find::<Value>(call).await?.is_some())
}

/// A flavor as Nova writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FlavorRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    vcpus: u32,
    /// MiB.
    pub(crate) ram: u64,
    disk: u64,
    #[serde(default)]
    extra_specs: BTreeMap<String, String>,
}

impl From<FlavorRecord> for InstanceType {
    fn from(record: FlavorRecord) -> Self {
        let price = record.extra_specs.get(PRICE).and_then(|price| price.parse::<f64>().ok());
        Self {
            name: record.name,
            vcpus: record.vcpus,
            memory_mib: record.ram,
            disk_gib: record.disk,
            price_per_hour: price.filter(|price| price.is_finite() && *price >= 0.0),
            autoscaling: false,
        }
    }
}

/// One flavor.
pub(crate) async fn flavor(session: &Session, id: &str) -> Result<FlavorRecord, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        flavor: FlavorRecord,
    }
    let call = Call::get("look at a flavor", Compute, &["flavors", id]);
    Ok(session.fetch::<Body>(call).await?.flavor)
}

/// All flavors that the project may use.
pub(crate) async fn flavors(session: &Session) -> Result<Vec<FlavorRecord>, CloudError> {
    let call = Call::get("list flavors", Compute, &["flavors", "detail"]);
    match session.list(call.clone().microversion(EXTRA_SPECS), "flavors").await {
        // A Nova from before 2018: the same list, without prices.
        Err(CloudError::Unexpected { status: 406, .. }) => session.list(call, "flavors").await,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(addresses: &str) -> ServerRecord {
        serde_json::from_str(&format!(
            r#"{{"accessIPv4": "", "addresses": {addresses}, "created": "2026-11-21T07:01:20Z",
            "flavor": {{"id": "646a482f"}}, "id": "10aa9d3d", "image": {{"id": "cbfc221b"}},
            "metadata": {{"a": "b"}}, "name": "lc-79a198", "status": "ACTIVE", "progress": 0,
            "OS-EXT-STS:task_state": null, "OS-EXT-STS:vm_state": "active"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn addresses_are_told_apart_by_their_kind() {
        let server = Server::from(record(
            r#"{"private": [
                {"version": 6, "addr": "fd00::5", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:9c:7a:10"},
                {"version": 4, "addr": "10.20.0.161", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:9c:7a:10"},
                {"version": 4, "addr": "203.0.113.226", "OS-EXT-IPS:type": "floating", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:9c:7a:10"}]}"#,
        ));
        assert_eq!(server.private_ip, Some(Ipv4Addr::new(10, 20, 0, 161)));
        assert_eq!(server.public_ip, Some(Ipv4Addr::new(203, 0, 113, 226)));
        assert_eq!(server.tags["a"], "b");
    }

    #[test]
    fn a_server_may_have_no_address_yet() {
        let server = Server::from(record("{}"));
        assert_eq!((server.private_ip, server.public_ip), (None, None));
    }

    #[test]
    fn a_server_being_deleted_is_not_active() {
        assert_eq!(state("ACTIVE", Some("deleting")), ServerState::Deleting);
        assert_eq!(state("ACTIVE", None), ServerState::Active);
        assert_eq!(state("HARD_REBOOT", Some("rebooting_hard")), ServerState::Active);
        assert_eq!(state("ERROR", None), ServerState::Failed);
        assert_eq!(state("NEW_IN_2030", None), ServerState::Unknown);
    }

    #[test]
    fn user_data_travels_in_base64_and_has_a_limit() {
        assert_eq!(encode_user_data(b"#!/bin/sh\nexit 0\n").unwrap(), "IyEvYmluL3NoCmV4aXQgMAo=");
        assert!(encode_user_data(&vec![0; 49_149]).is_ok());
        assert!(encode_user_data(&vec![0; 49_150]).is_err());
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let mut new = NewServerRecord {
            name: "vm".into(),
            image: "i".into(),
            flavor: "f".into(),
            network: None,
            security_groups: Vec::new(),
            key_name: None,
            user_data: String::new(),
            metadata: BTreeMap::new(),
        };
        assert_eq!(
            new.body(),
            json!({"server": {"name": "vm", "imageRef": "i", "flavorRef": "f", "metadata": {}}})
        );
        new.network = Some("n".into());
        new.security_groups = vec!["default".into()];
        assert_eq!(new.body()["server"]["networks"], json!([{"uuid": "n"}]));
        assert_eq!(new.body()["server"]["security_groups"], json!([{"name": "default"}]));
    }

    #[test]
    fn a_price_must_be_a_number() {
        let flavor = |price: &str| -> InstanceType {
            let record: FlavorRecord = serde_json::from_str(&format!(
                r#"{{"id": "1", "name": "m1.tiny", "ram": 512, "disk": 1, "swap": "", "vcpus": 1,
                     "extra_specs": {{"price:per_hour": "{price}"}}}}"#
            ))
            .unwrap();
            record.into()
        };
        assert_eq!(flavor("0.5").price_per_hour, Some(0.5));
        assert_eq!(flavor("much").price_per_hour, None);
        assert_eq!(flavor("-1").price_per_hour, None);
        assert_eq!(flavor("NaN").price_per_hour, None);
    }
}
