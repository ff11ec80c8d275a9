//! Neutron: networks, ports and floating addresses.
//!
//! Neutron ignores a filter it does not know, so every filter is applied again here: an address
//! that is not ours must not be released because a cloud is old.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::json;

use super::catalog::Service::Network;
use super::session::{Call, Session};
use crate::CloudError;

/// Neutron's limit for a description.
const DESCRIPTION_LIMIT: usize = 255;

const TAG_SEPARATOR: &str = "; ";

/// A network as Neutron writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NetworkRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default, rename = "router:external")]
    pub(crate) external: bool,
    #[serde(default)]
    shared: bool,
}

impl NetworkRecord {
    /// Whether Nova may put a server there that names no network. One that only leads outside shows to everybody.
    pub(crate) fn is_for_servers(&self) -> bool {
        self.shared || !self.external
    }
}

/// A port as Neutron writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PortRecord {
    pub(crate) id: String,
    network_id: String,
    device_id: String,
    #[serde(default)]
    fixed_ips: Vec<FixedIp>,
}

#[derive(Clone, Debug, Deserialize)]
struct FixedIp {
    ip_address: String,
}

impl PortRecord {
    pub(crate) fn ipv4(&self) -> Option<Ipv4Addr> {
        self.fixed_ips.iter().find_map(|fixed| fixed.ip_address.parse().ok())
    }
}

/// A floating address as Neutron writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FloatingAddress {
    pub(crate) id: String,
    #[serde(rename = "floating_ip_address")]
    pub(crate) address: Ipv4Addr,
    #[serde(default)]
    pub(crate) port_id: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

impl FloatingAddress {
    /// Whether it carries this tag.
    pub(crate) fn has_tag(&self, key: &str, value: &str) -> bool {
        has_tag(self.description.as_deref(), key, value)
    }

    /// Whether all its tags, at least one, are among these.
    pub(crate) fn has_only_tags_of(&self, tags: &BTreeMap<String, String>) -> bool {
        let description = self.description.as_deref().unwrap_or_default();
        description.split(TAG_SEPARATOR).all(|part| {
            part.split_once('=')
                .is_some_and(|(key, value)| tags.get(key).is_some_and(|tag| tag == value))
        })
    }
}

/// Whether what is described so carries this tag.
pub(crate) fn has_tag(description: Option<&str>, key: &str, value: &str) -> bool {
    let tag = format!("{key}={value}");
    description.unwrap_or_default().split(TAG_SEPARATOR).any(|part| part == tag)
}

/// Tags as things of Neutron carry them. Its own tags would need a second call, after the thing exists.
pub(crate) fn describe(what: &str, tags: &BTreeMap<String, String>) -> Result<String, CloudError> {
    let parts: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let description = parts.join(TAG_SEPARATOR);
    if description.chars().count() > DESCRIPTION_LIMIT {
        return Err(CloudError::Refused {
            operation: format!("create {what}"),
            message: format!("its tags take more than {DESCRIPTION_LIMIT} characters"),
        });
    }
    Ok(description)
}

/// The port to which a floating address goes: on `network` when that is chosen, and with an IPv4 address.
pub(crate) fn choose_port<'a>(
    ports: &'a [PortRecord],
    network: Option<&str>,
) -> Option<&'a PortRecord> {
    ports
        .iter()
        .filter(|port| network.is_none_or(|network| port.network_id == network))
        .find(|port| port.ipv4().is_some())
}

/// All networks that the project sees.
pub(crate) async fn networks(session: &Session) -> Result<Vec<NetworkRecord>, CloudError> {
    session.list(Call::get("list networks", Network, &["networks"]), "networks").await
}

/// The ports of a server.
pub(crate) async fn ports(session: &Session, server: &str) -> Result<Vec<PortRecord>, CloudError> {
    let call = Call::get("list ports", Network, &["ports"]).query("device_id", Some(server));
    let mut ports: Vec<PortRecord> = session.list(call, "ports").await?;
    ports.retain(|port| port.device_id == server);
    Ok(ports)
}

