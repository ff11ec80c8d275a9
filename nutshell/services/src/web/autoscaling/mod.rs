//! Autoscaling: how many backends of which instance types a web service needs, decided from what
//! was measured.
//!
//! [`decide`] is a pure function: of the history of measurements, the backends there are, the
//! instance types the cloud offers and the user's wishes it makes one decision with its reason.
//! What it does, in order:
//!
//! 1. *learns* what the backends can do: requests a second of each instance type, and how busy one
//!    may be while 95% of its requests are answered within the threshold (`capacity`);
//! 2. *forecasts* the load, by whichever of three ways was best of late (`forecast`);
//! 3. adds the cheapest mix under the strategy when what is coming soon is more than the backends
//!    can do (`plan`), or when requests are late although the forecast saw no reason;
//! 4. else removes backends whose paid hour ends, unless the coming hour may need them;
//! 5. in any case shares the requests by what each backend can do (`weights`).

mod capacity;
mod decide;
mod forecast;
mod history;
mod plan;
mod pool;
mod sample;
mod weights;

use protocol::api::{MethodKind, MethodSummary};

pub use decide::{MOST_BACKENDS, Situation, decide};
pub use history::{BackendMeasurement, History, Measurement, ResponseTime};
pub use plan::utilisation;
pub use pool::{Backend, InstanceType, instance_types, paid_until};
pub(crate) use sample::weight;
pub use sample::{Pool, Sample};

/// The method that switches it on. A type of service that has it in the catalogue scales itself: its
/// manager does all that belongs to it.
pub const ON_AUTOSCALING: &str = "on_autoscaling";
/// The method that switches it off.
pub const OFF_AUTOSCALING: &str = "off_autoscaling";
/// The method that tells what it measured and decided.
pub const GET_AUTOSCALING: &str = "get_autoscaling";
/// The role of the nodes that come and go.
pub const ROLE: &str = super::layout::BACKEND;

/// The methods for the catalogue.
pub(crate) fn summaries() -> [MethodSummary; 3] {
    use MethodKind::{Command, Query};
    [
        (ON_AUTOSCALING, Command, "Has backends come and go with the load, or as asked now"),
        (OFF_AUTOSCALING, Command, "Leaves the number of backends to the user"),
        (GET_AUTOSCALING, Query, "Tells what autoscaling measured and decided, and why"),
    ]
    .map(|(name, kind, description)| MethodSummary {
        name: name.to_owned(),
        kind,
        description: description.to_owned(),
    })
}
