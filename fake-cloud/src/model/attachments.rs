//! Which server has which volume: every decision, without carrying any of it out.

use time::OffsetDateTime;
use uuid::Uuid;

use super::error::{Error, Kind};
use super::life::{Obstacle, State};
use super::{
    Attachment, Caller, Model, ProjectId, Server, ServerId, Volume, VolumeId, VolumeState,
};
use crate::backends::VolumeMount;

/// What a server boots from.
pub(super) const ROOT_DEVICE: &str = "sda";

/// The devices that volumes have beside.
const DEVICES: std::ops::RangeInclusive<char> = 'b'..='z';

/// What is wanted of an attachment.
#[derive(Debug, Clone, Default)]
pub struct AttachWanted {
    /// The path of the device.
    pub device: Option<String>,
    /// What the owner calls it inside the server.
    pub tag: Option<String>,
    /// Whether the volume is removed with the server.
    pub delete_on_termination: bool,
    /// The request, for the server's events.
    pub request_id: String,
}

impl Model {
    /// The volumes of a server, by their devices.
    pub fn volumes_of(&self, server: ServerId) -> impl Iterator<Item = (&Volume, &Attachment)> {
        let volumes = self.volumes.at(self.volumes.index().servers.of(server));
        volumes.filter_map(|volume| Some((volume, volume.attachment.as_ref()?)))
    }

    /// What a server shows from its start.
    pub(super) fn shown_volumes(&self, server: ServerId) -> Vec<VolumeMount> {
        self.volumes_of(server)
            .filter(|(volume, _)| {
                matches!(volume.state, VolumeState::InUse | VolumeState::Detaching)
            })
            .map(|(volume, attachment)| mount(volume.id, attachment))
            .collect()
    }

    /// Begins to attach a volume to a server, at a device if one is wanted.
    pub fn attach_volume(
        &mut self,
        caller: &Caller,
        server: &str,
        id: &str,
        wanted: AttachWanted,
        now: OffsetDateTime,
    ) -> Result<(VolumeId, Attachment), Error> {
        let server = self.server(caller, server)?;
        let server_id = server.id;
        check_server(caller, "attach_volume", server)?;
        let volume = self.volume(caller, id)?;
        let attached_here = volume.attachment.as_ref().is_some_and(|it| it.server_id == server_id);
        if attached_here {
            return Err(Error::Invalid(format!("Invalid volume: volume {id} already attached")));
        }
        let id = self.free_volume(caller, id, server.project_id)?;
        let taken: Vec<&str> =
            self.volumes_of(server_id).map(|(_, it)| it.device.as_str()).collect();
        let device = choose_device(wanted.device.as_deref(), &taken)?;
        let attachment = Attachment::new(server_id, device, &wanted, now);
        if let Some(mut volume) = self.volumes.get_mut(id) {
            volume.attachment = Some(attachment.clone());
        }
        self.set_volume(id, VolumeState::Attaching, now);
        if let Some(mut server) = self.servers.get_mut(server_id) {
            server.begin("attach_volume", &wanted.request_id, caller.user_id, now);
        }
        Ok((id, attachment))
    }

    /// The volume with an id, if it can be given to a server of the project.
    pub(super) fn free_volume(
        &self,
        caller: &Caller,
        id: &str,
        project: ProjectId,
    ) -> Result<VolumeId, Error> {
        let volume = self.volume(caller, id)?;
        if volume.project_id != project {
            return Err(Error::not_found(Kind::Volume, id));
        }
        if volume.state != VolumeState::Available {
            return Err(Error::Invalid(format!(
                "Invalid input received: Invalid volume: Volume {id} status must be available or \
                 downloading to reserve, but the current status is {}. (HTTP 400)",
                volume.state.name()
            )));
        }
        Ok(volume.id)
    }

    /// The attachment of a volume to a server.
    pub fn attachment(
        &self,
        caller: &Caller,
        server: &str,
        volume: &str,
    ) -> Result<(&Volume, &Attachment), Error> {
        let server = self.server(caller, server)?;
        let found = self.volumes_of(server.id).find(|(it, _)| it.id.to_string() == volume);
        found.ok_or_else(|| Error::NotAttached { server: server.id, volume: volume.to_owned() })
    }

