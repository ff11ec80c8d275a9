//! Servers that are sandboxed processes of this machine and feel like virtual machines.
//!
//! A server has its own root directory, processes, users and host name (namespaces), its own
//! localhost (`seccomp`), its own limits (`cgroups`), a console log, and a disk that stays
//! while it is stopped. It costs some milliseconds and a process. What runs inside is in
//! [`crate::guest`].
//!
//! What a server cannot do, short of an error in the kernel:
//!
//! - see or change files of the machine but those it is shown, or volumes and disks of others;
//! - use rights of the machine's root: when root runs the cloud, users of a server have numbers that
//!   own nothing on the machine, and its mounts translate them; when an ordinary user runs it, root
//!   in a server is that user, who owns nothing that the server can reach;
//! - see, signal or trace processes outside, make devices, reach the keys of the session that
//!   started the cloud, or get around the answers to its calls by programs of another architecture.
//!
//! What this does not keep from it: the network of the machine, which it shares but for its localhost
//! (and with it the names of abstract Unix sockets: from Linux 6.12 those of others are out of reach);
//! what everybody may read below `/proc` and `/sys`; the size of the machine's disk. Where the machine refuses to translate users, root in a server is the
//! machine's root without its powers, and the cloud says so: that guards against accidents, not
//! against malice.

pub(crate) mod base;
mod cables;
mod capabilities;
mod capture;
mod cgroups;
mod consoles;
mod inside;
mod launch;
mod remains;
mod running;
pub(crate) mod seccomp;
mod start;
mod state;
pub(crate) mod sys;
pub(crate) mod trees;
mod usage;
mod users;
pub(super) mod volumes;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use capabilities::{Capability, capabilities};
pub use consoles::{Console, consoles};
pub use inside::first_process;
pub(crate) use remains::Remains;

use super::{
    Backend, BackendError, ConsoleStream, ExitSender, ImageSource, Interface, ServerSpec, Usage,
    VolumeMount, blocking, console,
};
use crate::guest::order::{Command, Isolation};
use crate::network::Wiring;
use cgroups::Groups;
use running::{Ending, Running};
use seccomp::Interceptor;
use state::State;

/// What the backend needs of its embedder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where servers and their disks live; nobody else's business, and of no other process.
    pub state_dir: PathBuf,
    /// Executable whose `main` begins with [`crate::guest::run_if_guest`]; usually this one.
    pub init_program: PathBuf,
}

/// The backend. Its servers end when it is dropped, or when its process dies in whatever way.
#[derive(Debug, Clone)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    init_program: PathBuf,
    state: State,
    groups: Groups,
    wiring: Wiring,
    /// Only where servers share this machine's network.
    interceptor: Option<Interceptor>,
    exits: ExitSender,
    consoles: console::Consoles,
    servers: Mutex<HashMap<Uuid, Running>>,
    /// Cancelled when all servers are to end: those that are just starting give up.
    ending: Mutex<CancellationToken>,
    /// What was not refused so far: there is no use in trying again what was.
    isolation: Mutex<Isolation>,
    /// What servers had to do without so far: each is said once.
    lacks: Mutex<BTreeSet<String>>,
}

impl Process {
    /// Opens the state directory and removes what a killed predecessor left.
    pub fn open(
        settings: Settings,
        exits: ExitSender,
        wiring: Wiring,
    ) -> Result<Self, BackendError> {
        let state = State::open(&settings.state_dir, &settings.init_program)
            .map_err(BackendError::step(format!("open {}", settings.state_dir.display())))?;
        let strongest =
            if users::can_be_separate() { Isolation::Users } else { Isolation::Namespaces };
        let groups = Groups::open(state.path());
        let interceptor = match &wiring {
            Wiring::Shared(ports) => Some(Interceptor::start(Arc::clone(ports))),
            Wiring::Separate(_) => None,
        };
        let interceptor =
            interceptor.transpose().map_err(BackendError::step("start answering servers"))?;
        Ok(Self(Arc::new(Inner {
            init_program: settings.init_program,
            state,
            groups,
            wiring,
            interceptor,
            exits,
            consoles: console::Consoles::default(),
            servers: Mutex::default(),
            ending: Mutex::default(),
            isolation: Mutex::new(strongest),
            lacks: Mutex::default(),
        })))
    }

    /// Ends the server's processes if there are any; returns when the last one is gone.
    async fn end(&self, id: Uuid, ending: Ending) {
        let ended = self.0.servers().get(&id).map(|running| running.end(ending));
        if let Some(ended) = ended {
            ended.await;
        }
    }
}

