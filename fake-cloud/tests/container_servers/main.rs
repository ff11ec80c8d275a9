//! Servers of the container backend, in an engine that each test starts for itself.

#![cfg(feature = "container")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

#[path = "../built_image/mod.rs"]
mod built_image;
#[path = "../console/mod.rs"]
mod console;
mod engine;
mod fixture;
mod images;
mod life;
mod network;
mod podman;
mod volumes;
