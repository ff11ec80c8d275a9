//! What the administrator says of the service that runs servers: a disabled one takes no new ones.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::table::record;
use super::{ComputeServiceId, Model};

/// What was said of the service; there is one record of it, or none when nothing was said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComputeService {
    /// Its id.
    pub id: ComputeServiceId,
    /// Whether it takes no new servers.
    pub disabled: bool,
    /// Why not.
    pub disabled_reason: Option<String>,
    /// Whether it is to be taken for dead.
    pub forced_down: bool,
}

/// The id of the one record.
const ID: ComputeServiceId = ComputeServiceId(Uuid::nil());

impl Model {
    /// What was said of the service.
    pub fn compute_service(&self) -> ComputeService {
        self.compute_services.get(ID).cloned().unwrap_or(ComputeService {
            id: ID,
            disabled: false,
            disabled_reason: None,
            forced_down: false,
        })
    }

    /// Says something of the service.
    pub fn change_compute_service(&mut self, change: impl FnOnce(&mut ComputeService)) {
        let mut service = self.compute_service();
        change(&mut service);
        self.compute_services.insert(service);
    }

    /// Whether the machine takes new servers.
    pub(super) fn takes_servers(&self) -> bool {
        let service = self.compute_service();
        !service.disabled && !service.forced_down
    }
}

record!(ComputeService, ComputeServiceId, "compute_service");
