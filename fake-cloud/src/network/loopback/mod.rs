//! A network that needs no privileges: all addresses are loopback addresses of this machine.
//!
//! A server's fixed address is its own `127.x.y.z`. A floating address is another one: whatever
//! port the server opens at its fixed address is opened at the floating one too, and connections
//! are handed on. What plays the part of address translation elsewhere is a proxy here, yet the
//! server sees the address of the client.
//!
//! Security groups guard floating addresses, and what a server connects to. Nothing stands between
//! this machine itself and the fixed addresses, and datagrams that are sent without `connect` are
//! not seen.

pub(crate) mod forward;
pub(crate) mod listening;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::{Network, PortWatcher};
use crate::model::firewall::{Firewall, Peer, TCP, UDP};
use forward::{Door, Forward};
use listening::{Machine, OpenPorts};

/// A port is told of just before it is listened on; by now it should be.
const ABOUT_TO_LISTEN: Duration = Duration::from_secs(1);

/// The network; clones are the same network.
#[derive(Debug, Clone)]
pub struct Loopback {
    table: Arc<Mutex<Table>>,
    enforces: bool,
}

#[derive(Debug)]
struct Table {
    /// Who knows what is open at fixed addresses.
    ports: Arc<dyn OpenPorts>,
    /// When each port of a fixed address was opened last.
    opened: HashMap<SocketAddrV4, Instant>,
    associations: HashMap<Ipv4Addr, Association>,
    /// The fixed addresses that are cut off.
    cut_off: HashSet<Ipv4Addr>,
    /// What security groups let pass; everything when there is none.
    firewall: Option<Firewall>,
}

#[derive(Debug)]
struct Association {
    fixed: Ipv4Addr,
    runtime: Handle,
    forwards: HashMap<u16, Forward>,
}

impl Loopback {
    /// A network without associations, of servers that share this machine's addresses; it lets
    /// everything pass.
    pub fn new() -> Self {
        Self::of(Arc::new(Machine))
    }

    /// A network without associations, of servers that are elsewhere: their fixed addresses can be
    /// reached, but only `ports` knows what is open there.
    pub fn of(ports: Arc<dyn OpenPorts>) -> Self {
        let (opened, associations) = (HashMap::new(), HashMap::new());
        let cut_off = HashSet::new();
        let table = Table { ports, opened, associations, cut_off, firewall: None };
        Self { table: Arc::new(Mutex::new(table)), enforces: false }
    }

    /// As [`Loopback::new`], but nothing passes until it is told what may.
    pub fn guarded() -> Self {
        let network = Self { enforces: true, ..Self::new() };
        network.table().firewall = Some(Firewall::default());
        network
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a port of a floating address, unless it is open. The listener is there on return.
    fn open(&self, floating: Ipv4Addr, association: &mut Association, port: u16) {
        if association.forwards.contains_key(&port) {
            return;
        }
        let (from, to) =
            (SocketAddrV4::new(floating, port), SocketAddrV4::new(association.fixed, port));
        let (network, guard) = (self.clone(), self.clone());
        let door = Door {
            admits: Box::new(move |client| guard.table().admits(client, to)),
            keep: Box::new(move |listener| network.keep_or_close(listener, from, to)),
        };
        match Forward::start(&association.runtime, from, to, door) {
            Ok(forward) => {
                association.forwards.insert(port, forward);
            }
            Err(error) => tracing::warn!(%from, %to, %error, "{}", why_not_forwarded(&error)),
        }
    }

    /// The ports that are open at a fixed address now. To find out takes time, and the table is free
    /// meanwhile.
    fn ports_of(&self, fixed: Ipv4Addr) -> BTreeSet<u16> {
        let ports = Arc::clone(&self.table().ports);
        ports.of(fixed)
    }

    /// Asked when the target refused a connection: is it still meant to be open? If not, the port
    /// of the floating address is closed too. So late, because who closes a port is not asked first,
    /// as who opens one is: that would hold up every `close` of a server, whatever it closes.
    fn keep_or_close(
        &self,
        listener: TcpListener,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Option<TcpListener> {
        let looked = Instant::now();
        if self.ports_of(*to.ip()).contains(&to.port()) {
            return Some(listener);
        }
        let mut table = self.table();
        if table.was_about_to_listen(to, looked) {
            return Some(listener);
        }
        table.opened.remove(&to);
        if let Some(association) = table.associations.get_mut(from.ip()) {
            association.forwards.remove(&from.port());
        }
        // Before anybody else sees the table: who opens the port again needs its place.
        drop(listener);
        None
    }
}

impl Default for Loopback {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    /// Whether a port was told of so shortly before a look at what is open that this may have missed
    /// it, or since then: a look may take long.
    fn was_about_to_listen(&self, address: SocketAddrV4, looked: Instant) -> bool {
        let opened = self.opened.get(&address);
        opened.is_some_and(|opened| looked.saturating_duration_since(*opened) < ABOUT_TO_LISTEN)
    }

    /// Whether a client of a floating address may connect to what it leads to.
    fn admits(&self, client: Ipv4Addr, to: SocketAddrV4) -> bool {
        self.firewall.as_ref().is_none_or(|firewall| {
            firewall.admits(*to.ip(), Peer::Translated(client), TCP, to.port())
        })
    }

    fn may_connect(&self, fixed: Ipv4Addr, to: SocketAddrV4, stream: bool) -> bool {
        if self.cut_off.contains(&fixed) || self.cut_off.contains(to.ip()) {
            return false;
        }
        let Some(firewall) = &self.firewall else { return true };
        let protocol = if stream { TCP } else { UDP };
        // At a floating address it is asked who comes when they are there.
        let comes_in = !firewall.ports.contains_key(to.ip())
            || firewall.admits(*to.ip(), Peer::Direct(fixed), protocol, to.port());
        comes_in && firewall.lets_out(fixed, *to.ip(), protocol, to.port())
    }
}

fn why_not_forwarded(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "a floating address lacks a port: a program of this machine listens on that port of \
             every address"
        }
        io::ErrorKind::PermissionDenied => {
            "a floating address lacks a port: ports below 1024 are for root on this machine"
        }
        _ => "a floating address lacks a port",
    }
}

