//! The virtual machines that run: each is known from before its start until libvirt says that it
//! has ended and its console is read to the end.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UnixListener;
use tokio::sync::watch;
use uuid::Uuid;

use super::state::ServerFiles;
use crate::backends::{ExitSender, ServerExit, console};
use crate::network::PortWatcher;

/// All of them.
#[derive(Debug)]
pub(super) struct Machines {
    running: Mutex<HashMap<Uuid, Machine>>,
    exits: ExitSender,
    ports: Arc<dyn PortWatcher>,
    pub(super) consoles: console::Consoles,
}

#[derive(Debug)]
struct Machine {
    /// Nothing until the server's start says what it is.
    fixed_ip: Option<Ipv4Addr>,
    /// Whether it has begun to run: until then, it is an earlier one that libvirt says has ended.
    started: bool,
    /// Whether it was told to end.
    ending: bool,
    /// Says why, when libvirt says that it has ended.
    stopped: watch::Sender<Option<&'static str>>,
    /// Set when everything of it has ended.
    gone: watch::Sender<bool>,
}

impl Machines {
    pub(super) fn new(exits: ExitSender, ports: Arc<dyn PortWatcher>) -> Self {
        Self { running: Mutex::default(), exits, ports, consoles: console::Consoles::default() }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, Machine>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.running().keys().copied().collect()
    }

    pub(super) fn runs(&self, id: Uuid) -> bool {
        self.running().contains_key(&id)
    }

    /// Expects a machine: from now on its console is read, when it writes there, and its end is
    /// noticed.
    pub(super) fn expect(self: &Arc<Self>, id: Uuid, files: &ServerFiles) -> io::Result<()> {
        let socket = files.console_socket();
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&socket)?;
        let (stopped, mut has_stopped) = watch::channel(None);
        let (gone, _) = watch::channel(false);
        let machine = Machine { fixed_ip: None, started: false, ending: false, stopped, gone };
        self.running().insert(id, machine);
        let (machines, log) = (Arc::clone(self), files.console_log());
        let live = self.consoles.of(id);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    biased;
                    // Who has connected is read to the end, even when it has ended meanwhile.
                    accepted = listener.accept() => accepted,
                    () = end_of(&mut has_stopped) => break,
                };
                match (accepted, console::Log::open(&log)) {
                    (Ok((stream, _)), Ok(log)) => {
                        console::record(log, Arc::clone(&live), stream).await;
                    }
                    (Err(error), _) | (_, Err(error)) => {
                        tracing::warn!(server = %id, %error, "there is no console log");
                        break;
                    }
                }
            }
            end_of(&mut has_stopped).await;
            machines.forget(id);
        });
        Ok(())
    }

    /// Says at which address the machine answers on some ports.
    pub(super) fn answers_at(&self, id: Uuid, fixed_ip: Ipv4Addr, ports: &[u16]) {
        if let Some(machine) = self.running().get_mut(&id) {
            machine.fixed_ip = Some(fixed_ip);
        }
        for port in ports {
            self.ports.opened(fixed_ip, *port);
        }
    }

    /// The machine is told to end: its end is no news. What is given becomes true when it has.
    pub(super) fn ending(&self, id: Uuid) -> Option<watch::Receiver<bool>> {
        let mut running = self.running();
        let machine = running.get_mut(&id)?;
        machine.ending = true;
        Some(machine.gone.subscribe())
    }

    /// The machine runs: from now on its end is one.
    pub(super) fn started(&self, id: Uuid) {
        if let Some(machine) = self.running().get_mut(&id) {
            machine.started = true;
        }
    }

    pub(super) fn has_started(&self, id: Uuid) -> bool {
        self.running().get(&id).is_some_and(|machine| machine.started)
    }

    /// The machine has ended.
    pub(super) fn stopped(&self, id: Uuid, reason: &'static str) {
        if let Some(machine) = self.running().get(&id) {
            machine.stopped.send_replace(Some(reason));
        }
    }

    /// The machine has ended, and all that it wrote is in its log.
    fn forget(&self, id: Uuid) {
        let Some(machine) = self.running().remove(&id) else { return };
        if let Some(fixed_ip) = machine.fixed_ip {
            self.ports.closed(fixed_ip);
        }
        if !machine.ending {
            let reason = machine.stopped.borrow().unwrap_or_default().to_owned();
            // Nobody listens when the cloud itself is ending.
            let _ = self.exits.send(ServerExit { id, reason });
        }
        machine.gone.send_replace(true);
    }
}

async fn end_of(stopped: &mut watch::Receiver<Option<&'static str>>) {
    // Its sender is there for as long as the machine.
    let _ = stopped.wait_for(Option::is_some).await;
}
