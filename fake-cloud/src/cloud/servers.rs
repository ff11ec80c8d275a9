//! What is done to servers: the effects of the model's decisions.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::{Cloud, Failure, chain};
use crate::backends::{BackendError, ImageSource, ServerExit, ServerSpec};
use crate::control::{Passage, points};
use crate::model::life::{Request, Task};
use crate::model::{
    Caller, Error, LaunchSource, LaunchVolume, Model, NewServers, ProjectId, Server, ServerId,
};
use crate::store::StoreError;

impl Cloud {
    /// Records new servers and begins to start them; comes back when they are recorded, and with
    /// a little patience finds them started.
    pub(crate) async fn create_servers(
        self: &Arc<Self>,
        caller: &Caller,
        project: ProjectId,
        wanted: &NewServers,
    ) -> Result<Vec<ServerId>, Failure> {
        let (created, written) =
            self.decide(|model, now| match model.made_before(project, wanted)? {
                _ if self.cannot_hold(wanted) => Err(Error::Invalid(
                    "Block Device Mapping is Invalid: the servers of this cloud boot from images \
                     and not from volumes."
                        .to_owned(),
                )),
                Some(ids) => Ok((ids, false)),
                None => Ok((model.create_servers(caller, project, wanted, now)?, true)),
            });
        let (ids, new) = created.map_err(Failure::Refused)?;
        if !new {
            return Ok(ids);
        }
        // Before it is written: a server that nobody has recorded when the cloud is killed dies
        // with it, and its disk is removed at the next start.
        let work = ids.iter().map(|id| self.begin_task(*id, Task::Spawning)).collect();
        written.wait().await?;
        self.wait_a_little(work).await;
        Ok(ids)
    }

    /// Whether a request wants volumes made of images where there cannot be any.
    fn cannot_hold(&self, wanted: &NewServers) -> bool {
        let of_image = |volume: &LaunchVolume| match &volume.source {
            LaunchSource::New(new) => new.image.is_some(),
            LaunchSource::Existing(_) => false,
        };
        let wants = wanted.root.is_some() || wanted.volumes.iter().any(of_image);
        wants && !self.backend.boots_from_volumes()
    }

    /// Begins what was asked of a server; comes back as [`Cloud::create_servers`] does.
    pub(crate) async fn act(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        request: Request,
        request_id: &str,
    ) -> Result<(), Failure> {
        self.begin(|model, now| model.begin(caller, id, request, request_id, now)).await
    }

