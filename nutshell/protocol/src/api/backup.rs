//! What a manager must not lose with its VM, as the director keeps it.

use serde::{Deserialize, Serialize};

/// The largest single file, in bytes.
pub const LARGEST_FILE: u64 = 1 << 30;
/// The most that all files of one application take, in bytes.
pub const MOST_BYTES: u64 = 4 << 30;
/// The most files of one application.
pub const MOST_FILES: usize = 5_000;
/// Files up to this size, in bytes, may travel inside the list.
pub const LARGEST_INLINE: u64 = 4 << 10;

/// Manager ↔ director: all files that make up the state of an application's manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Backup {
    /// The files, in no particular order.
    pub files: Vec<BackupFile>,
}

/// One file of a manager's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BackupFile {
    /// Where it lies, relative to the manager's own directory.
    pub path: String,
    /// Its permissions, as chmod(2) takes them.
    pub mode: u32,
    /// What is in it.
    pub content: BackupContent,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BackupContent {
    /// A small text, here itself.
    Inline {
        /// The text.
        text: String,
    },
    /// Sent for itself, once, whatever lists it.
    Stored {
        /// Its SHA-256, 64 lower-case hexadecimal digits.
        sha256: String,
        /// Its length in bytes.
        size: u64,
    },
}

/// The answer to a [`Backup`]: it is kept when nothing is missing; otherwise nothing has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BackupAnswer {
    /// SHA-256 of the contents that must be sent first.
    pub missing: Vec<String>,
}
