//! Servers that are virtual machines of libvirt.
//!
//! A server is a domain: its root disk grows from the image's, it boots as anywhere else, learns of
//! itself from a config drive, and has volumes as disks. Domains carry the mark of their cloud and
//! live in libvirt, not here: when the cloud is killed they run on, and the next one finds them.

mod accelerator;
mod bases;
mod connection;
mod domain;
mod machines;
mod qcow2;
mod seed;
mod start;
mod state;
mod user_network;
mod volumes;
mod xml;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::{OnceCell, mpsc, oneshot};
use uuid::Uuid;
use virt::domain::Domain;
use virt_sys as sys;

use super::{
    Backend, BackendError, ConsoleStream, ExitSender, ServerSpec, Survivor, VolumeMount, console,
};
use crate::network::PortWatcher;
use connection::{Event, Hypervisor, failed};
use domain::Accelerator;
use machines::Machines;
use state::State;

/// How long a guest may take to shut down before its power is cut.
const GRACE: Duration = Duration::from_secs(30);

/// What the backend needs of its embedder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where disks live; nobody else's business.
    pub state_dir: PathBuf,
    /// Where libvirt is, as `qemu:///system`; its own default when not given.
    pub uri: Option<String>,
    /// The TCP ports of guests that are reached at their servers' fixed addresses.
    pub ports: Vec<u16>,
}

/// The backend. Its servers end when it is dropped; when its process is killed, they run on.
#[derive(Debug, Clone)]
pub struct Libvirt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: State,
    hypervisor: Hypervisor,
    machines: Arc<Machines>,
    ports: Vec<u16>,
    accelerator: OnceCell<Accelerator>,
    /// The guest that finds out what the processor can do, and whom to tell that it has ended.
    probe: Mutex<Option<(Uuid, oneshot::Sender<()>)>>,
    survivors: HashMap<Uuid, Survivor>,
}

impl Libvirt {
    /// Connects to libvirt, takes up the machines that run on from before, and removes those whose
    /// disks are gone.
    pub fn open(
        settings: Settings,
        exits: ExitSender,
        ports: Arc<dyn PortWatcher>,
    ) -> Result<Self, BackendError> {
        let state = State::open(&settings.state_dir)
            .map_err(BackendError::step(format!("open {}", settings.state_dir.display())))?;
        let (sender, events) = mpsc::unbounded_channel();
        let mut inner = Inner {
            hypervisor: Hypervisor::open(settings.uri, sender)?,
            machines: Arc::new(Machines::new(exits, ports)),
            ports: settings.ports,
            accelerator: OnceCell::new(),
            probe: Mutex::default(),
            survivors: HashMap::new(),
            state,
        };
        inner.survivors = inner.take_up()?;
        let inner = Arc::new(inner);
        tokio::spawn(Inner::watch(Arc::downgrade(&inner), events));
        Ok(Self(inner))
    }

    /// Runs work that waits for libvirt or for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.0.blocking(work).await
    }
}

