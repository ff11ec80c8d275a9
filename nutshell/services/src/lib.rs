//! The services the platform hosts: for each a manager half, an agent half and a catalogue entry.
//!
//! A service is one folder with the same file names as the others and one line in the
//! `catalogue`. Its halves reach the world through their contexts alone (`manager_half`,
//! `agent_half`); what several services need is a module here (`code`, `process`, `logs`, `usage`).

pub mod agent_half;
mod catalogue;
pub mod code;
mod error;
mod generic;
mod helloworld;
mod java;
pub mod logs;
pub mod manager_half;
mod needs;
mod patience;
mod php;
pub mod process;
pub mod settings;
pub mod state;
pub mod usage;
pub mod web;

pub use agent_half::{AgentContext, AgentHalf};
pub use catalogue::{agent_half, check_image, manager_half, needs, service_type, service_types};
pub use error::ServiceError;
pub use manager_half::{AgentConnections, CodeRepository, ManagerContext, ManagerHalf};
pub use needs::Need;
