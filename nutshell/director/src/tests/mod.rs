//! The director from outside: over HTTPS, with a cloud in memory whose servers are tasks that boot
//! from their user-data as VMs do.

mod applications;
mod backups;
mod boot;
pub(crate) mod cloud;
mod credits;
mod ledger;
mod lost;
mod manifests;
mod operations;
mod restart;
mod secrets;
mod security_groups;
mod services;
mod tls;
mod users;
pub(crate) mod vm;
mod vms;
mod volumes;
pub(crate) mod world;

pub(crate) use world::World;
