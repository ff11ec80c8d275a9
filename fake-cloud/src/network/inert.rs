//! A network on which nothing answers: for servers that exist in the API only.

use std::net::Ipv4Addr;

use async_trait::async_trait;

use super::{Network, PortWatcher};

/// The network that leads nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inert;

#[async_trait]
impl Network for Inert {
    async fn associate(&self, _: Ipv4Addr, _: Ipv4Addr) -> std::io::Result<()> {
        Ok(())
    }

    async fn disassociate(&self, _: Ipv4Addr) {}

    async fn cut_off(&self, _: Ipv4Addr) -> std::io::Result<()> {
        Ok(())
    }
}

impl PortWatcher for Inert {
    fn opened(&self, _: Ipv4Addr, _: u16) {}
}
