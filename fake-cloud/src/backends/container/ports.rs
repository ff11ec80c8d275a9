//! Which ports are listened on in a container: its own table of sockets, which the kernel shows by
//! the number of its first process.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::network::PortWatcher;
use crate::network::loopback::listening::{OpenPorts, ports_in};

/// So late may floating addresses know of a port. Nothing tells when a container opens one: the
/// kernel tells of sockets that end, and engines hand on no listener for system calls (their seccomp
/// profiles have no such field). Containers without floating addresses are not looked at.
const EVERY: Duration = Duration::from_millis(200);

/// The first process of every container that runs, by its fixed address.
#[derive(Debug, Default)]
pub struct Ports(Mutex<HashMap<Ipv4Addr, i64>>);

impl Ports {
    fn processes(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A container runs; its ports are told of as they open, until it ends.
    pub(super) fn started(
        self: &Arc<Self>,
        fixed: Ipv4Addr,
        process: i64,
        watcher: Arc<dyn PortWatcher>,
    ) {
        self.processes().insert(fixed, process);
        tokio::spawn(watch(Arc::downgrade(self), fixed, process, watcher));
    }

    /// The container has ended.
    pub(super) fn ended(&self, fixed: Ipv4Addr) {
        self.processes().remove(&fixed);
    }
}

impl OpenPorts for Ports {
    fn of(&self, fixed: Ipv4Addr) -> BTreeSet<u16> {
        let process = self.processes().get(&fixed).copied();
        process.map(|process| open_of(process, fixed)).unwrap_or_default()
    }
}

async fn watch(ports: Weak<Ports>, fixed: Ipv4Addr, process: i64, watcher: Arc<dyn PortWatcher>) {
    let mut known = BTreeSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    while ports.upgrade().is_some_and(|it| it.processes().get(&fixed) == Some(&process)) {
        let now = if watcher.is_curious(fixed) { open_of(process, fixed) } else { BTreeSet::new() };
        for port in now.difference(&known) {
            watcher.opened(fixed, *port);
        }
        known = now;
        ticks.tick().await;
    }
}

fn open_of(process: i64, fixed: Ipv4Addr) -> BTreeSet<u16> {
    ports_in(&format!("/proc/{process}/net"), &[fixed, Ipv4Addr::UNSPECIFIED])
}
