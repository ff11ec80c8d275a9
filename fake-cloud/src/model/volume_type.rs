//! Types of volumes: names and properties that administrators give, and who may use which. All
//! volumes of this cloud are made alike.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::{Uuid, uuid};

use super::error::{Error, Kind};
use super::table::record;
use super::{Caller, Model, ProjectId, Volume, VolumeTypeId};

/// A type of volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeType {
    /// Its id.
    pub id: VolumeTypeId,
    /// Its name, unique in the cloud.
    pub name: String,
    /// What its maker says of it.
    pub description: Option<String>,
    /// The projects that may use it; everyone when not given.
    pub private_to: Option<BTreeSet<ProjectId>>,
    /// Free-form properties.
    pub extra_specs: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// What is wanted of a new type, or of one that is there: what is not said stays as it is.
#[derive(Debug, Clone, Default)]
pub struct VolumeTypeChanges {
    /// Its name.
    pub name: Option<String>,
    /// What its maker says of it.
    pub description: Option<String>,
    /// Whether everyone may use it.
    pub public: Option<bool>,
    /// Its properties.
    pub extra_specs: Option<BTreeMap<String, String>>,
}

/// The name of the type that volumes have of which nobody said another.
pub const DEFAULT_TYPE: &str = "__DEFAULT__";

/// Its id.
const DEFAULT_ID: Uuid = uuid!("54a0457d-c3bd-4dcf-bfff-3e3dc9f24cab");

impl VolumeTypeId {
    /// The type that is always there.
    pub const DEFAULT: Self = Self(DEFAULT_ID);
}

impl VolumeType {
    /// Whether a caller may use it.
    pub fn usable_by(&self, caller: &Caller) -> bool {
        let listed = |projects: &BTreeSet<ProjectId>| {
            caller.project_id.is_some_and(|project| projects.contains(&project))
        };
        caller.is_admin || self.private_to.as_ref().is_none_or(listed)
    }
}

impl Model {
    /// Makes the type that is always there, unless it is.
    pub(super) fn seed_volume_type(&mut self, now: OffsetDateTime) {
        if self.volume_types.get(VolumeTypeId::DEFAULT).is_none() {
            self.volume_types.insert(VolumeType {
                id: VolumeTypeId::DEFAULT,
                name: DEFAULT_TYPE.to_owned(),
                description: Some("Default Volume Type".to_owned()),
                private_to: None,
                extra_specs: BTreeMap::new(),
                created: now,
            });
        }
    }

    /// A type that the caller may use, by its id or, if wanted, its name.
    pub fn volume_type(
        &self,
        caller: &Caller,
        text: &str,
        by_name: bool,
    ) -> Result<&VolumeType, Error> {
        let by_id = text.parse().ok().and_then(|id| self.volume_types.get(id));
        let named = || self.volume_types.iter().find(|it| by_name && it.name == text);
        let found = by_id.or_else(named).filter(|it| it.usable_by(caller));
        found.ok_or_else(|| Error::not_found(Kind::VolumeType, text))
    }

    /// The type of a volume.
    pub fn type_of(&self, volume: &Volume) -> Option<&VolumeType> {
        self.volume_types.get(volume.type_id)
    }

    /// Makes a type.
    pub fn create_volume_type(
        &mut self,
        name: String,
        wanted: VolumeTypeChanges,
        now: OffsetDateTime,
    ) -> Result<VolumeTypeId, Error> {
        self.check_type_name(&name, None)?;
        let id = VolumeTypeId::random();
        self.volume_types.insert(VolumeType {
            id,
            name,
            description: wanted.description,
            private_to: (wanted.public == Some(false)).then(BTreeSet::new),
            extra_specs: wanted.extra_specs.unwrap_or_default(),
            created: now,
        });
        Ok(id)
    }

    /// Changes a type.
    pub fn change_volume_type(
        &mut self,
        id: VolumeTypeId,
        wanted: VolumeTypeChanges,
    ) -> Result<(), Error> {
        if let Some(name) = &wanted.name {
            self.check_type_name(name, Some(id))?;
        }
        let missing = || Error::not_found(Kind::VolumeType, id);
        let mut kind = self.volume_types.get_mut(id).ok_or_else(missing)?;
        kind.name = wanted.name.unwrap_or_else(|| std::mem::take(&mut kind.name));
        kind.description = wanted.description.or_else(|| kind.description.take());
        kind.private_to = match wanted.public {
            Some(true) => None,
            Some(false) => Some(kind.private_to.take().unwrap_or_default()),
            None => kind.private_to.take(),
        };
        if let Some(extra_specs) = wanted.extra_specs {
            kind.extra_specs = extra_specs;
        }
        Ok(())
    }

    /// Lets a project use a private type, or no longer.
    pub fn change_type_access(
        &mut self,
        id: VolumeTypeId,
        project: ProjectId,
        allow: bool,
    ) -> Result<(), Error> {
        let missing = || Error::not_found(Kind::VolumeType, id);
        let mut kind = self.volume_types.get_mut(id).ok_or_else(missing)?;
        let Some(projects) = &mut kind.private_to else {
            return Err(Error::Invalid(
                "Invalid input received: Type access modification is not applicable to public \
                 volume type."
                    .to_owned(),
            ));
        };
        let changed = if allow { projects.insert(project) } else { projects.remove(&project) };
        match (changed, allow) {
            (true, _) => Ok(()),
            (false, true) => Err(Error::Conflict(format!(
                "Volume type access for {id} / {project} combination already exists."
            ))),
            (false, false) => Err(Error::not_found(Kind::VolumeTypeAccess, project)),
        }
    }

    /// Removes a type that no volume has.
    pub fn delete_volume_type(&mut self, id: VolumeTypeId) -> Result<(), Error> {
        if id == VolumeTypeId::DEFAULT {
            return Err(Error::Forbidden(format!(
                "The volume type {id} is the default volume type and cannot be deleted."
            )));
        }
        if self.volumes.iter().any(|volume| volume.type_id == id) {
            return Err(Error::Invalid("Target volume type is still in use.".to_owned()));
        }
        let gone = self.volume_types.remove(id);
        gone.map(drop).ok_or_else(|| Error::not_found(Kind::VolumeType, id))
    }

    /// Gives a volume another type.
    pub fn retype_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        to: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let invalid = |_| Error::Invalid(format!("Volume type {to} could not be found."));
        let kind = self.volume_type(caller, to, true).map_err(invalid)?.id;
        let mut volume = self.volume_mut(caller, id)?;
        if volume.type_id == kind {
            return Err(Error::Invalid(format!(
                "Invalid volume: Retype needs another type: volume {id} is of {to}."
            )));
        }
        volume.type_id = kind;
        volume.updated = Some(now);
        Ok(())
    }

    fn check_type_name(&self, name: &str, own: Option<VolumeTypeId>) -> Result<(), Error> {
        let taken = self.volume_types.iter().any(|it| it.name == name && Some(it.id) != own);
        let refusal = || Error::Conflict(format!("Volume Type {name} already exists."));
        if taken { Err(refusal()) } else { Ok(()) }
    }
}

record!(VolumeType, VolumeTypeId, "volume_type");
