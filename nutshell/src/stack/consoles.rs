//! The VMs as the cloud's process backend keeps them: their consoles, readable whether it runs or
//! not, and the way into them.

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

/// Whether the VM with that id is one of this machine.
#[must_use]
pub fn is_here(state: &StateDirectory, server: &str) -> bool {
    consoles(state).is_ok_and(|all| all.iter().any(|console| console.id.to_string() == server))
}

/// The process to enter a VM through, by its id in the cloud; `None` when it does not run here.
#[must_use]
pub fn first_process(state: &StateDirectory, server: &str) -> Option<u32> {
    process::first_process(&state.fake_cloud(), server.parse().ok()?).ok().flatten()
}
