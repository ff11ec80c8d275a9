//! How servers get addresses that answer: one contract, one implementation a folder.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backends::Interface;
use crate::model::firewall::Firewall;

pub mod bridge;
pub mod inert;
pub mod loopback;
pub(crate) mod namespace;
pub(crate) mod netfilter;

/// The contract between the model, which gives addresses out, and what makes them answer.
#[async_trait]
pub trait Network: Send + Sync + std::fmt::Debug {
    /// From now on the floating address reaches the fixed one, on every port that is open there
    /// now or later. Replaces an earlier association of the floating address.
    async fn associate(&self, floating: Ipv4Addr, fixed: Ipv4Addr) -> std::io::Result<()>;

    /// The floating address answers no more; open connections through it are closed. Nothing
    /// happens when it is not associated.
    async fn disassociate(&self, floating: Ipv4Addr);

    /// Cuts a server's fixed address off from all others, its floating addresses included, until
    /// it rejoins. An error of kind `Unsupported` says that this network cannot.
    async fn cut_off(&self, fixed: Ipv4Addr) -> std::io::Result<()> {
        let _ = fixed;
        let why = "the network of this cloud cannot cut a server off";
        Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why))
    }

    /// Lets a fixed address rejoin the others. Nothing happens when it was not cut off.
    async fn rejoin(&self, fixed: Ipv4Addr) {
        let _ = fixed;
    }

    /// Ends it: what it made on this machine is gone, also while somebody still holds it.
    async fn close(&self) {}

    /// The URL at which servers find the cloud, if not where others do.
    fn cloud_url(&self) -> Option<String> {
        None
    }

    /// Whether [`Network::guard`] has any effect.
    fn guards(&self) -> bool {
        false
    }

    /// From now on lets pass what the firewall allows and nothing else; connections that passed
    /// before stay. Replaces what was allowed earlier.
    async fn guard(&self, firewall: Firewall) -> std::io::Result<()> {
        let _ = firewall;
        Ok(())
    }
}

/// Takes the servers of a backend that gives each a network namespace of its own.
#[async_trait]
pub trait Switch: Send + Sync + std::fmt::Debug {
    /// Connects an interface, which the server finds in its namespace as `eth<number>`. When this
    /// returns it has its addresses and can reach what it may. The connection ends with the namespace.
    async fn plug(
        &self,
        interface: &Interface,
        number: usize,
        namespace: Arc<OwnedFd>,
    ) -> std::io::Result<()>;

    /// Takes an interface from whatever server has it. Nothing happens when none does.
    async fn unplug(&self, interface: &Interface) -> std::io::Result<()>;
}

/// How the servers of a backend are connected.
#[derive(Debug, Clone)]
pub enum Wiring {
    /// All use this machine's network; who watches which ports they open.
    Shared(Arc<dyn PortWatcher>),
    /// Each has a network namespace of its own.
    Separate(Arc<dyn Switch>),
}

/// Told by a backend when a server opens a port, so that no one needs to look for it.
pub trait PortWatcher: Send + Sync + std::fmt::Debug {
    /// A process of the server with this fixed address is about to listen on the TCP port. The
    /// call returns once the port is reachable through the server's floating addresses.
    fn opened(&self, fixed: Ipv4Addr, port: u16);

    /// Whether anyone wants to be told of ports of this fixed address just now: nobody does where no
    /// floating address leads.
    fn is_curious(&self, fixed: Ipv4Addr) -> bool {
        let _ = fixed;
        true
    }

    /// The server with this fixed address has ended, and no port is open there any more.
    fn closed(&self, fixed: Ipv4Addr) {
        let _ = fixed;
    }

    /// Whether the server with this fixed address may speak to another end, by TCP (`stream`) or
    /// UDP.
    fn may_connect(&self, fixed: Ipv4Addr, to: SocketAddrV4, stream: bool) -> bool {
        let _ = (fixed, to, stream);
        true
    }
}