    /// Begins what the model decides to do to a server; comes back as [`Cloud::create_servers`]
    /// does.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        decide: impl FnOnce(&mut Model, OffsetDateTime) -> Result<(ServerId, Task), Error>,
    ) -> Result<(), Failure> {
        let (begun, written) = self.decide(decide);
        let (id, task) = begun?;
        if task == Task::Deleting {
            // Whatever is being done to it has no purpose any more.
            self.steering.gate.abandon(id.0);
        }
        let work = vec![self.begin_task(id, task)];
        written.wait().await?;
        self.wait_a_little(work).await;
        Ok(())
    }

    /// Starts again what ran when the cloud went away, takes up interrupted work, and removes
    /// disks of servers that no one knows.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<(), Failure> {
        self.resume_volumes().await?;
        let survivors = self.backend.survivors().await;
        let (work, written) = self.decide(|model, now| model.resume(&survivors, now));
        written.wait().await?;
        let known: HashSet<_> = self.read().servers.iter().map(|server| server.id.0).collect();
        for id in self.backend.disks().await?.into_iter().filter(|id| !known.contains(id)) {
            tracing::info!(server = %id, "removing the disk of a server that is not recorded");
            self.backend.delete(id).await?;
        }
        self.tidy_image_contents().await.map_err(Failure::Image)?;
        for (id, task) in work {
            self.begin_task(id, task);
        }
        Ok(())
    }

    /// Records servers that end by themselves, until the cloud goes down.
    pub(crate) async fn watch_exits(
        self: Arc<Self>,
        mut exits: mpsc::UnboundedReceiver<ServerExit>,
    ) {
        while let Some(Some(exit)) = self.going_down.run_until_cancelled(exits.recv()).await {
            let cloud = Arc::clone(&self);
            self.spawn(async move { cloud.server_ended(exit).await });
        }
    }

    async fn server_ended(self: &Arc<Self>, exit: ServerExit) {
        let id = ServerId(exit.id);
        let _turn = self.turns.begin(id).await;
        // While we waited it may have been started again, by whoever had the turn.
        if self.going_down.is_cancelled() || self.backend.runs(id.0).await {
            return;
        }
        match self.record_end(id).await {
            Ok(true) => {
                tracing::info!(server = %id, reason = exit.reason, "server ended by itself");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(server = %id, error = chain(&error), "the end is not recorded");
            }
        }
    }

    /// Records that a server has ended by itself, if it was to run, and begins to remove it when
    /// that was to be its end.
    pub(crate) async fn record_end(self: &Arc<Self>, id: ServerId) -> Result<bool, StoreError> {
        let ((ended, removal), written) = self.decide(|model, now| {
            let ended = model.server_ended(id, now);
            (ended, ended.then(|| model.begin_removal_after_end(id, now)).flatten())
        });
        if let Some(task) = removal {
            self.begin_task(id, task);
        }
        written.wait().await?;
        Ok(ended)
    }

    fn begin_task(self: &Arc<Self>, id: ServerId, task: Task) -> tokio::task::JoinHandle<()> {
        let cloud = Arc::clone(self);
        self.spawn(async move { cloud.run_task(id, task).await })
    }

    /// Does one piece of work on a server and records how it ended.
    async fn run_task(self: &Arc<Self>, id: ServerId, task: Task) {
        let passage = self.pass(&points::server(task), id.0).await;
        let _turn = self.turns.begin(id).await;
        let result = match passage {
            _ if !self.is_due(id, task) => return self.forget_if_gone(id),
            Passage::Abandoned => return,
            Passage::Free => self.carry_out(id, task).await,
            Passage::Failed(reason) => Err(BackendError::Injected(reason)),
        };
        if self.going_down.is_cancelled() {
            // What fails now fails because the servers are being ended; the next start of the
            // cloud takes the work up again.
            return;
        }
        if let Err(error) = &result {
            tracing::warn!(server = %id, task = task.name(), error = chain(error), "failed");
        }
        let result = result.map_err(|error| chain(&error));
        let booted_tree = self
            .read()
            .servers
            .get(id)
            .is_some_and(|server| matches!(server.image_source, ImageSource::Directory { .. }));
        // A floating IP that a deletion takes away may not be led elsewhere before it is.
        let _moving = match task {
            Task::Deleting => Some(self.moving.lock().await),
            _ => None,
        };
        let (unrouted, written) = self.decide(|model, now| model.finish(id, task, result, now));
        for floating in unrouted {
            self.network.disassociate(floating).await;
        }
        if self.read().servers.get(id).is_none() {
            self.turns.forget(id);
            self.steering.gate.abandon(id.0);
            // Its address is another server's soon.
            self.rejoin(id).await;
        }
        if matches!(task, Task::Spawning | Task::Deleting) {
            self.names_changed.notify_one();
        }
        if task == Task::Deleting {
            self.enforce_or_warn().await;
            if booted_tree {
                self.drop_image_trees().await;
            }
            self.remove_released().await;
        }
        if let Err(error) = written.wait().await {
            tracing::error!(server = %id, error = chain(&error), "the outcome is not recorded");
        }
    }

    /// Whether a task is still to be done: a deletion may have taken its place while it waited.
    fn is_due(&self, id: ServerId, task: Task) -> bool {
        self.read().servers.get(id).is_some_and(|server| server.task == Some(task))
    }

    async fn carry_out(&self, id: ServerId, task: Task) -> Result<(), BackendError> {
        let backend = &self.backend;
        let off = self.read().servers.get(id).is_some_and(Server::is_off);
        match task {
            Task::Restarting | Task::Resizing | Task::RevertingResize if off => Ok(()),
            Task::Spawning => {
                self.make_volumes_of(id).await?;
                self.start(id).await
            }
            Task::Restarting | Task::PoweringOn | Task::Unshelving => self.start(id).await,
            Task::SoftReboot | Task::Resizing | Task::RevertingResize => {
                backend.stop(id.0).await?;
                self.start(id).await
            }
            Task::HardReboot => {
                backend.cut(id.0).await?;
                self.start(id).await
            }
            Task::Rebuilding => {
                backend.reset(id.0).await?;
                if off { Ok(()) } else { self.start(id).await }
            }
            Task::ConfirmingResize => Ok(()),
            Task::PoweringOff | Task::Shelving => backend.stop(id.0).await,
            Task::Pausing | Task::Suspending => backend.pause(id.0, true).await,
            Task::Unpausing => backend.pause(id.0, false).await,
            Task::Resuming => {
                // It does not run any more when the cloud was away meanwhile.
                self.start(id).await?;
                backend.pause(id.0, false).await
            }
            Task::Deleting => backend.delete(id.0).await,
        }
    }

    async fn start(&self, id: ServerId) -> Result<(), BackendError> {
        // A server must not run unguarded.
        self.enforce().await.map_err(BackendError::step("enforce the security groups"))?;
        let spec = self.spec(id).ok_or(BackendError::NoAddress(id.0))?;
        self.backend.start(&spec).await
    }

    fn spec(&self, id: ServerId) -> Option<ServerSpec> {
        let model = self.read();
        let url = self.network.cloud_url();
        let mut spec = model.spec(id, url.as_ref().unwrap_or(&self.api_url))?;
        if self.backend.reads_hosts() {
            spec.hosts = model.hosts(model.servers.get(id)?.project_id);
        }
        let image = model.servers.get(id)?.image_id;
        match spec.image {
            ImageSource::Opaque => {
                spec.image = ImageSource::File { path: self.image_content_path(image) };
            }
            // Content above this machine's own system: what a server changed of it.
            ImageSource::Host { .. }
                if model.images.get(image).is_some_and(|it| it.md5.is_some()) =>
            {
                spec.layer = Some(self.image_content_path(image));
            }
            _ => {}
        }
        Some(spec)
    }

    /// Waits for work, but not for long: what is not done in time goes on without us.
    pub(super) async fn wait_a_little(&self, work: Vec<tokio::task::JoinHandle<()>>) {
        let _ = tokio::time::timeout(self.patience, join_all(work)).await;
    }
}
