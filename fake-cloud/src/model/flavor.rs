//! Flavors: how large servers are, and who may make servers of which size.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{Error, Kind};
use super::table::{Changing, record};
use super::{Caller, FlavorId, Model, ProjectId};

/// How large a server is and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flavor {
    /// Its id.
    pub id: FlavorId,
    /// The id that its maker wanted, when that is no UUID.
    #[serde(default)]
    pub given_id: Option<String>,
    /// Its name, unique in the cloud.
    pub name: String,
    /// What its maker says of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// Root disk in GiB.
    pub disk_gib: u64,
    /// A second disk in GiB: told to those who ask, and there in no server.
    #[serde(default)]
    pub ephemeral_gib: u64,
    /// Swap space in MiB: as [`Flavor::ephemeral_gib`].
    #[serde(default)]
    pub swap_mib: u64,
    /// The projects that may use it; everyone when not given.
    #[serde(default)]
    pub private_to: Option<BTreeSet<ProjectId>>,
    /// Free-form properties; the price is one of them.
    pub extra_specs: BTreeMap<String, String>,
}

/// What is wanted of a new flavor.
#[derive(Debug, Clone, Default)]
pub struct NewFlavor {
    /// Its id, a new one when not given.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What its maker says of it.
    pub description: Option<String>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// Root disk in GiB.
    pub disk_gib: u64,
    /// A second disk in GiB.
    pub ephemeral_gib: u64,
    /// Swap space in MiB.
    pub swap_mib: u64,
    /// Whether only those may use it who are told.
    pub private: bool,
}

impl Flavor {
    /// Its id in the API.
    pub fn shown_id(&self) -> String {
        self.given_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether this caller may see it and make servers of it.
    pub fn visible_to(&self, caller: &Caller) -> bool {
        let member =
            |projects: &BTreeSet<_>| caller.project_id.is_some_and(|it| projects.contains(&it));
        caller.is_admin || self.private_to.as_ref().is_none_or(member)
    }
}

impl Model {
    /// A flavor that the caller may see.
    pub fn flavor(&self, caller: &Caller, id: &str) -> Result<&Flavor, Error> {
        self.flavor_with_id(id)
            .filter(|flavor| flavor.visible_to(caller))
            .ok_or_else(|| Error::not_found(Kind::Flavor, id))
    }

    fn flavor_with_id(&self, id: &str) -> Option<&Flavor> {
        let uuid = id.parse().ok().and_then(|id| self.flavors.get(id));
        let given = || self.flavors.iter().find(|flavor| flavor.given_id.as_deref() == Some(id));
        uuid.filter(|flavor| flavor.given_id.is_none()).or_else(given)
    }

    /// A flavor, to be changed by the administrator.
    pub fn flavor_mut(&mut self, id: &str) -> Result<Changing<'_, Flavor>, Error> {
        let found = self.flavor_with_id(id).map(|flavor| flavor.id);
        let found = found.and_then(|id| self.flavors.get_mut(id));
        found.ok_or_else(|| Error::not_found(Kind::Flavor, id))
    }

    /// Makes a flavor.
    pub fn create_flavor(&mut self, wanted: NewFlavor) -> Result<FlavorId, Error> {
        if self.flavors.iter().any(|flavor| flavor.name == wanted.name) {
            let name = wanted.name;
            return Err(Error::Conflict(format!("Flavor with name {name} already exists.")));
        }
        if let Some(id) = wanted.id.as_deref().filter(|id| self.flavor_with_id(id).is_some()) {
            return Err(Error::Conflict(format!("Flavor with ID {id} already exists.")));
        }
        let uuid: Option<FlavorId> = wanted.id.as_ref().and_then(|id| id.parse().ok());
        // Written otherwise than UUIDs are written, it is kept as it was sent.
        let uuid = uuid.filter(|uuid| Some(uuid.to_string()) == wanted.id);
        let id = uuid.unwrap_or_else(FlavorId::random);
        self.flavors.insert(Flavor {
            id,
            given_id: wanted.id.filter(|_| uuid.is_none()),
            name: wanted.name,
            description: wanted.description,
            vcpus: wanted.vcpus,
            ram_mib: wanted.ram_mib,
            disk_gib: wanted.disk_gib,
            ephemeral_gib: wanted.ephemeral_gib,
            swap_mib: wanted.swap_mib,
            private_to: wanted.private.then(BTreeSet::new),
            extra_specs: BTreeMap::new(),
        });
        Ok(id)
    }

    /// Removes a flavor; servers of it keep their size.
    pub fn delete_flavor(&mut self, id: &str) -> Result<(), Error> {
        let id = self.flavor_mut(id)?.id;
        self.flavors.remove(id);
        Ok(())
    }

    /// Lets a project use a private flavor.
    pub fn allow_flavor(&mut self, id: &str, project: ProjectId) -> Result<(), Error> {
        let Some(projects) = &mut self.flavor_mut(id)?.private_to else {
            return Err(Error::Conflict("Can not add access to a public flavor.".to_owned()));
        };
        if !projects.insert(project) {
            return Err(Error::Conflict(format!(
                "Flavor access already exists for flavor {id} and project {project} combination."
            )));
        }
        Ok(())
    }

    /// Lets a project use a private flavor no more. Tells whether it could.
    pub fn forbid_flavor(&mut self, id: &str, project: ProjectId) -> Result<bool, Error> {
        match &mut self.flavor_mut(id)?.private_to {
            Some(projects) => Ok(projects.remove(&project)),
            None => Err(Error::Conflict("Can not remove access from a public flavor.".to_owned())),
        }
    }
}

record!(Flavor, FlavorId, "flavor");
