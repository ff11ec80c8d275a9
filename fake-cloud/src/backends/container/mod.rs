//! Servers that are containers of Docker or Podman, through the engine's API.
//!
//! The image is a tree that `fake-cloud image` made or a user uploaded; the engine gets it once.
//! A server keeps its container, and with it its disk, while it is stopped. Containers outlive a
//! cloud that is killed: the next start on its state directory ends them and starts them again; a
//! cloud whose state directory is gone loses its containers at the next start of any other.
//!
//! The engine must be on this machine: floating addresses reach containers by their own addresses.

mod body;
mod engine;
mod guard;
mod guest;
pub mod network;
mod places;
pub mod ports;
mod start;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::process::volumes::Volumes;
use super::{
    Backend, BackendError, ConsoleStream, ExitSender, ServerExit, ServerSpec, VolumeMount, blocking,
};
use crate::model::address::Block;
use crate::network::PortWatcher;
use crate::network::loopback::forward::Forward;
use engine::Engine;
use guard::Guard;
use network::Place;
use places::Places;
use ports::Ports;

/// How long a container may take to end by itself.
const GRACE: i32 = 2;

/// How much of a console log an earlier disk leaves at most.
const KEPT: usize = 1 << 20;

/// How often an engine that went away is looked for: nothing tells when it is there again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the backend needs of its embedder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where volumes and what is mounted in servers lie; of no other process.
    pub state_dir: PathBuf,
    /// Executable that becomes what helps with volumes: see [`crate::guest::run_if_guest`].
    pub init_program: PathBuf,
    /// The addresses that servers may have: one network of the engine carries them all.
    pub block: Block,
    /// The engine's address, as in `DOCKER_HOST`; when `None`, that of this variable, else Docker's
    /// usual socket, else Podman's.
    pub engine: Option<String>,
    /// Where the cloud's API listens: containers reach it at their gateway, on the same port.
    pub api: SocketAddr,
    /// Whether security groups are enforced.
    pub enforce: bool,
}

/// The backend.
#[derive(Debug, Clone)]
pub struct Container(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    /// Tells the clouds of an engine apart.
    cloud: String,
    settings: Settings,
    network: String,
    volumes: Volumes,
    /// What is mounted where, or why nothing can be.
    places: io::Result<Places>,
    ports: Arc<Ports>,
    watcher: Arc<dyn PortWatcher>,
    exits: ExitSender,
    /// Servers that should run, and where.
    running: Mutex<HashMap<Uuid, Place>>,
    /// The addresses of servers that are cut off.
    cut: Mutex<HashSet<Ipv4Addr>>,
    /// Enforces security groups where that is possible.
    guard: Option<Guard>,
    /// One import at a time: the second finds what the first has brought.
    importing: tokio::sync::Mutex<()>,
    /// The API, at the containers' gateway.
    _relay: Option<Forward>,
}