#[async_trait]
impl Backend for Process {
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        if self.0.servers().contains_key(&server.id) {
            return Ok(());
        }
        // A task of its own: a caller that loses patience must not leave half a server behind.
        let (inner, server) = (Arc::clone(&self.0), server.clone());
        tokio::spawn(async move { inner.start(&server).await })
            .await
            .map_err(|error| BackendError::step("start the server")(error.into()))?
    }

    async fn stop(&self, id: Uuid) -> Result<(), BackendError> {
        self.end(id, Ending::Graceful).await;
        Ok(())
    }

    async fn cut(&self, id: Uuid) -> Result<(), BackendError> {
        self.end(id, Ending::PowerCut).await;
        Ok(())
    }

    async fn runs(&self, id: Uuid) -> bool {
        self.0.servers().contains_key(&id)
    }

    async fn delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.end(id, Ending::PowerCut).await;
        self.0.consoles.forget(id);
        self.0.state.discard(id).map_err(BackendError::step("remove the server's disk"))
    }

    async fn reset(&self, id: Uuid) -> Result<(), BackendError> {
        self.end(id, Ending::PowerCut).await;
        self.0.state.discard_disk(id).map_err(BackendError::step("remove the server's disk"))
    }

    async fn pause(&self, id: Uuid, paused: bool) -> Result<(), BackendError> {
        let running = self.0.servers().get(&id).cloned().ok_or(BackendError::NoSuchServer(id))?;
        running.pause(paused).await
    }

    fn resolves_names(&self) -> bool {
        true
    }

    async fn set_hosts(&self, id: Uuid, hosts: &[(Ipv4Addr, String)]) -> Result<(), BackendError> {
        let Some(running) = self.0.servers().get(&id).cloned() else { return Ok(()) };
        running.tell_names(hosts).map_err(BackendError::step("tell the server its neighbours"))
    }

    async fn set_interfaces(&self, id: Uuid, interfaces: &[Interface]) -> Result<(), BackendError> {
        let cables = self.0.servers().get(&id).and_then(|running| running.cables.clone());
        let Some(cables) = cables else { return Ok(()) };
        cables.set(interfaces).await.map_err(BackendError::step("connect the server's network"))
    }

    async fn console(&self, id: Uuid, lines: Option<usize>) -> Result<String, BackendError> {
        let log = self.0.state.server(id).console();
        blocking("read the console log", move || console::read(&log, lines)).await
    }

    async fn follow_console(
        &self,
        id: Uuid,
        lines: Option<usize>,
    ) -> Result<ConsoleStream, BackendError> {
        let (log, live) = (self.0.state.server(id).console(), self.0.consoles.of(id));
        blocking("read the console log", move || live.follow(&log, lines)).await
    }

    async fn usage(&self, id: Uuid) -> Usage {
        let group = self.0.servers().get(&id).and_then(Running::group);
        let directory = self.0.state.server(id);
        let measure = move || {
            let disk_bytes = usage::taken(&[directory.disk(), directory.layers()]);
            Ok(Usage { disk_bytes, ..group.map(|it| it.usage()).unwrap_or_default() })
        };
        blocking("measure the server", measure).await.unwrap_or_default()
    }

    async fn capture(
        &self,
        server: &ServerSpec,
        archive: &Path,
        most: u64,
    ) -> Result<(), BackendError> {
        let (directory, image) = (self.0.state.server(server.id), server.image.clone());
        let archive = archive.to_owned();
        blocking("copy the server's disk", move || {
            let file = BufWriter::new(File::create(archive)?);
            let bounded = capture::Bounded::new(file, most);
            match image {
                ImageSource::Directory { path } => capture::whole(&directory, &path, bounded),
                _ => capture::changes(&directory, bounded),
            }
        })
        .await
    }

    async fn disks(&self) -> Result<Vec<Uuid>, BackendError> {
        self.0.state.servers().map_err(BackendError::step("list the servers' disks"))
    }

    async fn volume_create(
        &self,
        id: Uuid,
        size_gib: u64,
        from: Option<Uuid>,
    ) -> Result<(), BackendError> {
        let volumes = self.0.state.volumes().clone();
        blocking("make the volume's data", move || volumes.create(id, size_gib, from)).await
    }

    async fn volume_extend(&self, id: Uuid, size_gib: u64) -> Result<(), BackendError> {
        let volumes = self.0.state.volumes().clone();
        blocking("make the volume larger", move || volumes.extend(id, size_gib)).await
    }

    async fn volume_delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.state.discard_volume(id).map_err(BackendError::step("remove the volume's data"))
    }

    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError> {
        self.0.state.volumes().ids().map_err(BackendError::step("list the volumes' data"))
    }

    async fn volume_attach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        self.0.attach(server, volume).await
    }

    async fn volume_detach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let step = BackendError::step("unmount the volume");
        let Some(running) = self.0.servers().get(&server).cloned() else { return Ok(()) };
        let command = Command::Detach { volume: volume.clone() };
        match running.order(&command, None).await {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                return Err(BackendError::Busy(volume.id));
            }
            result => result.map_err(step)?,
        }
        if self.0.state.volumes().is_mounted(volume.id) {
            // Processes with mounts of their own have it still, and the server keeps it.
            self.volume_attach(server, volume).await?;
            return Err(BackendError::Busy(volume.id));
        }
        Ok(())
    }

    async fn power_off(&self) {
        // Who starts from now on is not meant.
        std::mem::take(&mut *self.0.ending()).cancel();
        self.0.state.end();
        // Cut the power of all before waiting for the first.
        let ends: Vec<_> =
            self.0.servers().values().map(|running| running.end(Ending::PowerCut)).collect();
        for end in ends {
            end.await;
        }
    }
}

impl Inner {
    fn servers(&self) -> MutexGuard<'_, HashMap<Uuid, Running>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ending(&self) -> MutexGuard<'_, CancellationToken> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    /// Nothing outlives the backend, not even for a moment: its state directory can be removed now.
    fn drop(&mut self) {
        let servers = std::mem::take(&mut *self.servers());
        for running in servers.values() {
            running.cut();
        }
        for (id, running) in servers {
            running.wait_blocking();
            self.state.server(id).tidy();
        }
        self.state.finish();
    }
}
