//! What is done to volumes and snapshots: the effects of the model's decisions.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use uuid::Uuid;

use super::{Cloud, Failure, chain};
use crate::backends::BackendError;
use crate::control::{Passage, points};
use crate::model::{
    self, AttachWanted, Attachment, Caller, NewVolume, Orphans, ProjectId, ServerId, Snapshot,
    SnapshotId, Volume, VolumeId, VolumeState,
};

/// Whose data there is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Volume(VolumeId),
    Snapshot(SnapshotId),
}

/// What an interrupted cloud has to do.
#[derive(Debug, Default)]
struct Business {
    /// Whose data is wanted.
    known: HashSet<Uuid>,
    /// What is to be made, and from what.
    making: Vec<(Owner, Option<Uuid>)>,
    /// What is to be removed.
    removing: Vec<Owner>,
}

impl Owner {
    fn id(self) -> Uuid {
        match self {
            Self::Volume(id) => id.into(),
            Self::Snapshot(id) => id.into(),
        }
    }

    /// The step that it is when this is being done.
    fn step(self, state: VolumeState) -> String {
        match self {
            Self::Volume(_) => points::volume(state),
            Self::Snapshot(_) => points::snapshot(state),
        }
    }
}

impl Cloud {
    /// Records a volume and begins to make its data; gives the record as it was at the beginning.
    pub(crate) async fn create_volume(
        self: &Arc<Self>,
        caller: &Caller,
        project: ProjectId,
        wanted: NewVolume,
    ) -> Result<Volume, Failure> {
        let (created, written) =
            self.decide(|model, now| match model.volume_made_before(project, &wanted)? {
                Some(volume) => Ok((volume.clone(), false)),
                None if wanted.image.is_some() && !self.backend.boots_from_volumes() => {
                    Err(model::Error::Invalid(
                        "Invalid input received: this cloud makes volumes empty, from snapshots \
                         and from volumes only."
                            .to_owned(),
                    ))
                }
                None => Ok((model.create_volume(caller, project, wanted, now)?, true)),
            });
        let (volume, new) = created.map_err(Failure::Refused)?;
        written.wait().await?;
        if !new {
            return Ok(volume);
        }
        let work = self.begin_making(Owner::Volume(volume.id), model::data_source(&volume));
        self.wait_a_little(vec![work]).await;
        Ok(volume)
    }

    /// Records a snapshot and begins to copy its data, as [`Cloud::create_volume`] does.
    pub(crate) async fn create_snapshot(
        self: &Arc<Self>,
        caller: &Caller,
        volume: &str,
        wanted: NewVolume,
        forced: bool,
    ) -> Result<Snapshot, Failure> {
        let (created, written) =
            self.decide(|model, now| model.create_snapshot(caller, volume, wanted, forced, now));
        let snapshot = created?;
        written.wait().await?;
        let source = Some(snapshot.volume_id.into());
        let work = self.begin_making(Owner::Snapshot(snapshot.id), source);
        self.wait_a_little(vec![work]).await;
        Ok(snapshot)
    }

    /// Makes a volume larger, and begins to make its data so.
    pub(crate) async fn extend_volume(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        size_gib: u64,
        attached_too: bool,
    ) -> Result<(), Failure> {
        let (extended, written) =
            self.decide(|model, now| model.extend_volume(caller, id, size_gib, attached_too, now));
        let id = extended?;
        written.wait().await?;
        let cloud = Arc::clone(self);
        let work = self.spawn(async move { cloud.extend(id, size_gib).await });
        self.wait_a_little(vec![work]).await;
        Ok(())
    }

    async fn extend(&self, id: VolumeId, size_gib: u64) {
        if let Err(error) = self.backend.volume_extend(id.into(), size_gib).await {
            tracing::warn!(volume = %id, error = chain(&error), "its data did not grow");
        }
    }

    /// Begins to remove a volume.
    pub(crate) async fn delete_volume(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        orphans: Orphans,
    ) -> Result<(), Failure> {
        let (begun, written) =
            self.decide(|model, now| model.delete_volume(caller, id, orphans, now));
        let removal = begun?;
        written.wait().await?;
        let snapshots = removal.snapshots.into_iter().map(Owner::Snapshot);
        let owners = snapshots.chain([Owner::Volume(removal.volume)]);
        self.wait_a_little(owners.map(|owner| self.begin_removal(owner)).collect()).await;
        Ok(())
    }

    /// Begins to remove a snapshot.
    pub(crate) async fn delete_snapshot(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
    ) -> Result<(), Failure> {
        let (begun, written) = self.decide(|model, now| model.delete_snapshot(caller, id, now));
        let id = begun?;
        written.wait().await?;
        self.wait_a_little(vec![self.begin_removal(Owner::Snapshot(id))]).await;
        Ok(())
    }

