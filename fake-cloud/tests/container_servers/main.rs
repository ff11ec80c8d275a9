//! Servers of the container backend, in an engine that each test starts for itself.

#![cfg(feature = "container")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod engine;
mod fixture;
mod life;
mod network;
mod volumes;
