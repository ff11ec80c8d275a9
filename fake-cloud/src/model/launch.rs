//! Volumes that servers have from their first start: made for them, or taken as they are.

use time::OffsetDateTime;

use super::attachments::{ROOT_DEVICE, choose_device};
use super::creation::check_single;
use super::error::Error;
use super::{
    AttachWanted, Attachment, Caller, ImageId, Model, NewServers, NewVolume, ProjectId, ServerId,
    VolumeId, VolumeState,
};
use crate::backends::ImageSource;

/// A volume that a new server is to have.
#[derive(Debug, Clone)]
pub struct LaunchVolume {
    /// Which volume.
    pub source: LaunchSource,
    /// How the server is to have it.
    pub attach: AttachWanted,
}

/// Where a new server's volume comes from.
#[derive(Debug, Clone)]
pub enum LaunchSource {
    /// It is made: one for each server.
    New(Box<NewVolume>),
    /// It is there: the id of one that no server has.
    Existing(String),
}

impl Model {
    /// Makes sure that so many new servers can all be given these volumes.
    pub(super) fn check_launch_volumes(
        &self,
        caller: &Caller,
        project: ProjectId,
        servers: &NewServers,
        count: u32,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let (mut number, mut size) = (0, 0);
        let mut taken: Vec<String> = Vec::new();
        let mut existing: Vec<VolumeId> = Vec::new();
        for volume in servers.root.iter().chain(&servers.volumes) {
            match &volume.source {
                LaunchSource::New(wanted) => {
                    number += u64::from(count);
                    let record = self.new_volume(caller, project, (**wanted).clone(), now)?;
                    size += u64::from(count) * record.size_gib;
                }
                LaunchSource::Existing(id) => {
                    check_single(count, "volume")?;
                    let found = self.free_volume(caller, id, project)?;
                    if existing.contains(&found) {
                        let message = format!("Invalid volume: volume {id} already attached");
                        return Err(Error::Invalid(message));
                    }
                    existing.push(found);
                }
            }
        }
        for volume in &servers.volumes {
            taken.push(choose_device(volume.attach.device.as_deref(), &taken)?);
        }
        self.check_storage(project, "volumes", number, size)
    }

    /// Gives a new server its volumes. They are its own from now on; their data is to be made
    /// before it starts.
    pub(super) fn launch_volumes(
        &mut self,
        caller: &Caller,
        project: ProjectId,
        server: ServerId,
        servers: &NewServers,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        if let Some(root) = &servers.root {
            self.launch_volume(caller, project, server, root, ROOT_DEVICE.to_owned(), now)?;
        }
        let mut taken = Vec::new();
        for wanted in &servers.volumes {
            let device = choose_device(wanted.attach.device.as_deref(), &taken)?;
            taken.push(device.clone());
            self.launch_volume(caller, project, server, wanted, device, now)?;
        }
        Ok(())
    }

    fn launch_volume(
        &mut self,
        caller: &Caller,
        project: ProjectId,
        server: ServerId,
        wanted: &LaunchVolume,
        device: String,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let attachment = Some(Attachment::new(server, device, &wanted.attach, now));
        match &wanted.source {
            LaunchSource::New(new) => {
                let mut volume = self.new_volume(caller, project, (**new).clone(), now)?;
                volume.attachment = attachment;
                self.volumes.insert(volume);
            }
            LaunchSource::Existing(id) => {
                let id = self.free_volume(caller, id, project)?;
                if let Some(mut volume) = self.volumes.get_mut(id) {
                    volume.attachment = attachment;
                }
                self.set_volume(id, VolumeState::Attaching, now);
            }
        }
        Ok(())
    }

