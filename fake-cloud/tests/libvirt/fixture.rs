//! A backend with a state directory of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fake_cloud::backends::libvirt::{Libvirt, Settings};
use fake_cloud::backends::{
    BackendError, ImageSource, Interface, InterfaceAddress, ServerExit, ServerSpec,
};
use fake_cloud::model::address::Block;
use fake_cloud::network::loopback::Loopback;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Far longer than anything here takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The port at which guests answer.
pub(crate) const PORT: u16 = 8080;

pub(crate) struct Fixture {
    pub(crate) backend: Libvirt,
    pub(crate) network: Loopback,
    pub(crate) exits: mpsc::UnboundedReceiver<ServerExit>,
}

impl Fixture {
    pub(crate) fn open(uri: &str, state_dir: &Path) -> Result<Self, BackendError> {
        let network = Loopback::new();
        let (sender, exits) = mpsc::unbounded_channel();
        let settings = Settings {
            state_dir: state_dir.to_owned(),
            uri: Some(uri.to_owned()),
            ports: vec![PORT],
        };
        let backend = Libvirt::open(settings, sender, Arc::new(network.clone()))?;
        Ok(Self { backend, network, exits })
    }
}

/// A directory that looks as if it could be booted.
pub(crate) fn tree(place: &Path) -> PathBuf {
    let tree = place.join("tree");
    fs::create_dir_all(tree.join("boot")).unwrap();
    fs::write(tree.join("boot/vmlinuz-1"), "kernel").unwrap();
    tree
}

/// A server with an address that no other test has.
pub(crate) fn server(tree: &Path, script: &str) -> ServerSpec {
    let id = Uuid::new_v4();
    let [a, b, c, ..] = id.into_bytes();
    let fixed_ip = Ipv4Addr::new(127, 34, a, b);
    ServerSpec {
        id,
        hostname: "web-1".to_owned(),
        image: ImageSource::Directory { path: tree.to_owned() },
        layer: None,
        vcpus: 1,
        memory_mib: 128,
        disk_gib: 1,
        fixed_ip,
        interfaces: vec![Interface {
            mac: format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}"),
            addresses: vec![InterfaceAddress {
                address: fixed_ip,
                subnet: Block::around(fixed_ip, 16),
                gateway: None,
            }],
            ..Interface::default()
        }],
        metadata_url: "http://127.0.0.1:1".to_owned(),
        meta_data: serde_json::json!({"uuid": id}),
        user_data: (!script.is_empty()).then(|| format!("#!/bin/sh\n{script}\n").into_bytes()),
        authorized_keys: vec![],
        hosts: vec![],
        volumes: vec![],
    }
}
