//! Web services under load, simulated by the minute: what autoscaling costs and how many requests are
//! late, beside pools that never change and a schedule that knows the future.
//!
//! Days pass in milliseconds: the decisions are a function of what they are told, the time included.

mod outcome;
mod queue;
mod simulation;
mod traces;

pub use outcome::{Outcome, enough, enough_throughout, fixed, perfect};
pub use simulation::{Cloud, autoscaled};
pub use traces::{Trace, traces};

/// Milliseconds within which requests are to be answered, 95 of 100 of them.
pub const THRESHOLD: u32 = 1000;

#[cfg(test)]
mod tests;