    /// Begins to show a volume to a server.
    pub(crate) async fn attach_volume(
        self: &Arc<Self>,
        caller: &Caller,
        server: &str,
        volume: &str,
        wanted: AttachWanted,
    ) -> Result<(VolumeId, Attachment), Failure> {
        let (begun, written) =
            self.decide(|model, now| model.attach_volume(caller, server, volume, wanted, now));
        let (id, attachment) = begun?;
        written.wait().await?;
        let (cloud, held) = (Arc::clone(self), attachment.clone());
        let work = self.spawn(async move { cloud.attach(id, &held).await });
        self.wait_a_little(vec![work]).await;
        Ok((id, attachment))
    }

    /// Begins to take a volume from a server. When a process there uses it, the volume stays.
    pub(crate) async fn detach_volume(
        self: &Arc<Self>,
        caller: &Caller,
        server: &str,
        volume: &str,
        request_id: &str,
    ) -> Result<(), Failure> {
        let (begun, written) =
            self.decide(|model, now| model.detach_volume(caller, server, volume, request_id, now));
        let (id, attachment) = begun?;
        written.wait().await?;
        let cloud = Arc::clone(self);
        let work = self.spawn(async move { cloud.detach(id, &attachment).await });
        self.wait_a_little(vec![work]).await;
        Ok(())
    }

    async fn attach(&self, id: VolumeId, attachment: &Attachment) {
        let passage = self.pass(&points::volume(VolumeState::Attaching), id.0).await;
        let _turn = self.turns.begin(attachment.server_id).await;
        let mount = model::mount(id, attachment);
        let shown = match passage {
            _ if !self.is_underway(id, attachment, VolumeState::Attaching) => {
                return self.forget_if_gone(attachment.server_id);
            }
            Passage::Abandoned => return,
            Passage::Free => self.backend.volume_attach(attachment.server_id.into(), &mount).await,
            Passage::Failed(reason) => Err(BackendError::Injected(reason)),
        };
        let outcome = match &shown {
            Ok(()) => VolumeState::InUse,
            Err(_) => VolumeState::Available,
        };
        self.settle_attachment(id, VolumeState::Attaching, outcome, shown).await;
    }

    async fn detach(&self, id: VolumeId, attachment: &Attachment) {
        let passage = self.pass(&points::volume(VolumeState::Detaching), id.0).await;
        let _turn = self.turns.begin(attachment.server_id).await;
        let mount = model::mount(id, attachment);
        let hidden = match passage {
            _ if !self.is_underway(id, attachment, VolumeState::Detaching) => {
                return self.forget_if_gone(attachment.server_id);
            }
            Passage::Abandoned => return,
            Passage::Free => self.backend.volume_detach(attachment.server_id.into(), &mount).await,
            Passage::Failed(reason) => Err(BackendError::Injected(reason)),
        };
        let outcome = match &hidden {
            Ok(()) => VolumeState::Available,
            Err(_) => VolumeState::InUse,
        };
        self.settle_attachment(id, VolumeState::Detaching, outcome, hidden).await;
    }

    /// Whether what was decided still holds: the server may have been deleted while we waited.
    fn is_underway(&self, id: VolumeId, attachment: &Attachment, state: VolumeState) -> bool {
        let model = self.read();
        let volume = model.volumes.get(id).filter(|volume| volume.state == state);
        volume.is_some_and(|volume| volume.attachment.as_ref() == Some(attachment))
    }

    /// A server that was deleted while we waited needs no turn any more.
    pub(super) fn forget_if_gone(&self, server: ServerId) {
        if self.read().servers.get(server).is_none() {
            self.turns.forget(server);
        }
    }

    async fn settle_attachment(
        &self,
        id: VolumeId,
        from: VolumeState,
        to: VolumeState,
        result: Result<(), BackendError>,
    ) {
        if self.going_down.is_cancelled() {
            return;
        }
        if let Err(error) = result {
            tracing::warn!(volume = %id, task = from.name(), error = chain(&error), "failed");
        }
        let ((), written) = self.decide(|model, now| model.settle_attachment(id, from, to, now));
        if let Err(error) = written.wait().await {
            tracing::error!(volume = %id, error = chain(&error), "the outcome is not recorded");
        }
    }

    fn begin_making(
        self: &Arc<Self>,
        owner: Owner,
        source: Option<Uuid>,
    ) -> tokio::task::JoinHandle<()> {
        let cloud = Arc::clone(self);
        self.spawn(async move {
            let made = match cloud.pass(&owner.step(VolumeState::Creating), owner.id()).await {
                Passage::Free => cloud.make(owner, source).await,
                Passage::Failed(reason) => {
                    cloud.settle(owner, Some(VolumeState::Error)).await;
                    Err(BackendError::Injected(reason))
                }
                Passage::Abandoned => Ok(()),
            };
            if let Err(error) = made {
                tracing::warn!(volume = %owner.id(), error = chain(&error), "failed");
            }
        })
    }

    async fn make(&self, owner: Owner, source: Option<Uuid>) -> Result<(), BackendError> {
        let made = self.backend.volume_create(owner.id(), self.size_of(owner), source).await;
        let state = if made.is_ok() { VolumeState::Available } else { VolumeState::Error };
        self.settle(owner, Some(state)).await;
        made
    }

