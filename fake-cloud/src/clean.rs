//! Cleaning up after a cloud that was killed and will not be started again.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::backends::process;
use crate::fake_cloud::{StartError, lock};
use crate::network::bridge;
use crate::regions;

/// What a cloud that was killed has left: a start on the same directory removes it too. No cloud
/// can start there while this is kept.
#[derive(Debug)]
pub struct Leftovers {
    state_dir: PathBuf,
    /// Of each region, and what keeps clouds out meanwhile.
    found: Option<(Vec<(process::Remains, bridge::Remains)>, File)>,
}

impl Leftovers {
    /// Looks for processes, control groups, the interface and the rules of a bridge, and what a cloud
    /// has in its state directory only while it runs.
    ///
    /// # Errors
    /// When a cloud runs there, or nobody can say what is there.
    pub fn find(state_dir: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::StateDir { path: state_dir.to_owned(), source };
        if !state_dir.is_dir() {
            return Ok(Self { state_dir: state_dir.to_owned(), found: None });
        }
        let lock = lock(state_dir)?;
        let state_dir = state_dir.canonicalize().map_err(failed)?;
        let find =
            |region: &PathBuf| Ok((process::Remains::find(region)?, bridge::Remains::find(region)));
        let regions = regions::state_dirs(&state_dir).map_err(failed)?;
        let found: std::io::Result<_> = regions.iter().map(find).collect();
        Ok(Self { found: Some((found.map_err(failed)?, lock)), state_dir })
    }

    /// Each thing that was found, in a few words.
    pub fn list(&self) -> Vec<String> {
        let parts = self.found.iter().flat_map(|(regions, _)| regions);
        let all = parts.flat_map(|(servers, network)| [servers.list(), network.list()].concat());
        // What is of a region is also of the cloud that it is in.
        let mut seen = HashSet::new();
        all.filter(|thing| seen.insert(thing.clone())).collect()
    }

    /// Removes all of it. Servers, their disks and volumes stay in the directory.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(self) -> Result<(), StartError> {
        let Some((regions, _lock)) = self.found else { return Ok(()) };
        let failed = |source| StartError::StateDir { path: self.state_dir, source };
        let mut all = regions.into_iter();
        let removed =
            all.try_for_each(|(servers, network)| servers.remove().and_then(|()| network.remove()));
        removed.map_err(failed)
    }
}

/// Removes what a cloud that was killed has left, but for its state directory: [`Leftovers`].
///
/// # Errors
/// When a cloud runs there, or something cannot be removed.
pub fn clean(state_dir: &Path) -> Result<(), StartError> {
    Leftovers::find(state_dir)?.remove()
}
