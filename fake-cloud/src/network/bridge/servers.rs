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
        let (addresses, metric) = (interface.addresses.clone(), number as u32);
        server.run(move || set_up(&device, &addresses, metric)).await
    }

    async fn unplug(&self, interface: &Interface) -> io::Result<()> {
        let Some(address) = interface.address() else { return Ok(()) };
        self.router.run(move || Netlink::open()?.remove(&port_name(address))).await
    }
}

/// In a server: an interface with its addresses. What has one of them as its source goes out there:
/// elsewhere it would not be let in.
fn set_up(device: &str, addresses: &[InterfaceAddress], metric: u32) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.set_up("lo")?;
    configure(&format!("ipv6/conf/{device}/disable_ipv6"), "1")?;
    for InterfaceAddress { address, subnet, .. } in addresses {
        netlink.add_address(device, *address, subnet.prefix)?;
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
        netlink.add_rule(*address, table)?;
    }
    Ok(())
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
    fn hardware_addresses_are_read() {
        assert_eq!(parse_mac("fa:16:3e:00:0a:ff"), Some([0xfa, 0x16, 0x3e, 0, 10, 255]));
        assert_eq!(parse_mac("fa:16:3e"), None);
        assert_eq!(parse_mac("fa:16:3e:00:0a:xx"), None);
    }
}
