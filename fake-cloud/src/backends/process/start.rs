//! How a server starts: with the strongest isolation that the machine grants, its volumes and its
//! cable.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::cgroups::{Group, MemoryEvents, Quota};
use super::launch::{self, Cable, LaunchError, Launched, Prepared};
use super::running::{self, Running};
use super::seccomp::decide::Place;
use super::{Inner, capture, trees};
use crate::backends::{BackendError, ImageSource, ServerSpec, VolumeMount, blocking};
use crate::guest::order::{Command, Isolation, Order, SystemPart};
use crate::guest::root::layout;
use crate::network::Wiring;

impl Inner {
    pub(super) async fn start(self: Arc<Self>, server: &ServerSpec) -> Result<(), BackendError> {
        let ending = self.ending().clone();
        let quota = Quota { vcpus: server.vcpus, memory_mib: server.memory_mib };
        let group = Arc::new(self.groups.group(server.id, quota));
        let mut isolation = self.isolation();
        let launched = loop {
            match self.launch(server, &group, isolation, &ending).await {
                Err(LaunchError::Refused(reason)) => match self.weaker(isolation) {
                    Some(weaker) => {
                        self.weaken(isolation, weaker, &reason);
                        isolation = weaker;
                    }
                    None => return Err(reason),
                },
                other => break other.map_err(LaunchError::into_inner)?,
            }
        };
        Arc::clone(&self).adopt(server, launched, group).await?;
        if ending.is_cancelled()
            && let Some(late) = self.servers().get(&server.id)
        {
            // It came too late to be ended with the others.
            late.cut();
        }
        Ok(())
    }

    /// Whether servers have networks of their own.
    pub(super) fn has_networks(&self) -> bool {
        matches!(self.wiring, Wiring::Separate(_))
    }

    /// The next best isolation with which servers have what they are to have.
    pub(super) fn weaker(&self, isolation: Isolation) -> Option<Isolation> {
        isolation.weaker().filter(|weaker| *weaker != Isolation::Plain || !self.has_networks())
    }

