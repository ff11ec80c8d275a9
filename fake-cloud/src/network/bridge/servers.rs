//! Cables between servers and the bridge.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use async_trait::async_trait;

use super::netlink::{ANYWHERE, Netlink, Way};
use super::{Bridge, METADATA, configure};
use crate::backends::{Interface, InterfaceAddress};
use crate::model::address::Block;
use crate::network::Switch;
use crate::network::namespace::Namespace;

/// The router's end of the cable to the interface that is known by an address.
pub(super) fn port_name(address: Ipv4Addr) -> String {
    format!("s{:08x}", address.to_bits())
}

#[async_trait]
impl Switch for Bridge {
    async fn plug(
        &self,
        interface: &Interface,
        number: usize,
        namespace: Arc<OwnedFd>,
    ) -> io::Result<()> {
        let fixed = self.plan.fixed;
        let alien = interface.addresses.iter().find(|it| !fixed.contains(it.address));
        if let Some(InterfaceAddress { address, .. }) = alien {
            let why = format!("{address} is no address of the network {fixed}");
            return Err(io::Error::other(why));
        }
        let (Some(address), Some(mac)) = (interface.address(), parse_mac(&interface.mac)) else {
            let why = format!("the interface {} has no addresses", interface.mac);
            return Err(io::Error::other(why));
        };
        let server = Namespace::of(namespace);
        let device = format!("eth{number}");
        let (there, end) = (device.clone(), server.clone());
        let (bridge, is_cut) = (self.plan.bridge.clone(), self.cut().contains(&address));
        self.router
            .run(move || {
                let (netlink, here) = (Netlink::open()?, port_name(address));
                // The cable of an earlier start goes with its namespace, which takes a moment.
                netlink.remove(&here)?;
                netlink.add_cable(&here, &there, Some(mac), end.as_fd())?;
                netlink.plug_isolated(&here, &bridge)?;
                if is_cut { Ok(()) } else { netlink.set_up(&here) }
            })
            .await?;
        let (interface, metric) = (interface.clone(), number as u32);
        server.run(move || set_up(&device, &interface, metric)).await
    }

    async fn unplug(&self, interface: &Interface) -> io::Result<()> {
        let Some(address) = interface.address() else { return Ok(()) };
        self.router.run(move || Netlink::open()?.remove(&port_name(address))).await
    }
}

/// In a server: an interface with its addresses. What has one of them as its source goes out there:
/// elsewhere it would not be let in.
fn set_up(device: &str, interface: &Interface, metric: u32) -> io::Result<()> {
    let Interface { mtu, routes, addresses, .. } = interface;
    let netlink = Netlink::open()?;
    netlink.set_up("lo")?;
    configure(&format!("ipv6/conf/{device}/disable_ipv6"), "1")?;
    for InterfaceAddress { address, subnet, .. } in addresses {
        netlink.add_address(device, *address, subnet.prefix)?;
    }
    if let Some(mtu) = mtu {
        netlink.set_mtu(device, *mtu)?;
    }
    netlink.set_up(device)?;
    let metadata = Block { network: METADATA, prefix: 32 };
    let main = Way { interface: Some(device), metric, ..Way::to(metadata) };
    netlink.add_route(main)?;
    let gateway = addresses.iter().find_map(|it| it.gateway);
    if gateway.is_some() {
        netlink.add_route(Way { to: ANYWHERE, by: gateway, ..main })?;
    }
    for InterfaceAddress { address, subnet, gateway } in addresses {
        let table = address.to_bits();
        let way = Way { to: *subnet, by: None, interface: Some(device), table, metric: 0 };
        netlink.add_route(way)?;
        if gateway.is_some() {
            netlink.add_route(Way { to: ANYWHERE, by: *gateway, ..way })?;
        }
        netlink.add_rule(Block { network: *address, prefix: 32 }, ANYWHERE, table)?;
    }
    for (to, by) in routes.iter().filter(|(_, by)| knows_on(*by, addresses)) {
        let tables = addresses.iter().map(|it| Way { table: it.address.to_bits(), ..main });
        for way in std::iter::once(main).chain(tables) {
            match netlink.add_route(Way { to: *to, by: Some(*by), ..way }) {
                // Said twice, or said of where there is a way already.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result?,
            }
        }
    }
    Ok(())
}

/// Whether a way can lead by this address: another's, and within reach.
fn knows_on(by: Ipv4Addr, addresses: &[InterfaceAddress]) -> bool {
    addresses.iter().all(|it| it.address != by) && addresses.iter().any(|it| it.subnet.contains(by))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leads_by_a_neighbour() {
        let (address, subnet) = (Ipv4Addr::new(10, 200, 0, 5), "10.200.0.0/24".parse().unwrap());
        let addresses = [InterfaceAddress { address, subnet, gateway: None }];
        assert!(knows_on(Ipv4Addr::new(10, 200, 0, 6), &addresses));
        assert!(!knows_on(address, &addresses), "itself");
        assert!(!knows_on(Ipv4Addr::new(10, 200, 1, 6), &addresses), "elsewhere");
    }

    #[test]
    fn hardware_addresses_are_read() {
        assert_eq!(parse_mac("fa:16:3e:00:0a:ff"), Some([0xfa, 0x16, 0x3e, 0, 10, 255]));
        assert_eq!(parse_mac("fa:16:3e"), None);
        assert_eq!(parse_mac("fa:16:3e:00:0a:xx"), None);
    }
}
