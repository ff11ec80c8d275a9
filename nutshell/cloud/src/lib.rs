//! Cloud drivers behind one contract: the director asks for servers and never sees whose API answers.
//!
//! [`Cloud`] with its parts ([`Volumes`], [`SecurityGroups`]) is the contract, [`CloudError`] everything that can go wrong, and each driver a folder:
//! [`openstack`], [`ec2`]. A driver knows nothing of the platform; what belongs to whom is told by tags.

mod contract;
pub mod ec2;
mod error;
mod fault;
mod offer;
pub mod openstack;
mod patience;
mod pauses;
mod secret;
mod security_groups;
mod transport;
mod volumes;

pub use contract::{Cloud, InstanceType, NewServer, Server, ServerState};
pub use error::CloudError;
pub use secret::Secret;
pub use security_groups::{Admit, NewSecurityGroup, Protocol, SecurityGroup, SecurityGroups};
pub use volumes::{NewVolume, Volume, VolumeState, Volumes};
