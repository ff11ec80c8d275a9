//! The ports of the daemons, as far as possible those of the original.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

/// Where users reach a proxy.
pub(crate) const PROXY: u16 = 80;
/// The same where that one is not to be had: something else has it, or only root of the machine that
/// the VM shares its network with may.
pub(crate) const PROXY_UNPRIVILEGED: u16 = 8080;
/// Where proxies reach a web node.
pub(crate) const WEB: u16 = 8888;
/// Where proxies reach a backend, and the next ones while an earlier daemon still finishes.
pub(crate) const BACKEND: std::ops::Range<u16> = 9000..9100;
/// Where backends find the sessions.
pub(crate) const SESSIONS: u16 = 6379;

/// Whether a port can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    Free,
    Taken,
    Forbidden,
}

/// Tries. Nothing tells it better: what has the port may be in another VM of the same machine.
pub(crate) fn availability(address: Ipv4Addr, port: u16) -> Availability {
    match TcpListener::bind(SocketAddrV4::new(address, port)) {
        Ok(_) => Availability::Free,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Availability::Forbidden,
        Err(_) => Availability::Taken,
    }
}