    /// Makes what a new server is to start with: afterwards its volumes are in use.
    pub(super) async fn make_volumes_of(&self, server: ServerId) -> Result<(), BackendError> {
        let volumes: Vec<_> = {
            let model = self.read();
            let volumes = model.volumes_of(server).map(|(volume, _)| volume);
            volumes.map(|it| (it.id, it.state, model::data_source(it))).collect()
        };
        for (id, state, source) in volumes {
            match state {
                VolumeState::Creating => self.make(Owner::Volume(id), source).await?,
                VolumeState::Attaching => {
                    self.settle(Owner::Volume(id), Some(VolumeState::InUse)).await;
                }
                VolumeState::Available
                | VolumeState::InUse
                | VolumeState::Detaching
                | VolumeState::Reverting
                | VolumeState::AwaitingTransfer
                | VolumeState::Deleting
                | VolumeState::Error => {}
            }
        }
        Ok(())
    }

    /// In GiB; nothing when it has no record any more.
    fn size_of(&self, owner: Owner) -> u64 {
        let model = self.read();
        let size = match owner {
            Owner::Volume(id) => model.volumes.get(id).map(|volume| volume.size_gib),
            Owner::Snapshot(id) => model.snapshots.get(id).map(|snapshot| snapshot.size_gib),
        };
        size.unwrap_or_default()
    }

    fn begin_removal(self: &Arc<Self>, owner: Owner) -> tokio::task::JoinHandle<()> {
        let cloud = Arc::clone(self);
        self.spawn(async move {
            let removed = match cloud.pass(&owner.step(VolumeState::Deleting), owner.id()).await {
                Passage::Free => {
                    let _allowed = cloud.removals.read().await;
                    cloud.backend.volume_delete(owner.id()).await
                }
                Passage::Failed(reason) => Err(BackendError::Injected(reason)),
                Passage::Abandoned => return,
            };
            let state = removed.is_err().then_some(VolumeState::Error);
            if let Err(error) = removed {
                tracing::warn!(volume = %owner.id(), error = chain(&error), "failed");
            }
            cloud.settle(owner, state).await;
        })
    }

    async fn settle(&self, owner: Owner, state: Option<VolumeState>) {
        let ((), written) = self.decide(|model, now| match owner {
            Owner::Volume(id) => model.settle_volume(id, state, now),
            Owner::Snapshot(id) => model.settle_snapshot(id, state, now),
        });
        if let Err(error) = written.wait().await {
            tracing::error!(volume = %owner.id(), error = chain(&error), "not recorded");
        }
    }

    /// Removes the volumes that were to go with a server that is gone.
    pub(super) async fn remove_released(self: &Arc<Self>) {
        let ids: Vec<_> = {
            let volumes = &self.read().volumes;
            let deleting = volumes.index().states.of(VolumeState::Deleting);
            volumes.at(deleting).map(|volume| volume.id).collect()
        };
        join_all(ids.into_iter().map(|id| self.begin_removal(Owner::Volume(id)))).await;
    }

    /// Takes up interrupted work on volumes, and removes data that no record has.
    pub(super) async fn resume_volumes(self: &Arc<Self>) -> Result<(), Failure> {
        let ((), written) = self.decide(|model, now| model.resume_volumes(now));
        written.wait().await?;
        let Business { known, making, removing } = self.volume_business();
        for id in self.backend.volumes().await?.into_iter().filter(|id| !known.contains(id)) {
            tracing::info!(volume = %id, "removing the data of a volume that is not recorded");
            self.backend.volume_delete(id).await?;
        }
        // A copy needs its source: removals come after.
        join_all(making.into_iter().map(|(owner, from)| self.begin_making(owner, from))).await;
        self.resume_reverting().await;
        join_all(removing.into_iter().map(|owner| self.begin_removal(owner))).await;
        // An interruption may have come between a larger size and its effect.
        let made =
            |volume: &&Volume| matches!(volume.state, VolumeState::Available | VolumeState::InUse);
        let sizes = |volume: &Volume| (volume.id, volume.size_gib);
        let sizes: Vec<_> = self.read().volumes.iter().filter(made).map(sizes).collect();
        join_all(sizes.into_iter().map(|(id, size)| self.extend(id, size))).await;
        Ok(())
    }

    fn volume_business(&self) -> Business {
        let model = self.read();
        let volumes = model
            .volumes
            .iter()
            .map(|volume| (Owner::Volume(volume.id), volume.state, model::data_source(volume)));
        let snapshots = model.snapshots.iter().map(|snapshot| {
            (Owner::Snapshot(snapshot.id), snapshot.state, Some(snapshot.volume_id.into()))
        });
        let mut business = Business::default();
        for (owner, state, source) in volumes.chain(snapshots) {
            business.known.insert(owner.id());
            match state {
                VolumeState::Creating => business.making.push((owner, source)),
                VolumeState::Deleting => business.removing.push(owner),
                VolumeState::Available
                | VolumeState::Attaching
                | VolumeState::InUse
                | VolumeState::Detaching
                | VolumeState::Reverting
                | VolumeState::AwaitingTransfer
                | VolumeState::Error => {}
            }
        }
        business
    }
}
