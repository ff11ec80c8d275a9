//! EC2's layout: `latest/meta-data/…`, a directory a level.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::tree::{Directory, Entry};
use super::user_data;
use crate::ec2::{Kind, Zone, account};
use crate::model::{Model, Port, Server};

/// The versions of the layout. All are answered as the latest one.
pub(super) const VERSIONS: [&str; 28] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "latest",
];

/// What a server finds at a path.
pub(super) fn find(model: &Model, server: &Server, region: &str, path: &str) -> Option<Entry> {
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    if version.is_empty() {
        return Some(Entry::Text(VERSIONS.join("\n")));
    }
    if !VERSIONS.contains(&version) {
        return None;
    }
    let port = model.primary_port(server);
    let mut root = Directory::default();
    root.within("dynamic", |dynamic| {
        dynamic.within("instance-identity", |identity| {
            identity.add("document", Entry::Json(document(server, port, region)));
        });
    });
    root.within("meta-data", |it| meta_data(it, model, server, port, region));
    if let Some(user_data) = user_data(server) {
        root.add("user-data", user_data);
    }
    root.find(rest)
}

fn meta_data(
    it: &mut Directory,
    model: &Model,
    server: &Server,
    port: Option<&Port>,
    region: &str,
) {
    let public = port.and_then(|port| model.floating_ips_of(port.id).next());
    let groups = |port: &Port| {
        let groups = port.security_groups.iter().filter_map(|id| model.security_groups.get(*id));
        lines(groups.map(|group| group.name.clone()))
    };
    it.text("ami-id", Kind::Image.id(server.image_id));
    it.text("ami-launch-index", server.launch_index);
    it.text("ami-manifest-path", "(unknown)");
    it.within("block-device-mapping", |devices| {
        devices.text("ami", "/dev/sda1");
        for (index, (_, held)) in model.volumes_of(server.id).enumerate() {
            devices.text(format!("ebs{}", index + 1), &held.device);
        }
        devices.text("root", "/dev/sda1");
    });
    it.text("hostname", &server.hostname);
    it.text("instance-action", "none");
    it.text("instance-id", Kind::Instance.id(server.id));
    it.text("instance-life-cycle", "on-demand");
    it.text("instance-type", &server.flavor.name);
    it.text("local-hostname", &server.hostname);
    if let Some(port) = port {
        it.text("local-ipv4", address(port));
        it.text("mac", &port.mac);
        it.within("network", |network| {
            network.within("interfaces", |interfaces| {
                interfaces.within("macs", |macs| {
                    for (number, port) in model.ports_of(server).enumerate() {
                        macs.within(&port.mac, |mac| interface(mac, model, server, (number, port)));
                    }
                });
            });
        });
    }
    it.within("placement", |placement| {
        placement.text("availability-zone", Zone { region });
        placement.text("availability-zone-id", Zone { region }.id());
        placement.text("region", region);
    });
    if let Some(public) = public {
        it.text("public-hostname", public.address);
        it.text("public-ipv4", public.address);
    }
    if let Some((name, key)) = &server.key {
        it.within("public-keys", |keys| {
            keys.within(format!("0={name}"), |this| this.text("openssh-key", key));
        });
    }
    it.text("reservation-id", &server.reservation_id);
    if let Some(port) = port {
        it.text("security-groups", groups(port));
    }
    it.within("services", |services| {
        services.text("domain", "amazonaws.com");
        services.text("partition", "aws");
    });
    if server.options.metadata.tags {
        it.within("tags", |tags| {
            tags.within("instance", |instance| {
                for (key, value) in crate::ec2::instance_tags(server) {
                    instance.text(key, value);
                }
            });
        });
    }
}

