//! An IaaS in one process: the real OpenStack API over one model, with servers that really run.
//!
//! [`FakeCloud::start`] starts a whole cloud from [`Settings`]; a second start on the same state
//! directory brings everything back.
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
pub mod clock;
mod cloud;
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
pub mod settings;
mod store;
mod world;

pub use fake_cloud::{FakeCloud, StartError};
pub use openstack::coverage;
pub use settings::Settings;