    pub(super) fn isolation(&self) -> Isolation {
        *self.isolation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on does without an isolation that this machine refuses.
    pub(super) fn weaken(&self, refused: Isolation, weaker: Isolation, reason: &BackendError) {
        let mut isolation = self.isolation.lock().unwrap_or_else(PoisonError::into_inner);
        if *isolation != refused {
            return;
        }
        *isolation = weaker;
        let consequence = match weaker {
            Isolation::Plain => "servers are plain processes",
            Isolation::Users | Isolation::Namespaces => {
                "users of servers are users of this machine, and root is root"
            }
        };
        tracing::warn!(reason = %launch::chain(reason), "a refusal of this machine: {consequence}");
    }

    pub(super) async fn launch(
        &self,
        server: &ServerSpec,
        group: &Arc<Group>,
        isolation: Isolation,
        ending: &CancellationToken,
    ) -> Result<Launched, LaunchError> {
        if matches!(server.image, ImageSource::Opaque | ImageSource::File { .. }) {
            let reason = "an uploaded file is no root directory".to_owned();
            return Err(LaunchError::Failed(BackendError::Image(reason)));
        }
        let order = Order {
            isolation,
            id: server.id,
            hostname: server.hostname.clone(),
            image: server.image.clone(),
            system: self.system_parts(&server.image).map_err(LaunchError::Failed)?,
            base: self.state.base(),
            own_network: self.has_networks(),
            fixed_ip: server.fixed_ip,
            metadata_url: server.metadata_url.clone(),
            authorized_keys: server.authorized_keys.clone(),
            hosts: server.hosts.clone(),
            volume_store: self.state.volumes().root().to_owned(),
            volumes: server.volumes.clone(),
        };
        let (user_data, layer) = (server.user_data.clone(), server.layer.clone());
        let state = self.state.clone();
        let (order, directory) = blocking("prepare the server's disk", move || {
            if matches!(order.image, ImageSource::Host { .. }) {
                state.ensure_base()?;
            }
            let directory = state.prepare(&order, user_data.as_deref())?;
            if let Some(layer) = layer
                && !directory.booted().exists()
            {
                capture::begin_with(&layer, &directory, &order)?;
            }
            Ok((order, directory))
        })
        .await
        .map_err(LaunchError::Failed)?;
        let mut volumes = vec![];
        if isolation != Isolation::Plain {
            for volume in &server.volumes {
                let mount = self.mount_volume(volume.id, None).await;
                volumes.push(mount.map_err(LaunchError::Failed)?);
            }
        }
        let cable = match &self.wiring {
            Wiring::Shared(_) => None,
            Wiring::Separate(switch) => {
                Some(Cable { switch: Arc::clone(switch), interfaces: server.interfaces.clone() })
            }
        };
        let prepared = Prepared { order, directory, volumes, group: Arc::clone(group) };
        let live = self.consoles.of(server.id);
        launch::launch(&self.init_program, prepared, live, ending, cable).await
    }

    /// What a server gets of this machine's root directory, if that is its image.
    pub(super) fn system_parts(
        &self,
        image: &ImageSource,
    ) -> Result<Vec<SystemPart>, BackendError> {
        if !matches!(image, ImageSource::Host { .. }) {
            return Ok(vec![]);
        }
        layout::system(self.state.path())
            .map_err(BackendError::step("read this machine's root directory"))
    }

    /// Keeps the server and watches over it.
    pub(super) async fn adopt(
        self: Arc<Self>,
        server: &ServerSpec,
        mut launched: Launched,
        group: Arc<Group>,
    ) -> Result<(), BackendError> {
        self.say_lacks(launched.without);
        match (&self.interceptor, launched.listener.take(), &self.wiring) {
            (Some(interceptor), Some(listener), _) => {
                let place = Place::new(server.fixed_ip, &server.metadata_url);
                if let Err(error) = interceptor.add(listener, place) {
                    // Its processes end with their channel.
                    drop(launched.control);
                    running::wait(&launched.process, launched.console).await;
                    return Err(BackendError::step("answer the server")(error));
                }
            }
            (_, _, Wiring::Shared(ports)) => {
                running::poll_ports(&launched.process, server.fixed_ip, Arc::clone(ports));
            }
            (_, _, Wiring::Separate(_)) => {}
        }
        let (mut running, ended) =
            Running::new(launched.control, Arc::clone(&launched.process), launched.users, &group);
        running.cables = launched.cables.map(Arc::new);
        if let Some(events) = group.memory_events() {
            tokio::spawn(tell_of_memory(running.clone(), events));
        }
        self.servers().insert(server.id, running.clone());
        let (id, inner, console) = (server.id, Arc::downgrade(&self), launched.console);
        let directory = self.state.server(id);
        let (exits, wiring, fixed) = (self.exits.clone(), self.wiring.clone(), server.fixed_ip);
        tokio::spawn(async move {
            let reason = running::wait(&launched.process, console).await;
            drop(group);
            if let Wiring::Shared(ports) = wiring {
                ports.closed(fixed);
            }
            directory.tidy();
            if let Some(inner) = inner.upgrade() {
                inner.servers().remove(&id);
            }
            if let Some(exit) = running.unexpected_exit(id, reason) {
                // Nobody listens when the cloud itself is ending.
                let _ = exits.send(exit);
            }
            let _ = ended.send(true);
        });
        Ok(())
    }

    /// Shows a volume in a server, if it runs.
    pub(super) async fn attach(
        &self,
        server: Uuid,
        volume: &VolumeMount,
    ) -> Result<(), BackendError> {
        let Some(running) = self.servers().get(&server).cloned() else { return Ok(()) };
        let mount = match self.isolation() {
            Isolation::Users | Isolation::Namespaces => {
                Some(self.mount_volume(volume.id, running.users.clone()).await?)
            }
            Isolation::Plain => None,
        };
        let shown = running.order(&Command::Attach { volume: volume.clone() }, mount).await;
        shown.map_err(BackendError::step("mount the volume in the server"))
    }

    pub(super) async fn mount_volume(
        &self,
        id: Uuid,
        users: Option<Arc<OwnedFd>>,
    ) -> Result<OwnedFd, BackendError> {
        let volumes = self.state.volumes().clone();
        blocking(&format!("mount the volume {id}"), move || {
            let mount = volumes.mount(id)?;
            users.map_or(Ok(()), |users| trees::map_users(&mount, users.as_fd()))?;
            Ok(mount)
        })
        .await
    }

    pub(super) fn say_lacks(&self, lacks: Vec<String>) {
        let mut said = self.lacks.lock().unwrap_or_else(PoisonError::into_inner);
        for lack in lacks {
            if said.insert(lack.clone()) {
                tracing::warn!("servers do without {lack}");
            }
        }
    }
}

/// Tells a server that it runs out of memory whenever it does, until it ends.
async fn tell_of_memory(running: Running, mut events: MemoryEvents) {
    while let Some(Ok(())) = running.while_it_runs(events.next()).await {
        if running.command(&Command::OutOfMemory).is_err() {
            return;
        }
    }
}
