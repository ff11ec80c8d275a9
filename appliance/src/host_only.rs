//! The host-only network that the appliance expects: VirtualBox's own choice of addresses, and QEMU's
//! where that stands in for it.

use std::net::Ipv4Addr;

/// All of it.
pub const NETWORK: &str = "192.168.56.0/24";
/// The same as a mask.
pub const NETMASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// The machine that runs VirtualBox.
pub const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 56, 1);
/// What hands out addresses.
pub const DHCP_SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 56, 100);
/// The address that is handed out first: the appliance's own.
pub const FIRST_LEASE: Ipv4Addr = Ipv4Addr::new(192, 168, 56, 101);
/// The last one that may be.
pub const LAST_LEASE: Ipv4Addr = Ipv4Addr::new(192, 168, 56, 254);
