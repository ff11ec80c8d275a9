//! The network that QEMU itself plays for a guest: one of its own, in which DHCP gives the guest the
//! address of its server.

use std::net::Ipv4Addr;

use super::xml::Element;
use crate::backends::ServerSpec;
use crate::model::address::Block;

/// The network's id, for QEMU's monitor.
pub(super) const ID: &str = "net0";

/// Beyond the slots that libvirt gives to what it knows of.
const SLOT: &str = "0x1e";

/// The size of the network when the server has no subnet.
const PREFIX: u8 = 24;

/// A guest's network, as its guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserNetwork {
    mac: String,
    block: Block,
    /// The guest's address.
    guest: Ipv4Addr,
    /// This machine's.
    gateway: Ipv4Addr,
    /// The name server's.
    names: Ipv4Addr,
}

/// What a guest calls an address: no guest can have one that begins with 127.
pub(super) fn as_seen_inside(address: Ipv4Addr) -> Ipv4Addr {
    let [_, second, third, fourth] = address.octets();
    if address.is_loopback() { Ipv4Addr::new(10, second, third, fourth) } else { address }
}

impl UserNetwork {
    pub(super) fn of(server: &ServerSpec) -> Self {
        let guest = as_seen_inside(server.fixed_ip);
        let known = server.interfaces.first().and_then(|interface| interface.addresses.first());
        let prefix = known.map_or(PREFIX, |it| it.subnet.prefix);
        let block = Block::around(guest, prefix);
        let hosts = block.hosts();
        let free = |candidates: [Ipv4Addr; 3], taken: &[Ipv4Addr]| {
            let free = candidates.into_iter().find(|address| !taken.contains(address));
            free.unwrap_or(hosts.first)
        };
        let second = Ipv4Addr::from_bits(hosts.first.to_bits() + 1);
        let wanted = known.and_then(|it| it.gateway).map(as_seen_inside);
        let gateway = free([wanted.unwrap_or(hosts.first), hosts.first, second], &[guest]);
        let before = Ipv4Addr::from_bits(hosts.last.to_bits() - 1);
        let last_but_two = Ipv4Addr::from_bits(before.to_bits() - 1);
        let names = free([hosts.last, before, last_but_two], &[guest, gateway]);
        Self { mac: server.mac().to_owned(), block, guest, gateway, names }
    }

    /// For the definition of a domain: libvirt itself has no words for the guest's address.
    pub(super) fn arguments(&self) -> Element {
        let Self { mac, block, guest, gateway, names } = self;
        let network =
            format!("user,id={ID},net={block},host={gateway},dns={names},dhcpstart={guest}");
        let device = format!("virtio-net-pci,netdev={ID},mac={mac},addr={SLOT},romfile=");
        let arguments = ["-netdev", &network, "-device", &device];
        Element::new("qemu:commandline")
            .with("xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
            .children(arguments.map(|value| Element::new("qemu:arg").with("value", value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::{ImageSource, Interface, InterfaceAddress};

    fn server(fixed_ip: Ipv4Addr, subnet: &str, gateway: Option<Ipv4Addr>) -> ServerSpec {
        let address =
            InterfaceAddress { address: fixed_ip, subnet: subnet.parse().unwrap(), gateway };
        let interface = Interface {
            mac: "fa:16:3e:00:00:01".to_owned(),
            addresses: vec![address],
            ..Interface::default()
        };
        ServerSpec {
            id: uuid::Uuid::nil(),
            hostname: String::new(),
            image: ImageSource::Opaque,
            layer: None,
            vcpus: 1,
            memory_mib: 1,
            disk_gib: 1,
            fixed_ip,
            interfaces: vec![interface],
            metadata_url: String::new(),
            meta_data: serde_json::Value::Null,
            user_data: None,
            authorized_keys: vec![],
            hosts: vec![],
            volumes: vec![],
        }
    }

    #[test]
    fn a_guest_is_given_the_address_of_its_server() {
        let fixed = Ipv4Addr::new(127, 5, 16, 2);
        let server = server(fixed, "127.5.16.0/20", Some(Ipv4Addr::new(127, 5, 16, 1)));
        let text = UserNetwork::of(&server).arguments().to_string();
        let expected =
            "user,id=net0,net=10.5.16.0/20,host=10.5.16.1,dns=10.5.31.254,dhcpstart=10.5.16.2\"";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("mac=fa:16:3e:00:00:01,"), "{text}");
    }

    #[test]
    fn no_address_is_given_twice() {
        for (last, gateway) in [(1, None), (6, None), (5, Some(6)), (1, Some(6)), (2, Some(1))] {
            let address = |last| Ipv4Addr::new(192, 168, 7, last);
            let server = server(address(last), "192.168.7.0/29", gateway.map(address));
            let UserNetwork { guest, gateway, names, .. } = UserNetwork::of(&server);
            assert_eq!(guest, address(last));
            assert!(guest != gateway && gateway != names && names != guest, "{last}");
        }
    }
}
