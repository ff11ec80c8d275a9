//! An IaaS in one process: the real OpenStack API over one model, with servers that really run.
//!
//! [`FakeCloud::builder`] starts a whole cloud for a test, [`FakeCloud::start`] one to keep, from
//! [`Settings`]; a second start on the same state directory brings everything back.
//!
//! ```text
//!  openstack/  one dialect of the API ──┐
//!  ec2/        another one            ─┤
//!  metadata    what a server asks      ─┤
//!                                       ▼
//!                    cloud/  effects: store, backend, network
//!                       │  decides with
//!                       ▼
//!                    model/  pure state, no dialect, no I/O
//! ```

pub mod backends;
mod builder;
mod clean;
pub mod clock;
mod cloud;
pub mod control;
mod credentials;
mod ec2;
mod fake_cloud;
pub mod guest;
pub mod image;
mod key_material;
mod metadata;
pub mod model;
pub mod network;
mod openstack;
mod passwords;
mod query;
mod region;
mod regions;
mod scratch;
pub mod settings;
pub mod snapshot;
mod stamp;
mod store;
mod world;

pub use builder::Builder;
pub use clean::{Leftovers, clean};
pub use credentials::Credentials;
pub use fake_cloud::{FakeCloud, LOCK, StartError};
pub use openstack::coverage;
pub use region::Region;
pub use regions::RegionError;
pub use settings::Settings;

/// The examples of README.md are tried.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
