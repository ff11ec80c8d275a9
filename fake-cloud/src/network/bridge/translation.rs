//! Where floating addresses lead.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

use super::netlink::Netlink;
use super::{HOST_SIDE, Plan, conntrack, rules};
use crate::network::namespace::Namespace;
use crate::network::netfilter::Tables;

/// Where floating addresses lead, and the rules that do it.
#[derive(Debug, Default)]
pub(super) struct Translation {
    associations: BTreeMap<Ipv4Addr, Ipv4Addr>,
    tables: Tables,
}

impl Translation {
    /// Leads a floating address to a fixed one, or nowhere; connections that it led elsewhere end.
    pub(super) async fn lead(
        &mut self,
        floating: Ipv4Addr,
        fixed: Option<Ipv4Addr>,
        plan: &Plan,
        router: &Namespace,
    ) -> io::Result<()> {
        let mut associations = self.associations.clone();
        let before = match fixed {
            Some(fixed) => associations.insert(floating, fixed),
            None => associations.remove(&floating),
        };
        if before.is_none() && fixed.is_none() {
            return Ok(());
        }
        self.tables.replace(router, vec![rules::floating(plan, &associations)]).await?;
        self.associations = associations;
        let change = move || {
            if before.is_some() {
                conntrack::forget(rules::mark(floating))?;
            }
            let netlink = Netlink::open()?;
            match fixed {
                Some(_) => netlink.add_address(HOST_SIDE, floating, 32),
                None => netlink.remove_address(HOST_SIDE, floating),
            }
        };
        router.run(change).await
    }
}