    /// Begins to take a volume from a server.
    pub fn detach_volume(
        &mut self,
        caller: &Caller,
        server: &str,
        id: &str,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(VolumeId, Attachment), Error> {
        check_server(caller, "detach_volume", self.server(caller, server)?)?;
        self.volume(caller, id)?;
        let (volume, attachment) = self.attachment(caller, server, id)?;
        if attachment.device == ROOT_DEVICE {
            return Err(Error::Forbidden("Cannot detach a root device volume".to_owned()));
        }
        if volume.state != VolumeState::InUse {
            return Err(Error::Invalid(
                "Invalid volume: Invalid volume: Unable to detach volume. Volume status must be \
                 'in-use' and attach_status must be 'attached' to detach."
                    .to_owned(),
            ));
        }
        let (id, attachment) = (volume.id, attachment.clone());
        self.set_volume(id, VolumeState::Detaching, now);
        if let Some(mut server) = self.servers.get_mut(attachment.server_id) {
            server.begin("detach_volume", request_id, caller.user_id, now);
        }
        Ok((id, attachment))
    }

    /// Says whether a volume goes with its server.
    pub fn set_delete_on_termination(
        &mut self,
        caller: &Caller,
        server: &str,
        id: &str,
        delete: bool,
    ) -> Result<(), Error> {
        let id = self.attachment(caller, server, id)?.0.id;
        let mut volume = self.volumes.get_mut(id);
        if let Some(it) = volume.as_mut().and_then(|volume| volume.attachment.as_mut()) {
            it.delete_on_termination = delete;
        }
        Ok(())
    }

    /// Records how an attachment or its end went, unless the volume is in another state by now:
    /// its server has been deleted meanwhile.
    pub fn settle_attachment(
        &mut self,
        id: VolumeId,
        from: VolumeState,
        to: VolumeState,
        now: OffsetDateTime,
    ) {
        let Some(volume) = self.volumes.get(id).filter(|volume| volume.state == from) else {
            return;
        };
        let failed = match (from, to) {
            (VolumeState::Attaching, VolumeState::Available) => Some("attach_volume"),
            (VolumeState::Detaching, VolumeState::InUse) => Some("detach_volume"),
            _ => None,
        };
        let server = volume.attachment.as_ref().map(|attachment| attachment.server_id);
        if let Some((action, mut server)) =
            failed.zip(server.and_then(|id| self.servers.get_mut(id)))
            && let Some(event) = server.events.iter_mut().rfind(|event| event.action == action)
        {
            event.message = Some(format!("Volume {id} stays {}", to.name()));
            event.updated = now;
        }
        self.set_volume(id, to, now);
    }

    /// Frees the volumes of a server that is gone; some are to go with it.
    pub(super) fn release_volumes(&mut self, server: ServerId, now: OffsetDateTime) {
        let held: Vec<_> =
            self.volumes_of(server).map(|(it, at)| (it.id, at.delete_on_termination)).collect();
        for (id, delete) in held {
            let state = if delete { VolumeState::Deleting } else { VolumeState::Available };
            self.set_volume(id, state, now);
        }
    }
}

impl Attachment {
    /// A new attachment at a device.
    pub(super) fn new(
        server_id: ServerId,
        device: String,
        wanted: &AttachWanted,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            id: Uuid::new_v4(),
            mapping_id: Uuid::new_v4(),
            server_id,
            device,
            tag: wanted.tag.clone(),
            delete_on_termination: wanted.delete_on_termination,
            attached: now,
        }
    }
}

/// The volume as the backend knows it.
pub(crate) fn mount(id: VolumeId, attachment: &Attachment) -> VolumeMount {
    VolumeMount { id: id.0, device: attachment.device.clone() }
}

fn check_server(caller: &Caller, verb: &str, server: &Server) -> Result<(), Error> {
    server.check_lock(caller)?;
    let obstacle = match (server.task, server.state) {
        (Some(task), _) => Obstacle::Task(task),
        (None, state @ (State::Building | State::Suspended | State::Error)) => {
            Obstacle::State(state)
        }
        (
            None,
            State::Active | State::Paused | State::Stopped | State::Resized | State::Shelved,
        ) => return Ok(()),
    };
    let id = server.id;
    Err(Error::Conflict(format!("Cannot '{verb}' instance {id} while it is in {obstacle}")))
}

/// The device that is wanted, or the first that is free.
pub(super) fn choose_device(
    wanted: Option<&str>,
    taken: &[impl AsRef<str>],
) -> Result<String, Error> {
    let taken = |name: &str| taken.iter().any(|it| it.as_ref() == name);
    if let Some(path) = wanted.filter(|path| !path.is_empty()) {
        let name = path.strip_prefix("/dev/").unwrap_or(path);
        let valid = (2..=16).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !valid {
            return Err(Error::Invalid(format!("The supplied device path ({path}) is invalid.")));
        }
        if name == ROOT_DEVICE || taken(name) {
            return Err(Error::Conflict(format!("The supplied device path ({path}) is in use.")));
        }
        return Ok(name.to_owned());
    }
    let mut names = DEVICES.map(|letter| format!("sd{letter}"));
    names.find(|name| !taken(name)).ok_or_else(|| {
        Error::Forbidden(format!("{} volumes are the most a server has.", DEVICES.count()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];

    #[test]
    fn a_device_is_the_one_wanted_or_the_first_that_is_free() {
        assert_eq!(choose_device(None, &["sdb", "sdd"]).unwrap(), "sdc");
        assert_eq!(choose_device(Some("/dev/vdf"), NONE).unwrap(), "vdf");
        assert_eq!(choose_device(Some(""), NONE).unwrap(), "sdb");
        assert!(matches!(choose_device(Some("/dev/sdb"), &["sdb"]), Err(Error::Conflict(_))));
        assert!(matches!(choose_device(Some("/dev/sda"), NONE), Err(Error::Conflict(_))));
        for bad in ["/dev/../x", "../../etc", "/dev/sd b", "/dev/x", "/dev/1a"] {
            assert!(matches!(choose_device(Some(bad), NONE), Err(Error::Invalid(_))), "{bad}");
        }
        let all: Vec<String> = DEVICES.map(|letter| format!("sd{letter}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert!(matches!(choose_device(None, &all), Err(Error::Forbidden(_))));
    }
}
