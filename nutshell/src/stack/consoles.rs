//! The consoles of the VMs, as the cloud's process backend keeps them: readable whether it runs or
//! not.

use std::io;

use fake_cloud::backends::process::{self, Console};

use super::StateDirectory;

/// The consoles of all VMs there are.
///
/// # Errors
/// When the cloud's directory cannot be read.
pub fn consoles(state: &StateDirectory) -> io::Result<Vec<Console>> {
    process::consoles(&state.fake_cloud())
}
