//! Cleaning up after a cloud that was killed and will not be started again.

use std::path::Path;

use crate::backends::process;
use crate::fake_cloud::{StartError, lock};
use crate::regions;

/// Removes what a cloud that was killed has left outside its state directory, such as the control
/// groups of its servers. Its servers have died with it; a start on the same directory does this too.
/// Afterwards nothing but the directory itself has to be removed.
///
/// # Errors
/// When a cloud runs there, or something cannot be removed.
pub fn clean(state_dir: &Path) -> Result<(), StartError> {
    if !state_dir.is_dir() {
        return Ok(());
    }
    let _lock = lock(state_dir)?;
    let failed = |source| StartError::StateDir { path: state_dir.to_owned(), source };
    let all = regions::state_dirs(state_dir).map_err(failed)?;
    all.iter().try_for_each(|region| process::sweep(region)).map_err(failed)
}
