//! What a cloud that was killed has left of its network: whatever bears its identity.

use std::io;
use std::path::Path;

use super::netlink::Netlink;
use super::{host_table, leg, nft, rules};

/// All of it.
#[derive(Debug)]
pub(crate) struct Remains {
    interface: Option<String>,
    table: Option<String>,
}

impl Remains {
    /// What the cloud with an identity has left. Only root can have had such a network.
    pub(crate) fn find(identity: &Path) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self { interface: None, table: None };
        }
        let is_there = |name: &String| Path::new("/sys/class/net").join(name).exists();
        Self {
            interface: Some(leg(identity)).filter(is_there),
            table: Some(host_table(identity)).filter(|name| nft::has_table(name)),
        }
    }

    /// Each in a few words.
    pub(crate) fn list(&self) -> Vec<String> {
        let interface = self.interface.iter().map(|name| format!("interface {name}"));
        interface.chain(self.table.iter().map(|name| format!("nftables table {name}"))).collect()
    }

    /// Removes it.
    pub(crate) fn remove(self) -> io::Result<()> {
        if let Some(name) = &self.interface {
            Netlink::open()?.remove(name)?;
        }
        self.table.map_or(Ok(()), |name| nft::apply(&rules::remove(&name)))
    }
}
