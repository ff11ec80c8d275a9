//! Security groups of containers: rules in every container's own network namespace, where nobody in
//! it may change them, and which take nothing of the machine's firewall nor of the engine's.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures::future::join_all;

use crate::model::firewall::Firewall;
use crate::network::namespace::Namespace;
use crate::network::netfilter::groups::{self, KNOWN};
use crate::network::netfilter::table::Table;
use crate::network::netfilter::{Tables, to_the_end};

/// The guard of all containers of a cloud.
#[derive(Debug)]
pub(super) struct Guard {
    /// This machine, for containers.
    gateway: Ipv4Addr,
    state: Arc<tokio::sync::Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    firewall: Firewall,
    /// By their fixed addresses.
    containers: HashMap<Ipv4Addr, Guarded>,
}

/// A container, and the rules in it.
#[derive(Debug)]
struct Guarded {
    process: i64,
    namespace: Namespace,
    tables: Tables,
}

impl Guard {
    /// Makes sure that this machine lets us make rules; the error says why not.
    pub(super) async fn open(gateway: Ipv4Addr) -> io::Result<Self> {
        let nothing = rules(&Firewall::default(), gateway, gateway);
        Tables::default().replace(&Namespace::create().await?, vec![nothing]).await?;
        Ok(Self { gateway, state: Arc::default() })
    }

    /// Guards a container from now on, by its first process.
    pub(super) async fn enter(&self, fixed: Ipv4Addr, process: i64) -> io::Result<()> {
        let mut state = self.state.lock().await;
        if state.containers.get(&fixed).is_some_and(|known| known.process == process) {
            return Ok(());
        }
        let namespace = File::open(format!("/proc/{process}/ns/net"))?;
        let namespace = Namespace::of(Arc::new(namespace.into()));
        let mut tables = Tables::default();
        let rules = rules(&state.firewall, fixed, self.gateway);
        tables.replace(&namespace, vec![rules]).await?;
        state.containers.insert(fixed, Guarded { process, namespace, tables });
        Ok(())
    }

    /// Lets pass in all containers what this firewall lets pass.
    pub(super) async fn follow(&self, firewall: Firewall) -> io::Result<()> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let gateway = self.gateway;
        to_the_end(async move { state.follow(firewall, gateway).await }).await
    }
}

impl State {
    async fn follow(&mut self, firewall: Firewall, gateway: Ipv4Addr) -> io::Result<()> {
        self.firewall = firewall;
        // What has ended needs no rules any more.
        self.containers.retain(|_, container| is_there(container.process));
        let changes = self.containers.iter_mut().map(|(fixed, container)| {
            let next = vec![rules(&self.firewall, *fixed, gateway)];
            container.tables.replace(&container.namespace, next)
        });
        join_all(changes).await.into_iter().collect()
    }
}

fn is_there(process: i64) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

/// What the container with an address may send, and what may reach it. Who comes by a floating IP
/// comes from the gateway, and has been let in there; so has this machine itself.
fn rules(firewall: &Firewall, fixed: Ipv4Addr, gateway: Ipv4Addr) -> Table {
    let mut table = Table::new("ip fake-cloud");
    let port = firewall.ports.get(&fixed);
    let own = port.map_or(Some(&[][..]), |port| port.groups.as_deref());
    groups::add(&mut table, own.into_iter().flatten().copied(), firewall);
    for (hook, direction, device, address) in
        [("input", "in", "iifname", "ip saddr"), ("output", "out", "oifname", "ip daddr")]
    {
        let mut rules = vec![
            KNOWN.to_owned(),
            format!("{device} lo accept"),
            format!("{address} {gateway} accept"),
        ];
        match own {
            None => rules.push("accept".to_owned()),
            Some(ids) => {
                rules
                    .extend(ids.iter().map(|id| format!("jump {direction}_{}", groups::name(*id))));
            }
        }
        let hook = format!("type filter hook {hook} priority 0; policy drop");
        table.base_chain(format!("{direction}_server"), &hook, rules);
    }
    table
}