    /// The image that a server boots which boots from a volume.
    pub(super) fn image_of_volume(
        &self,
        caller: &Caller,
        project: ProjectId,
        root: &LaunchVolume,
        now: OffsetDateTime,
    ) -> Result<(ImageId, ImageSource), Error> {
        let (image, name) = match &root.source {
            LaunchSource::New(new) => {
                let name = new.snapshot.clone().unwrap_or_default();
                (self.new_volume(caller, project, (**new).clone(), now)?.image_id, name)
            }
            LaunchSource::Existing(id) => (self.volume(caller, id)?.image_id, id.clone()),
        };
        let image =
            image.ok_or_else(|| Error::Invalid(format!("Block Device {name} is not bootable.")))?;
        // The image itself may be gone; its content is on the volume.
        let source = self.images.get(image).map_or(ImageSource::Opaque, |it| it.source.clone());
        Ok((image, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::life::{Request, State, Task};
    use crate::model::tests::{NOW, model, wanted};

    fn new(size_gib: u64, device: Option<&str>) -> LaunchVolume {
        let wanted = NewVolume { size_gib: Some(size_gib), ..NewVolume::default() };
        let attach = AttachWanted {
            device: device.map(str::to_owned),
            delete_on_termination: true,
            ..AttachWanted::default()
        };
        LaunchVolume { source: LaunchSource::New(Box::new(wanted)), attach }
    }

    #[test]
    fn each_server_has_volumes_of_its_own_that_go_with_it() {
        let (mut model, caller) = model();
        let mut wanted = wanted(&model);
        (wanted.min_count, wanted.max_count) = (2, 2);
        wanted.volumes = vec![new(1, Some("/dev/sdf")), new(2, None)];
        let project = caller.project_id.unwrap();
        let ids = model.create_servers(&caller, project, &wanted, NOW).unwrap();
        assert_eq!(model.storage_used(project), (4, 0, 6));
        let devices: Vec<_> = model.volumes_of(ids[1]).map(|(_, it)| it.device.clone()).collect();
        assert_eq!(devices, ["sdf", "sdb"]);

        let made: Vec<_> = model.volumes_of(ids[1]).map(|(volume, _)| volume.id).collect();
        for id in &made {
            model.settle_volume(*id, Some(VolumeState::Available), NOW);
            assert_eq!(model.volumes.get(*id).unwrap().state, VolumeState::InUse);
        }
        assert_eq!(model.spec(ids[1], "").unwrap().volumes.len(), 2);
        model.finish(ids[1], Task::Spawning, Ok(()), NOW);
        assert_eq!(model.servers.get(ids[1]).unwrap().state, State::Active);
        model.begin(&caller, &ids[1].to_string(), Request::Delete, "", NOW).unwrap();
        model.finish(ids[1], Task::Deleting, Ok(()), NOW);
        for id in made {
            assert_eq!(model.volumes.get(id).unwrap().state, VolumeState::Deleting);
        }
    }

    #[test]
    fn what_cannot_be_given_is_refused_before_anything_is_made() {
        let (mut model, caller) = model();
        let project = caller.project_id.unwrap();
        let existing = NewVolume { size_gib: Some(1), ..NewVolume::default() };
        let existing = model.create_volume(&caller, project, existing, NOW).unwrap().id;
        model.settle_volume(existing, Some(VolumeState::Available), NOW);
        let take = || LaunchVolume {
            source: LaunchSource::Existing(existing.to_string()),
            attach: AttachWanted::default(),
        };
        let half = u64::try_from(model.quotas(project).gigabytes / 2).unwrap();
        let refused = [
            (1, vec![new(1, Some("/dev/sdf")), new(1, Some("/dev/sdf"))]),
            (2, vec![take()]),
            (1, vec![take(), take()]),
            (2, vec![new(half, None)]),
        ];
        let mut wanted = wanted(&model);
        for (count, volumes) in refused {
            (wanted.min_count, wanted.max_count, wanted.volumes) = (count, count, volumes);
            assert!(model.create_servers(&caller, project, &wanted, NOW).is_err());
            assert_eq!((model.servers.len(), model.volumes.len()), (0, 1));
        }
        (wanted.min_count, wanted.max_count, wanted.volumes) = (1, 1, vec![take()]);
        model.create_servers(&caller, project, &wanted, NOW).unwrap();
        assert_eq!(model.volumes.get(existing).unwrap().state, VolumeState::Attaching);
    }
}
