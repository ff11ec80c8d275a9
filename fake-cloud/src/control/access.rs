//! How one finds the steering of a cloud that runs elsewhere on this machine: its address and its
//! token are in its state directory, for its owner alone.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::guest::directory::write_private;

const FILE: &str = "control.json";

/// Where a cloud is steered, and the token that allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlAccess {
    /// As in `http://127.0.0.1:5000/control`.
    pub url: String,
    /// For the header `Authorization: Bearer TOKEN`.
    pub token: String,
}

impl ControlAccess {
    /// Reads how to steer the cloud that runs, or ran last, on a state directory.
    ///
    /// # Errors
    /// When no cloud has run there, or the file is another user's.
    pub fn of(state_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(state_dir.join(FILE))?)?)
    }

    pub(crate) fn keep(&self, state_dir: &Path) -> io::Result<()> {
        write_private(&state_dir.join(FILE), &serde_json::to_vec(self)?)
    }
}
