//! Projects as a region knows them. Who may use a project is known where users are, in the home
//! region; what it may use of a region, and what everyone finds there, each region knows itself.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha224};
use time::OffsetDateTime;

use super::quota::Quotas;
use super::table::record;
use super::{HOST, Model, ProjectId};

/// A project, from its first use of a region on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tenant {
    /// The project.
    pub id: ProjectId,
    /// What the API shows instead of the host's name to those who may not see it.
    pub host_id: String,
    /// Its own quotas, when they differ from the region's.
    pub quotas: Option<Quotas>,
}

impl Tenant {
    fn new(id: ProjectId) -> Self {
        let host_id = format!("{:x}", Sha224::digest(format!("{id}{HOST}")));
        Self { id, host_id, quotas: None }
    }
}

impl Model {
    /// Takes a project in, with the security group that every project has; one that is known
    /// already stays as it is.
    pub fn welcome(&mut self, project: ProjectId, now: OffsetDateTime) {
        if self.tenants.get(project).is_none() {
            self.tenants.insert(Tenant::new(project));
            self.create_default_group(project, now);
        }
    }
}

record!(Tenant, ProjectId, "tenant");