#[async_trait]
impl Backend for Libvirt {
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        // A task of its own: a caller that loses patience must not leave half a server behind.
        let (inner, server) = (Arc::clone(&self.0), server.clone());
        tokio::spawn(async move { inner.start(server).await })
            .await
            .map_err(|error| BackendError::step("start the server")(error.into()))?
    }

    async fn stop(&self, id: Uuid) -> Result<(), BackendError> {
        let Some(mut gone) = self.0.machines.ending(id) else { return Ok(()) };
        let asked = self.blocking(move |inner| {
            inner.hypervisor.with_domain(id, |domain| {
                if is_paused(domain) {
                    domain.resume().map_err(failed("resume the virtual machine"))?;
                }
                domain.shutdown().map_err(failed("press the virtual machine's power button"))
            })
        });
        match asked.await {
            Ok(_) if tokio::time::timeout(GRACE, gone.wait_for(|gone| *gone)).await.is_ok() => {
                return Ok(());
            }
            Ok(_) => tracing::info!(server = %id, "it did not shut down: its power is cut"),
            Err(error) => tracing::info!(server = %id, %error, "its power is cut"),
        }
        self.cut(id).await
    }

    async fn cut(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.cut(id).await
    }

    async fn runs(&self, id: Uuid) -> bool {
        self.0.machines.runs(id)
    }

    async fn delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.cut(id).await?;
        self.0.machines.consoles.forget(id);
        self.blocking(move |inner| {
            inner.hypervisor.with_domain(id, undefine)?;
            inner.state.remove(id).map_err(BackendError::step("remove the server's disk"))
        })
        .await
    }

    async fn reset(&self, id: Uuid) -> Result<(), BackendError> {
        self.cut(id).await?;
        let reset = move |inner: &Arc<Inner>| {
            inner.state.reset(id).map_err(BackendError::step("remove the server's disk"))
        };
        self.blocking(reset).await
    }

    async fn pause(&self, id: Uuid, paused: bool) -> Result<(), BackendError> {
        let pause = move |domain: &Domain| {
            let done = if paused { domain.suspend() } else { domain.resume() };
            done.map_err(failed("pause or resume the virtual machine"))
        };
        let done = self.blocking(move |inner| inner.hypervisor.with_domain(id, pause)).await?;
        done.map(drop).ok_or(BackendError::NoSuchServer(id))
    }

    async fn console(&self, id: Uuid, lines: Option<usize>) -> Result<String, BackendError> {
        self.blocking(move |inner| {
            console::read(&inner.state.server(id).console_log(), lines)
                .map_err(BackendError::step("read the console log"))
        })
        .await
    }

    async fn follow_console(
        &self,
        id: Uuid,
        lines: Option<usize>,
    ) -> Result<ConsoleStream, BackendError> {
        self.blocking(move |inner| {
            let log = inner.state.server(id).console_log();
            let followed = inner.machines.consoles.of(id).follow(&log, lines);
            followed.map_err(BackendError::step("read the console log"))
        })
        .await
    }

    async fn disks(&self) -> Result<Vec<Uuid>, BackendError> {
        self.0.state.servers().map_err(BackendError::step("list the servers' disks"))
    }

    async fn survivors(&self) -> HashMap<Uuid, Survivor> {
        self.0.survivors.clone()
    }

    async fn volume_create(
        &self,
        id: Uuid,
        size_gib: u64,
        from: Option<Uuid>,
    ) -> Result<(), BackendError> {
        self.blocking(move |inner| {
            let made = inner.state.volumes.create(id, size_gib, from);
            made.map_err(BackendError::step("make the volume's data"))
        })
        .await
    }

    async fn volume_extend(&self, id: Uuid, size_gib: u64) -> Result<(), BackendError> {
        self.blocking(move |inner| {
            let volumes = &inner.state.volumes;
            let size =
                volumes.extend(id, size_gib).map_err(BackendError::step("make the file larger"))?;
            let path = volumes.path(id).to_string_lossy().into_owned();
            for server in inner.machines.ids() {
                inner.hypervisor.with_domain(server, |domain| {
                    if shows(domain, id)? {
                        let resized =
                            domain.block_resize(&path, size, sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES);
                        resized.map_err(failed("tell the guest that its volume is larger"))?;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
        .await
    }

    async fn volume_delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.0.state.volumes.delete(id).map_err(BackendError::step("remove the volume's data"))
    }

    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError> {
        self.0.state.volumes.ids().map_err(BackendError::step("list the volumes' data"))
    }

    async fn volume_attach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let volume = volume.clone();
        self.on_running(server, move |inner, domain| {
            let path = inner.state.volumes.path(volume.id);
            if shows(domain, volume.id)? {
                return Ok(());
            }
            let xml = domain::volume(&volume, &path).to_string();
            domain
                .attach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE)
                .map(drop)
                .map_err(failed("plug the volume in"))
        })
        .await
    }

    async fn volume_detach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError> {
        let volume = volume.clone();
        self.on_running(server, move |inner, domain| {
            if !shows(domain, volume.id)? {
                return Ok(());
            }
            let xml = domain::volume(&volume, &inner.state.volumes.path(volume.id)).to_string();
            domain
                .detach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE)
                .map_err(failed("unplug the volume"))?;
            // libvirt has waited for the guest to let go of it, and says nothing when it has not.
            if shows(domain, volume.id)? { Err(BackendError::Busy(volume.id)) } else { Ok(()) }
        })
        .await
    }

    fn is_in_state_dir(&self) -> bool {
        false
    }

    async fn power_off(&self) {
        let ids = self.0.machines.ids();
        for result in join_all(ids.into_iter().map(|id| self.0.cut(id))).await {
            if let Err(error) = result {
                tracing::warn!(%error, "a virtual machine was not ended");
            }
        }
        if let Err(error) = self.blocking(|inner| inner.forget_domains()).await {
            tracing::warn!(%error, "libvirt still has domains of this cloud");
        }
    }
}

impl Libvirt {
    /// Does something with a server's domain if the server runs.
    async fn on_running(
        &self,
        id: Uuid,
        work: impl FnOnce(&Inner, &Domain) -> Result<(), BackendError> + Send + 'static,
    ) -> Result<(), BackendError> {
        if !self.0.machines.runs(id) {
            return Ok(());
        }
        let done = self
            .blocking(move |inner| inner.hypervisor.with_domain(id, |domain| work(inner, domain)));
        done.await.map(Option::unwrap_or_default)
    }
}

impl Inner {
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let inner = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| BackendError::step("wait for libvirt")(error.into()))?
    }

    /// Expects the machines that run, forgets those without a disk, and tells of all others.
    fn take_up(&self) -> Result<HashMap<Uuid, Survivor>, BackendError> {
        let mut survivors = HashMap::new();
        let disks = self.state.servers().map_err(BackendError::step("list the servers' disks"))?;
        for (id, domain) in self.hypervisor.domains_of(self.state.cloud)? {
            if !disks.contains(&id) {
                tracing::info!(server = %id, "removing a virtual machine that has no disk here");
                // It runs, or it does not.
                let _ = domain.destroy();
                undefine(&domain)?;
                continue;
            }
            let (state, reason) =
                domain.get_state().map_err(failed("ask how a virtual machine is"))?;
            match state {
                sys::VIR_DOMAIN_SHUTOFF => {
                    if reason.cast_unsigned() == sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN {
                        survivors.insert(id, Survivor::Ended);
                    }
                    continue;
                }
                sys::VIR_DOMAIN_PAUSED => survivors.insert(id, Survivor::Paused),
                _ => survivors.insert(id, Survivor::Running),
            };
            let expected = self.machines.expect(id, &self.state.server(id));
            expected.map_err(BackendError::step("listen to a console"))?;
            self.machines.started(id);
        }
        Ok(survivors)
    }

    /// Takes note of machines that end.
    async fn watch(inner: Weak<Self>, mut events: mpsc::UnboundedReceiver<Event>) {
        while let Some(event) = events.recv().await {
            let Some(inner) = inner.upgrade() else { return };
            match event {
                Event::Stopped(id, reason) => {
                    inner.probe_ended(id);
                    if inner.machines.has_started(id) {
                        inner.look_at(id, reason).await;
                    }
                }
                Event::Reconnected => {
                    for id in inner.machines.ids() {
                        inner.look_at(id, "it ended while libvirt was away").await;
                    }
                }
            }
        }
    }

    /// Takes note when a machine runs no more.
    async fn look_at(self: &Arc<Self>, id: Uuid, reason: &'static str) {
        let active = |domain: &Domain| domain.is_active().map_err(failed("look at it"));
        match self.blocking(move |inner| inner.hypervisor.with_domain(id, active)).await {
            Ok(Some(true)) => {}
            Ok(Some(false) | None) => self.machines.stopped(id, reason),
            Err(error) => tracing::warn!(server = %id, %error, "it may have ended"),
        }
    }

    /// Ends the machine if it runs; returns when it has ended.
    async fn cut(self: &Arc<Self>, id: Uuid) -> Result<(), BackendError> {
        let Some(mut gone) = self.machines.ending(id) else { return Ok(()) };
        let destroy = |domain: &Domain| match domain.destroy() {
            // It has ended by itself meanwhile.
            Err(_) if !domain.is_active().unwrap_or(true) => Ok(()),
            result => result.map_err(failed("cut the virtual machine's power")),
        };
        self.blocking(move |inner| inner.hypervisor.with_domain(id, destroy)).await?;
        self.look_at(id, "it was destroyed").await;
        // Its sender is there for as long as the machine.
        let _ = gone.wait_for(|gone| *gone).await;
        Ok(())
    }

    /// Leaves nothing in libvirt: domains are defined anew when they are started.
    fn forget_domains(&self) -> Result<(), BackendError> {
        for (_, domain) in self.hypervisor.domains_of(self.state.cloud)? {
            // Nothing runs any more but what could not be ended.
            let _ = domain.destroy();
            undefine(&domain)?;
        }
        Ok(())
    }
}

impl Drop for Inner {
    /// Nothing outlives the backend: its state directory can be removed now.
    fn drop(&mut self) {
        if let Err(error) = self.forget_domains() {
            tracing::warn!(%error, "libvirt still has domains of this cloud");
        }
    }
}

fn undefine(domain: &Domain) -> Result<(), BackendError> {
    match domain.is_persistent() {
        Ok(true) => domain.undefine().map_err(failed("undefine the virtual machine")),
        // It has ended, and with it its definition.
        Ok(false) | Err(_) => Ok(()),
    }
}

fn is_paused(domain: &Domain) -> bool {
    domain.get_state().is_ok_and(|(state, _)| state == sys::VIR_DOMAIN_PAUSED)
}

/// Whether a volume is a disk of the domain just now.
fn shows(domain: &Domain, volume: Uuid) -> Result<bool, BackendError> {
    let xml = domain.get_xml_desc(0).map_err(failed("look at the virtual machine's disks"))?;
    Ok(xml.contains(&format!("<serial>{volume}</serial>")))
}
