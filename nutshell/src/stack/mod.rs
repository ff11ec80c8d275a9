//! A whole nutshell on this machine: a cloud, a director on it, and one directory for all state.

mod addresses;
mod configuration;
mod consoles;
mod directory;
mod executable;
mod installation;
mod lock;
mod parts;
mod port_holder;
mod running;
mod secrets;
mod start;

pub use addresses::{AddressError, Addresses, Claim};
pub use configuration::Configuration;
pub use consoles::{consoles, first_process, is_here};
pub use director::Executable;
pub use directory::{StateDirectory, StateError};
pub use executable::{Kept, keep};
pub use installation::Installation;
pub use lock::{Holder, Lock, LockError, holder};
pub use parts::{CLOUD_PROJECT, CLOUD_REGION, CLOUD_USER};
pub use port_holder::PortHolder;
pub use running::Running;
pub use secrets::{Secrets, make_password};
pub use start::{Observer, Prepared, Stack, StackSettings, StartError, Step, UserCredentials};
