//! How servers get addresses that answer: one contract, one implementation a folder.

use std::net::Ipv4Addr;

use async_trait::async_trait;

pub mod inert;
pub mod loopback;

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
}

/// Told by a backend when a server opens a port, so that no one needs to look for it.
pub trait PortWatcher: Send + Sync + std::fmt::Debug {
    /// A process of the server with this fixed address is about to listen on the TCP port. The
    /// call returns once the port is reachable through the server's floating addresses.
    fn opened(&self, fixed: Ipv4Addr, port: u16);

    /// The server with this fixed address has ended, and no port is open there any more.
    fn closed(&self, fixed: Ipv4Addr) {
        let _ = fixed;
    }

    /// Whether nothing may pass between the two addresses, because one of them is cut off.
    fn is_cut_off(&self, from: Ipv4Addr, to: Ipv4Addr) -> bool {
        let _ = (from, to);
        false
    }
}
