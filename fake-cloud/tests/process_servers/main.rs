//! Servers of the process backend, started for real.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod boot;
#[path = "../built_image/mod.rs"]
mod built_image;
#[path = "../console/mod.rs"]
mod console;
mod crashes;
mod fixture;
mod images;
mod isolation;
mod life;
mod limits;
mod network;
mod plain;
mod processes;
mod volumes;