#[async_trait]
impl Network for Loopback {
    async fn associate(&self, floating: Ipv4Addr, fixed: Ipv4Addr) -> io::Result<()> {
        self.disassociate(floating).await;
        let association =
            Association { fixed, runtime: Handle::current(), forwards: HashMap::new() };
        // What is told from now on is opened; the kernel knows all that was opened before.
        self.table().associations.insert(floating, association);
        let looked = Instant::now();
        let mut ports = self.ports_of(fixed);
        let mut guard = self.table();
        let table = &mut *guard;
        let about_to_listen = table.opened.keys().filter(|address| *address.ip() == fixed);
        ports.extend(
            about_to_listen
                .filter(|address| table.was_about_to_listen(**address, looked))
                .map(SocketAddrV4::port),
        );
        let association = table.associations.get_mut(&floating).filter(|it| it.fixed == fixed);
        if let Some(association) = association.filter(|_| !table.cut_off.contains(&fixed)) {
            for port in ports {
                self.open(floating, association, port);
            }
        }
        Ok(())
    }

    async fn disassociate(&self, floating: Ipv4Addr) {
        let association = self.table().associations.remove(&floating);
        for forward in association.into_iter().flat_map(|gone| gone.forwards.into_values()) {
            forward.close().await;
        }
    }

    async fn cut_off(&self, fixed: Ipv4Addr) -> io::Result<()> {
        let forwards: Vec<Forward> = {
            let mut table = self.table();
            table.cut_off.insert(fixed);
            let leading = table.associations.values_mut().filter(|it| it.fixed == fixed);
            leading.flat_map(|it| std::mem::take(&mut it.forwards).into_values()).collect()
        };
        for forward in forwards {
            forward.close().await;
        }
        Ok(())
    }

    async fn rejoin(&self, fixed: Ipv4Addr) {
        let floating: Vec<Ipv4Addr> = {
            let mut table = self.table();
            table.cut_off.remove(&fixed);
            let leading = table.associations.iter().filter(|(_, it)| it.fixed == fixed);
            leading.map(|(floating, _)| *floating).collect()
        };
        for floating in floating {
            // Opens what was opened meanwhile too; it cannot fail.
            let _ = self.associate(floating, fixed).await;
        }
    }

    fn guards(&self) -> bool {
        self.enforces
    }

    async fn guard(&self, firewall: Firewall) -> io::Result<()> {
        self.table().firewall = Some(firewall);
        Ok(())
    }
}

impl PortWatcher for Loopback {
    fn opened(&self, fixed: Ipv4Addr, port: u16) {
        let mut table = self.table();
        table.opened.insert(SocketAddrV4::new(fixed, port), Instant::now());
        if table.cut_off.contains(&fixed) {
            return;
        }
        for (floating, association) in &mut table.associations {
            if association.fixed == fixed {
                self.open(*floating, association, port);
            }
        }
    }

    fn is_curious(&self, fixed: Ipv4Addr) -> bool {
        self.table().associations.values().any(|association| association.fixed == fixed)
    }

    fn closed(&self, fixed: Ipv4Addr) {
        let mut table = self.table();
        table.opened.retain(|address, _| *address.ip() != fixed);
        for association in table.associations.values_mut().filter(|it| it.fixed == fixed) {
            association.forwards.clear();
        }
    }

    fn may_connect(&self, fixed: Ipv4Addr, to: SocketAddrV4, stream: bool) -> bool {
        self.table().may_connect(fixed, to, stream)
    }
}

#[cfg(test)]
mod tests;
