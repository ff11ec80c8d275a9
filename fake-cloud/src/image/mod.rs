//! Root file systems for servers: built from Debian's packages, kept in a store, moved as archives.
//!
//! ```text
//!  recipe ──► build (mmdebstrap) ──┐
//!  archive (import, Glance upload) ┴─► unpack ──► tree in the store ──► offered by clouds
//!                                                    └─► pack (export, other machines)
//! ```
//!
//! A tree is what [`crate::backends::ImageSource::Directory`] names. It belongs to whoever made it:
//! an ordinary user cannot give files away, so what a file's owner and mode should be is kept beside
//! the tree ([`owners`]) and comes back when the tree is packed.

pub mod build;
mod compression;
pub(crate) mod layer;
pub mod owners;
pub mod pack;
pub mod recipe;
mod sources;
pub mod store;
pub mod unpack;

pub use build::{BuildOptions, build};
pub use recipe::Recipe;
pub use store::{Manifest, Store};

use std::path::PathBuf;

/// Why something could not be done with an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No recipe of this name.
    #[error(
        "there is no recipe {name:?}: name one of {}, or a file", recipe::BUILT_IN.join(", ")
    )]
    UnknownRecipe {
        /// The name.
        name: String,
    },
    /// A recipe's file cannot be read.
    #[error("failed to read the recipe {}", path.display())]
    RecipeFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A recipe does not follow the format.
    #[error("failed to understand the recipe {}", path.display())]
    Recipe {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A name that an image cannot have.
    #[error("an image cannot be named {name:?}: use small letters, digits, dots and dashes")]
    Name {
        /// The name.
        name: String,
    },
    /// The tool is missing.
    #[error("mmdebstrap is not installed: apt-get install mmdebstrap (and uidmap, unless as root)")]
    NoMmdebstrap,
    /// The tool failed.
    #[error("mmdebstrap failed: {reason}")]
    Mmdebstrap {
        /// What it said, in a line.
        reason: String,
    },
    /// An archive cannot be made into a tree.
    #[error("failed to unpack the root file system")]
    Unpack(#[from] unpack::Error),
    /// There is no such image.
    #[error("there is no image {name:?} in {}; `fake-cloud image list` shows what is", store.display())]
    NoSuchImage {
        /// Its name.
        name: String,
        /// Where it was looked for.
        store: PathBuf,
    },
    /// A cloud offers the image.
    #[error("the image {name:?} is offered by a running cloud; end that first")]
    InUse {
        /// Its name.
        name: String,
    },
    /// A step of the work failed.
    #[error("failed to {step}")]
    Step {
        /// What was being done, as it follows "failed to".
        step: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: names the step that failed.
    fn step(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let step = step.into();
        move |source| Self::Step { step, source }
    }
}
