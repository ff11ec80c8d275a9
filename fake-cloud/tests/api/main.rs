//! The API as clients see it: whole clouds with the inert backend, asked over HTTP.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod actions;
mod block_devices;
mod boot_images;
mod bridge;
mod bridge_networks;
mod bridge_ways;
mod builder;
mod cinder_admin;
mod client;
mod command_line;
mod compute;
#[path = "../console/mod.rs"]
mod console;
mod control;
mod coverage;
mod ec2;
mod flavors;
mod floating_ips;
mod fuzz;
mod golden;
mod hosts;
mod identity;
mod identity_admin;
mod image;
mod interfaces;
mod metadata;
mod network;
mod networks;
mod nova_network;
mod persistence;
mod placement;
mod puppet;
mod quotas;
mod regions;
mod security_groups;
mod server_groups;
mod server_lists;
mod servers;
mod sharing;
mod snapshot;
mod volumes;