/// All floating addresses of the project, or those of one port.
pub(crate) async fn floating_addresses(
    session: &Session,
    port: Option<&str>,
) -> Result<Vec<FloatingAddress>, CloudError> {
    let call =
        Call::get("list floating addresses", Network, &["floatingips"]).query("port_id", port);
    let mut addresses: Vec<FloatingAddress> = session.list(call, "floatingips").await?;
    if port.is_some() {
        addresses.retain(|address| address.port_id.as_deref() == port);
    }
    Ok(addresses)
}

/// Takes an address from the pool and attaches it to a port, in one call: there is no instant at
/// which it exists and belongs to nobody.
pub(crate) async fn floating_address_create(
    session: &Session,
    pool_id: &str,
    port: &str,
    description: &str,
) -> Result<FloatingAddress, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        floatingip: FloatingAddress,
    }
    let body = json!({"floatingip": {
        "floating_network_id": pool_id, "port_id": port, "description": description,
    }});
    let call = Call::post("create a floating address", Network, &["floatingips"], body);
    Ok(session.fetch::<Body>(call).await?.floatingip)
}

/// Gives an address back to its pool.
pub(crate) async fn floating_address_delete(session: &Session, id: &str) -> Result<(), CloudError> {
    let call = Call::delete("release a floating address", Network, &["floatingips", id]);
    session.remove(call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(description: &str) -> FloatingAddress {
        serde_json::from_value(json!({
            "id": "77c7ae7c", "floating_ip_address": "203.0.113.226", "port_id": null,
            "description": description, "status": "DOWN", "tags": [],
        }))
        .unwrap()
    }

    #[test]
    fn an_address_carries_its_tags() {
        let tags = BTreeMap::from([
            ("installation".to_owned(), "a1".to_owned()),
            ("node".to_owned(), "7".to_owned()),
        ]);
        let address = address(&describe("an address", &tags).unwrap());
        assert!(address.has_tag("installation", "a1"));
        assert!(address.has_tag("node", "7"));
        assert!(!address.has_tag("installation", "a"));
        assert!(!address.has_tag("node", "77"));
        assert!(address.has_only_tags_of(&tags));
        assert!(!address.has_only_tags_of(&BTreeMap::from([("node".into(), "7".into())])));
    }

    #[test]
    fn somebody_elses_address_carries_none() {
        assert!(!address("").has_tag("installation", "a1"));
        assert!(!address("").has_only_tags_of(&BTreeMap::new()));
        assert!(!address("my installation=a1").has_tag("installation", "a1"));
    }

    #[test]
    fn tags_that_would_be_cut_are_refused() {
        let tags = BTreeMap::from([("installation".to_owned(), "x".repeat(300))]);
        assert!(describe("an address", &tags).is_err());
    }

    #[test]
    fn the_port_is_on_the_chosen_network_and_speaks_ipv4() {
        let ports: Vec<PortRecord> = serde_json::from_value(json!([
            {"id": "six", "network_id": "n1", "device_id": "s", "fixed_ips": [{"subnet_id": "x", "ip_address": "fd00::1"}]},
            {"id": "four", "network_id": "n1", "device_id": "s", "fixed_ips": [{"subnet_id": "y", "ip_address": "10.20.0.140"}]},
            {"id": "other", "network_id": "n2", "device_id": "s", "fixed_ips": [{"subnet_id": "z", "ip_address": "10.30.0.1"}]}
        ]))
        .unwrap();
        let chosen = |network| choose_port(&ports, network).map(|port| port.id.as_str());
        assert_eq!(chosen(None), Some("four"));
        assert_eq!(chosen(Some("n2")), Some("other"));
        assert_eq!(chosen(Some("n3")), None);
    }
}
