//! OpenStack's layout: `openstack/latest/meta_data.json`, a document a question.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use serde_json::{Value, json};

use super::tree::{Directory, Entry};
use super::user_data;
use crate::model::{Model, Port, Server, ZONE};

/// The versions of the layout. All are answered as the latest one.
const VERSIONS: [&str; 10] = [
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "latest",
];

/// What programs get for the start of their random numbers, in bytes.
const SEED: usize = 512;

/// What a server finds at a path below `/openstack`.
pub(super) fn find(model: &Model, server: &Server, path: &str) -> Option<Entry> {
    let (version, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let version = version.trim_start_matches('/');
    if version.is_empty() {
        return Some(Entry::Text(VERSIONS.join("\n")));
    }
    if !VERSIONS.contains(&version) {
        return None;
    }
    let mut root = Directory::default();
    root.add("meta_data.json", Entry::Json(meta_data(model, server)));
    if let Some(user_data) = user_data(server) {
        root.add("user_data", user_data);
    }
    root.add("vendor_data.json", Entry::Json(json!({})));
    root.add("network_data.json", Entry::Json(network_data(model, server)));
    root.add("vendor_data2.json", Entry::Json(json!({"static": {}})));
    root.find(rest)
}

/// What `meta_data.json` says of a server.
pub(crate) fn meta_data(model: &Model, server: &Server) -> Value {
    let mut seed = [0; SEED];
    rand::rng().fill_bytes(&mut seed);
    let devices = model.volumes_of(server.id).map(|(volume, held)| {
        json!({
            "type": "disk",
            "bus": "none",
            "serial": volume.id,
            "path": format!("/dev/{}", held.device),
            "tags": held.tag.iter().collect::<Vec<_>>(),
        })
    });
    let mut document = json!({
        "uuid": server.id,
        "name": server.name,
        "hostname": server.hostname,
        "availability_zone": ZONE,
        "launch_index": server.launch_index,
        "project_id": server.project_id,
        "meta": server.metadata,
        "devices": devices.collect::<Vec<_>>(),
        "dedicated_cpus": [],
        "random_seed": STANDARD.encode(seed),
    });
    if let Some((name, key)) = &server.key {
        document["public_keys"] = json!({name: key});
        document["keys"] = json!([{"name": name, "type": "ssh", "data": key}]);
    }
    document
}

/// Where the server is plugged in. Nothing gives out addresses: they are to be set.
fn network_data(model: &Model, server: &Server) -> Value {
    let ports: Vec<&Port> = model.ports_of(server).collect();
    let link = |port: &Port| format!("tap{}", &port.id.to_string()[..11]);
    let links = ports.iter().map(|port| {
        json!({
            "id": link(port),
            "vif_id": port.id,
            "type": "phy",
            "mtu": model.networks.get(port.network_id).map(|network| network.mtu),
            "ethernet_mac_address": port.mac,
        })
    });
    let addresses = ports.iter().flat_map(|port| port.fixed_ips.iter().map(move |it| (port, it)));
    let networks = addresses.enumerate().filter_map(|(index, (port, fixed))| {
        let subnet = model.subnets.get(fixed.subnet_id)?;
        let elsewhere = subnet.gateway.map(|gateway| (Ipv4Addr::UNSPECIFIED, 0, gateway));
        let others = subnet.host_routes.iter();
        let others = others.map(|it| (it.destination.network, it.destination.prefix, it.nexthop));
        let routes = elsewhere.into_iter().chain(others).map(|(network, prefix, gateway)| {
            json!({"network": network, "netmask": netmask(prefix), "gateway": gateway})
        });
        let nameservers = subnet.nameservers.iter().map(|it| json!({"type": "dns", "address": it}));
        Some(json!({
            "id": format!("network{index}"),
            "type": "ipv4",
            "link": link(port),
            "ip_address": fixed.address,
            "netmask": netmask(subnet.block.prefix),
            "routes": routes.collect::<Vec<_>>(),
            "network_id": port.network_id,
            "services": nameservers.collect::<Vec<_>>(),
        }))
    });
    json!({
        "links": links.collect::<Vec<_>>(),
        "networks": networks.collect::<Vec<_>>(),
        "services": [],
    })
}

fn netmask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::with_server;

    #[test]
    fn the_documents_tell_the_server() {
        let (model, server) = with_server(Some("H4sI"));
        let json = |path: &str| match find(&model, &server, path) {
            Some(Entry::Json(json)) => json,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(json("/latest/meta_data.json")["uuid"], json!(server.id));
        assert_eq!(json("/2018-08-27/vendor_data2.json"), json!({"static": {}}));
        let network = json("/latest/network_data.json");
        assert_eq!(network["networks"][0]["ip_address"], "127.5.16.2");
        assert_eq!(network["networks"][0]["netmask"], "255.255.240.0");
        assert_eq!(network["networks"][0]["link"], network["links"][0]["id"]);
        let bytes = Some(Entry::Bytes(vec![0x1f, 0x8b, 0x08]));
        assert_eq!(
            find(&model, &server, "/latest/user_data"),
            bytes,
            "compressed, as it was given"
        );
    }

    #[test]
    fn versions_and_documents_are_listed() {
        let (model, server) = with_server(None);
        for path in ["", "/"] {
            let listed = find(&model, &server, path);
            assert_eq!(listed, Some(Entry::Text(VERSIONS.join("\n"))), "{path}");
        }
        let Some(Entry::Directory(documents)) = find(&model, &server, "/latest/") else {
            panic!("a version is a directory");
        };
        assert_eq!(
            documents.listing(),
            "meta_data.json\nvendor_data.json\nnetwork_data.json\nvendor_data2.json"
        );
        assert_eq!(find(&model, &server, "/2011-01-01/meta_data.json"), None);
        assert_eq!(find(&model, &server, "/latest/user_data"), None);
    }
}
