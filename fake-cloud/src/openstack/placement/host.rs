//! The one resource provider: the machine that all servers run on.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::resources::{COUNTED, amount};
use crate::cloud::{Cloud, capacity};
use crate::model::{HOST, Resources, token_id};

/// How far each resource may be promised more often than it is there: as Nova's documentation
/// writes "without end", for servers share this machine as its processes do.
const RATIO: f64 = 9999.0;

/// What is true of the machine, in the words of `os-traits`.
pub(super) const TRAITS: [&str; 4] = [
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NODE",
    "COMPUTE_VOLUME_ATTACH",
    "COMPUTE_VOLUME_EXTEND",
];

/// The provider as it is now.
pub(super) struct Host {
    /// What there is.
    pub(super) total: Resources,
    /// What servers take.
    pub(super) used: Resources,
    /// Grows with every change.
    pub(super) generation: u64,
}

impl Host {
    /// Looks at it.
    pub(super) fn of(cloud: &Cloud) -> Self {
        let total = capacity(&cloud.state_dir);
        let model = cloud.read();
        Self { total, used: model.resources_used(), generation: model.revision }
    }

    /// Its id, the one that Nova gives the hypervisor.
    pub(super) fn id() -> Uuid {
        token_id(HOST).0
    }

    /// What can be promised of a class.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "capacities are whole numbers and much smaller than what a float holds exactly"
    )]
    pub(super) fn capacity(&self, class: &str) -> u64 {
        (amount(self.total, class) as f64 * RATIO) as u64
    }

    /// Whether it can give so much of a class once more.
    pub(super) fn fits(&self, class: &str, wanted: u64) -> bool {
        amount(self.used, class) + wanted <= self.capacity(class)
    }

    /// What it has of a class.
    pub(super) fn inventory(&self, class: &str) -> Option<Value> {
        let total = amount(self.total, class);
        (total > 0).then(|| {
            json!({
                "allocation_ratio": RATIO,
                "max_unit": i32::MAX,
                "min_unit": 1,
                "reserved": 0,
                "step_size": 1,
                "total": total,
            })
        })
    }

    /// What it has of all classes.
    pub(super) fn inventories(&self) -> Map<String, Value> {
        let named = |class: &&str| Some(((*class).to_owned(), self.inventory(class)?));
        COUNTED.iter().filter_map(named).collect()
    }
}