impl Container {
    /// Connects to the engine, ends what a killed predecessor left running, and removes what
    /// belongs to clouds that are gone.
    pub async fn open(
        settings: Settings,
        exits: ExitSender,
        ports: Arc<Ports>,
        watcher: Arc<dyn PortWatcher>,
    ) -> Result<Self, BackendError> {
        let preparing = || BackendError::step(format!("open {}", settings.state_dir.display()));
        std::fs::create_dir_all(&settings.state_dir).map_err(preparing())?;
        let state = settings.state_dir.canonicalize().map_err(preparing())?;
        let volumes =
            Volumes::open(state.join("volumes"), &settings.init_program).map_err(preparing())?;
        let digest = format!("{:x}", Sha256::digest(state.as_os_str().as_encoded_bytes()));
        let cloud = digest[..16].to_owned();
        let engine = Engine::connect(settings.engine.as_deref()).await?;
        tidy(&engine, &cloud).await?;
        let network = engine.ensure_network(&cloud, settings.block).await?;
        let places = Places::open(state.join("mounts"));
        if let Err(error) = &places {
            tracing::warn!(%error, "servers have no volumes: only root can mount them");
        }
        let guard = match settings.enforce {
            true => network::guard(gateway(settings.block)).await,
            false => None,
        };
        let inner = Arc::new(Inner {
            engine,
            cloud,
            network,
            volumes,
            places,
            ports,
            watcher,
            exits,
            running: Mutex::default(),
            cut: Mutex::default(),
            guard,
            importing: tokio::sync::Mutex::default(),
            _relay: network::relay(gateway(settings.block), settings.api),
            settings: Settings { state_dir: state, ..settings },
        });
        tokio::spawn(watch_ends(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }
}

/// Ends what still runs of this cloud, and removes what is left of clouds that are gone.
async fn tidy(engine: &Engine, cloud: &str) -> Result<(), BackendError> {
    let mut gone = HashSet::new();
    for container in engine.containers(engine::SERVER).await? {
        let (Some(id), Some(labels)) = (container.id, container.labels) else { continue };
        let of_cloud = labels.get(engine::CLOUD).map_or("", String::as_str);
        let state = labels.get(engine::STATE).map_or(Path::new(""), Path::new);
        if of_cloud == cloud {
            engine.stop(&id, 0).await?;
        } else if !state.exists() {
            engine.remove(&id).await?;
            gone.insert(of_cloud.to_owned());
        }
    }
    for cloud in gone {
        engine.remove_network(&cloud).await?;
    }
    Ok(())
}

/// Reports containers that end by themselves, as long as there is the backend.
async fn watch_ends(inner: Weak<Inner>) {
    loop {
        let Some(backend) = inner.upgrade() else { return };
        let mut ends = Box::pin(backend.engine.ends(&backend.cloud));
        drop(backend);
        while let Some((id, reason)) = ends.next().await {
            let Some(backend) = inner.upgrade() else { return };
            if let Ok(id) = id.parse() {
                backend.check(id, reason).await;
            }
        }
        let Some(backend) = inner.upgrade() else { return };
        let running: Vec<Uuid> = backend.running().keys().copied().collect();
        for id in running {
            backend.check(id, "the container engine went away".to_owned()).await;
        }
        drop(backend);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Where the engine, and with it this machine, is for containers.
fn gateway(block: Block) -> Ipv4Addr {
    block.hosts().first
}

fn name(id: Uuid) -> String {
    format!("fake-cloud-{id}")
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, Place>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process of a container that runs.
    async fn process(&self, id: Uuid) -> Result<Option<i64>, BackendError> {
        let state = self.engine.inspect(&name(id)).await?.and_then(|container| container.state);
        Ok(state.filter(|state| state.running == Some(true)).and_then(|state| state.pid))
    }

    /// Reports the server's end, if it should run and does not.
    async fn check(&self, id: Uuid, reason: String) {
        if !self.running().contains_key(&id) || matches!(self.process(id).await, Ok(Some(_))) {
            return;
        }
        if self.forget(id) {
            // Nobody listens when the cloud itself is ending.
            let _ = self.exits.send(ServerExit { id, reason });
        }
    }

    /// The server runs no more; whether it should have.
    fn forget(&self, id: Uuid) -> bool {
        let place = self.running().remove(&id);
        if let Some(Place { fixed, .. }) = place {
            self.ports.ended(fixed);
            self.watcher.closed(fixed);
        }
        place.is_some()
    }

    fn clear(&self, id: Uuid) -> Result<(), BackendError> {
        let cleared = self.places.as_ref().map_or(Ok(()), |places| places.clear(id));
        cleared.map_err(BackendError::step("unmount the server's volumes"))
    }

    async fn end(&self, id: Uuid, grace: i32) -> Result<(), BackendError> {
        self.forget(id);
        self.engine.stop(&name(id), grace).await?;
        self.clear(id)
    }

    fn show(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let show = || {
            let places = self.places.as_ref().map_err(|error| {
                io::Error::new(error.kind(), "the cloud must run as root to mount volumes")
            })?;
            places.show(server, volume, &self.volumes.mount(volume.id)?)
        };
        show().map_err(BackendError::step(format!("mount the volume {}", volume.id)))
    }

    /// Where what was printed on disks that are gone is kept.
    fn earlier_console(&self, id: Uuid) -> PathBuf {
        self.settings.state_dir.join(format!("{id}.console"))
    }

    fn earlier_log(&self, id: Uuid) -> Result<String, BackendError> {
        match std::fs::read_to_string(self.earlier_console(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            log => log.map_err(BackendError::step("read the console log")),
        }
    }
}

#[async_trait]
impl Backend for Container {
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        // A task of its own: a caller that loses patience must not leave half a server behind.
        let (inner, server) = (Arc::clone(&self.0), server.clone());
        tokio::spawn(async move { inner.start(&server).await })
            .await
            .map_err(|error| BackendError::step("start the server")(error.into()))?
    }

    async fn stop(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.end(id, GRACE).await
    }

    async fn cut(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.end(id, 0).await
    }

    async fn runs(&self, id: Uuid) -> bool {
        matches!(self.0.process(id).await, Ok(Some(_)))
    }

    async fn delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.forget(id);
        self.0.engine.remove(&name(id)).await?;
        self.0.clear(id)?;
        match std::fs::remove_file(self.0.earlier_console(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BackendError::step("remove the console log")(error))
            }
            _ => Ok(()),
        }
    }

    async fn reset(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.end(id, 0).await?;
        let log = self.console(id, None).await?;
        let kept = &log[log.floor_char_boundary(log.len().saturating_sub(KEPT))..];
        crate::guest::directory::write_private(&self.0.earlier_console(id), kept.as_bytes())
            .map_err(BackendError::step("keep the console log"))?;
        self.0.engine.remove(&name(id)).await
    }

    async fn pause(&self, id: Uuid, paused: bool) -> Result<(), BackendError> {
        self.0.engine.pause(&name(id), paused).await
    }

    async fn console(&self, id: Uuid, lines: Option<usize>) -> Result<String, BackendError> {
        let mut log = self.0.earlier_log(id)?;
        log.push_str(&self.0.engine.logs(&name(id)).await?);
        Ok(last_lines(log, lines))
    }

    async fn follow_console(
        &self,
        id: Uuid,
        lines: Option<usize>,
    ) -> Result<ConsoleStream, BackendError> {
        let earlier = self.0.earlier_log(id)?;
        if earlier.is_empty() {
            return Ok(self.0.engine.follow(&name(id), lines));
        }
        let of_this_disk = self.0.engine.logs(&name(id)).await?.lines().count();
        let missing = lines.map(|lines| lines.saturating_sub(of_this_disk));
        if missing == Some(0) {
            return Ok(self.0.engine.follow(&name(id), lines));
        }
        let earlier = Bytes::from(last_lines(earlier, missing));
        Ok(stream::iter([earlier]).chain(self.0.engine.follow(&name(id), None)).boxed())
    }

    async fn disks(&self) -> Result<Vec<Uuid>, BackendError> {
        let label = format!("{}={}", engine::CLOUD, self.0.cloud);
        let labels = self.0.engine.containers(&label).await?.into_iter();
        let ids = labels.filter_map(|it| it.labels?.get(engine::SERVER)?.parse().ok());
        Ok(ids.collect())
    }

    async fn volume_create(
        &self,
        id: Uuid,
        size_gib: u64,
        from: Option<Uuid>,
    ) -> Result<(), BackendError> {
        let volumes = self.0.volumes.clone();
        blocking("make the volume's data", move || volumes.create(id, size_gib, from)).await
    }

    async fn volume_extend(&self, id: Uuid, size_gib: u64) -> Result<(), BackendError> {
        let volumes = self.0.volumes.clone();
        blocking("extend the volume", move || volumes.extend(id, size_gib)).await
    }

    async fn volume_delete(&self, id: Uuid) -> Result<(), BackendError> {
        let Some(path) = self.0.volumes.path(id) else { return Ok(()) };
        blocking("remove the volume's data", move || crate::guest::directory::remove(&path)).await
    }

    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError> {
        self.0.volumes.ids().map_err(BackendError::step("list the volumes' data"))
    }

    async fn volume_attach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        if !self.0.running().contains_key(&server) {
            return Ok(());
        }
        self.0.show(server, volume)
    }

    async fn volume_detach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let Ok(places) = &self.0.places else { return Ok(()) };
        places.hide(server, volume).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => BackendError::Busy(volume.id),
            _ => BackendError::step("unmount the volume")(error),
        })
    }

    fn is_in_state_dir(&self) -> bool {
        false
    }

    async fn power_off(&self) {
        let running: Vec<Uuid> = self.0.running().keys().copied().collect();
        let ends = running.into_iter().map(|id| async move {
            if let Err(error) = self.0.end(id, 0).await {
                tracing::warn!(server = %id, %error, "a container was left running");
            }
        });
        futures::future::join_all(ends).await;
    }
}

impl Drop for Inner {
    /// Ends the containers that nobody has ended.
    fn drop(&mut self) {
        let running: Vec<Uuid> = self.running().drain().map(|(id, _)| id).collect();
        if running.is_empty() {
            return;
        }
        // This thread may be one that must not wait.
        let end = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            for id in running {
                // What is left the next start ends.
                let _ = runtime.block_on(async { self.engine.stop(&name(id), 0).await });
                let _ = self.clear(id);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(end);
        });
    }
}

fn last_lines(log: String, lines: Option<usize>) -> String {
    let Some(lines) = lines else { return log };
    let all: Vec<&str> = log.split_inclusive('\n').collect();
    all[all.len().saturating_sub(lines)..].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole() {
        let log = || "a\nb\nc".to_owned();
        assert_eq!(last_lines(log(), Some(2)), "b\nc");
        assert_eq!(last_lines(log(), Some(9)), "a\nb\nc");
        assert_eq!(last_lines(log(), Some(0)), "");
        assert_eq!(last_lines(log(), None), "a\nb\nc");
    }
}
