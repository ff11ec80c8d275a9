//! The clients, one a server: typed methods named like the operations they call.

mod agent;
mod director;
mod events;
mod manager;
mod persist;
mod transport;
mod user;
mod vm;

pub use agent::AgentClient;
pub use director::DirectorClient;
pub use events::EventStream;
pub use manager::ManagerClient;
pub use persist::{is_absence, is_passing, persist};
pub use transport::{ClientError, Download, Upload};
pub use vm::VmClient;
