//! What a guest learns of itself at its first boot, on two small drives: cloud-init's NoCloud and
//! OpenStack's config drive.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};
use serde_json::{Value, json};

use super::user_network::as_seen_inside;
use crate::backends::ServerSpec;

/// Of a drive; more than the largest user-data, which is 64 KiB.
const SIZE: u64 = 2 * 1024 * 1024;

/// A guest sees it as a CD, which has sectors of this size.
const SECTOR: u16 = 2048;

/// A small file system.
#[derive(Debug, PartialEq)]
pub(super) struct Drive {
    /// By which a guest finds it.
    label: &'static [u8; 11],
    /// Paths and contents; a directory stands before what is in it.
    files: Vec<(&'static str, Vec<u8>)>,
}

/// What cloud-init looks for first.
pub(super) fn no_cloud(server: &ServerSpec) -> Drive {
    let meta_data = json!({
        "instance-id": server.id,
        "local-hostname": server.hostname,
        "public-keys": server.authorized_keys,
    });
    let network = json!({
        "version": 2,
        "ethernets": {"net0": {"match": {"macaddress": server.mac()}, "dhcp4": true}},
    });
    Drive {
        label: b"cidata     ",
        files: vec![
            // JSON is YAML, too.
            ("meta-data", meta_data.to_string().into()),
            ("user-data", server.user_data.clone().unwrap_or_default()),
            ("network-config", network.to_string().into()),
        ],
    }
}

/// What OpenStack gives its guests.
pub(super) fn config_drive(server: &ServerSpec) -> Drive {
    let network = json!({
        "links": [{"id": "net0", "type": "phy", "ethernet_mac_address": server.mac(), "mtu": 1500}],
        "networks": [{"id": "network0", "link": "net0", "type": "ipv4_dhcp"}],
        "services": [],
    });
    let ec2 = json!({
        "instance-id": server.id,
        "hostname": server.hostname,
        "local-hostname": server.hostname,
        "local-ipv4": as_seen_inside(server.fixed_ip),
    });
    let text = |value: &Value| value.to_string().into_bytes();
    let mut files = vec![
        ("openstack", vec![]),
        ("openstack/latest", vec![]),
        ("openstack/latest/meta_data.json", text(&server.meta_data)),
        ("openstack/latest/network_data.json", text(&network)),
        ("openstack/latest/vendor_data.json", text(&json!({}))),
        ("ec2", vec![]),
        ("ec2/latest", vec![]),
        ("ec2/latest/meta-data.json", text(&ec2)),
    ];
    if let Some(user_data) = &server.user_data {
        files.push(("openstack/latest/user_data", user_data.clone()));
        files.push(("ec2/latest/user-data", user_data.clone()));
    }
    Drive { label: b"config-2   ", files }
}

impl Drive {
    /// Writes the file system: VFAT, as both of its readers accept.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path)?;
        file.set_len(SIZE)?;
        let format = FormatVolumeOptions::new()
            .bytes_per_sector(SECTOR)
            .bytes_per_cluster(SECTOR.into())
            .volume_label(*self.label);
        fatfs::format_volume(&file, format)?;
        let file_system = FileSystem::new(&file, FsOptions::new())?;
        for (path, content) in &self.files {
            let root = file_system.root_dir();
            if self.files.iter().any(|(other, _)| is_in(other, path)) {
                root.create_dir(path)?;
            } else {
                root.create_file(path)?.write_all(content)?;
            }
        }
        file_system.unmount()
    }
}

fn is_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read as _;
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::*;
    use crate::backends::{ImageSource, Interface};

    /// One with or without user-data.
    pub(in crate::backends::libvirt) fn server(user_data: Option<&[u8]>) -> ServerSpec {
        ServerSpec {
            id: Uuid::from_u128(7),
            hostname: "web".to_owned(),
            image: ImageSource::Opaque,
            layer: None,
            vcpus: 1,
            memory_mib: 64,
            disk_gib: 1,
            fixed_ip: Ipv4Addr::new(127, 5, 16, 2),
            interfaces: vec![Interface {
                mac: "fa:16:3e:00:00:01".to_owned(),
                ..Interface::default()
            }],
            metadata_url: "http://127.5.0.1:1/metadata/x".to_owned(),
            meta_data: json!({"uuid": Uuid::from_u128(7), "meta": {"role": "db"}}),
            user_data: user_data.map(<[u8]>::to_vec),
            authorized_keys: vec!["ssh-ed25519 AAAA key".to_owned()],
            hosts: vec![],
            volumes: vec![],
        }
    }

    /// Writes a drive and reads it as a guest does.
    fn read(drive: &Drive, path: &str) -> Option<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        drive.write(file.path()).unwrap();
        let image = std::fs::File::options().read(true).write(true).open(file.path()).unwrap();
        let file_system = FileSystem::new(image, FsOptions::new()).unwrap();
        assert_eq!(file_system.volume_label_as_bytes(), drive.label.trim_ascii_end());
        let mut content = vec![];
        let root = file_system.root_dir();
        root.open_file(path).ok()?.read_to_end(&mut content).unwrap();
        Some(content)
    }

    #[test]
    fn a_guest_reads_its_user_data_from_both_drives() {
        let script = [b"#!/bin/sh\n".as_slice(), &[b'x'; 65_000]].concat();
        let server = server(Some(&script));
        assert_eq!(read(&no_cloud(&server), "user-data").unwrap(), script);
        let found = read(&config_drive(&server), "openstack/latest/user_data").unwrap();
        assert_eq!(found, script);
    }

    #[test]
    fn a_guest_learns_who_it_is() {
        let server = server(None);
        let json =
            |drive, path| -> Value { serde_json::from_slice(&read(drive, path).unwrap()).unwrap() };
        let drive = no_cloud(&server);
        let meta_data = json(&drive, "meta-data");
        assert_eq!(meta_data["instance-id"], server.id.to_string());
        assert_eq!(meta_data["public-keys"][0], "ssh-ed25519 AAAA key");
        assert_eq!(json(&drive, "network-config")["ethernets"]["net0"]["dhcp4"], true);
        assert_eq!(read(&drive, "user-data").unwrap(), b"");

        let drive = config_drive(&server);
        assert_eq!(json(&drive, "openstack/latest/meta_data.json")["meta"]["role"], "db");
        let network = json(&drive, "openstack/latest/network_data.json");
        assert_eq!(network["links"][0]["ethernet_mac_address"], server.mac());
        assert_eq!(read(&drive, "openstack/latest/user_data"), None);
    }
}
