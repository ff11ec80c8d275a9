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
mod weights;

pub use decide::{MOST_BACKENDS, Situation, decide};
pub use history::{BackendMeasurement, History, Measurement, ResponseTime};
pub use plan::utilisation;
pub use pool::{Backend, InstanceType, paid_until};