fn interface(mac: &mut Directory, model: &Model, server: &Server, (number, port): (usize, &Port)) {
    let groups = || port.security_groups.iter().filter_map(|id| model.security_groups.get(*id));
    let subnet = port.fixed_ips.first().and_then(|fixed| model.subnets.get(fixed.subnet_id));
    mac.text("device-number", number);
    mac.text("interface-id", Kind::Interface.id(port.id));
    let public: Vec<_> = model.floating_ips_of(port.id).map(|public| public.address).collect();
    if let Some(first) = public.first() {
        mac.within("ipv4-associations", |own| {
            for address in &public {
                own.text(address.to_string(), self::address(port));
            }
        });
        mac.text("public-hostname", first);
        mac.text("public-ipv4s", lines(public.iter().map(ToString::to_string)));
    }
    mac.text("local-hostname", &server.hostname);
    let own = port.fixed_ips.iter().map(|fixed| fixed.address.to_string());
    mac.text("local-ipv4s", lines(own));
    mac.text("mac", &port.mac);
    mac.text("owner-id", account(port.project_id));
    let ids = groups().map(|group| Kind::SecurityGroup.id(group.id).to_string());
    mac.text("security-group-ids", lines(ids));
    mac.text("security-groups", lines(groups().map(|group| group.name.clone())));
    if let Some(subnet) = subnet {
        mac.text("subnet-id", Kind::Subnet.id(subnet.id));
        mac.text("subnet-ipv4-cidr-block", subnet.block);
    }
    let blocks: Vec<_> = model.subnets_of(port.network_id).map(|it| it.block.to_string()).collect();
    mac.text("vpc-id", Kind::Vpc.id(port.network_id));
    mac.text("vpc-ipv4-cidr-block", blocks.first().map_or("", String::as_str));
    mac.text("vpc-ipv4-cidr-blocks", blocks.join("\n"));
}

fn address(port: &Port) -> String {
    port.address().map_or(String::new(), |address| address.to_string())
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}

/// The document that says which instance this is. Nobody signs it.
fn document(server: &Server, port: Option<&Port>, region: &str) -> Value {
    json!({
        "accountId": account(server.project_id),
        "architecture": std::env::consts::ARCH,
        "availabilityZone": Zone { region }.to_string(),
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": Kind::Image.id(server.image_id).to_string(),
        "instanceId": Kind::Instance.id(server.id).to_string(),
        "instanceType": server.flavor.name,
        "kernelId": null,
        "pendingTime": server.created.format(&Rfc3339).unwrap_or_default(),
        "privateIp": port.and_then(Port::address),
        "ramdiskId": null,
        "region": region,
        "version": "2017-09-30",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::with_server;

    #[test]
    fn a_server_finds_itself() {
        let (model, server) = with_server(Some("IyEvYmluL3NoCg=="));
        let text = |path: &str| match find(&model, &server, "RegionOne", path) {
            Some(Entry::Text(text)) => text,
            Some(Entry::Directory(directory)) => directory.listing(),
            other => panic!("{path}: {other:?}"),
        };
        let port = model.primary_port(&server).unwrap();
        assert_eq!(text("latest/meta-data/local-ipv4"), "127.5.16.2");
        assert_eq!(text("2009-04-04/meta-data/hostname"), "vm");
        assert_eq!(text("latest/meta-data/instance-id"), Kind::Instance.id(server.id).to_string());
        assert_eq!(text("latest/"), "dynamic/\nmeta-data/\nuser-data");
        assert!(text("").ends_with("\nlatest"));
        let macs = "latest/meta-data/network/interfaces/macs/";
        assert_eq!(text(macs), format!("{}/", port.mac));
        let subnet = text(&format!("{macs}{}/subnet-id", port.mac));
        assert_eq!(subnet, Kind::Subnet.id(port.fixed_ips[0].subnet_id).to_string());
        let script = Some(Entry::Bytes(b"#!/bin/sh\n".to_vec()));
        assert_eq!(find(&model, &server, "", "latest/user-data"), script);
        let path = "latest/dynamic/instance-identity/document";
        let Some(Entry::Json(document)) = find(&model, &server, "RegionOne", path) else {
            panic!("there is a document");
        };
        assert_eq!(
            (&document["region"], &document["privateIp"]),
            (&json!("RegionOne"), &json!("127.5.16.2"))
        );
    }

    #[test]
    fn what_a_server_does_not_have_is_not_there() {
        let (model, server) = with_server(None);
        for path in [
            "latest/user-data",
            "latest/meta-data/public-ipv4",
            "latest/meta-data/public-keys/",
            "latest/meta-data/tags/",
            "latest/meta-data/what",
            "earliest/meta-data/hostname",
        ] {
            assert_eq!(find(&model, &server, "", path), None, "{path}");
        }
    }
}
