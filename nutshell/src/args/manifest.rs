//! `cps manifest`, and what other groups say of manifests.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use protocol::OperationId;

use super::ApplicationRef;

#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// List the manifests for everybody: those that come with the director, and those registered
    List,
    /// Print one of them
    Show {
        /// Its name, one of `list`
        name: String,
    },
    /// Make an application of a manifest: all of it, or nothing
    Deploy {
        /// A name of `list`, or a file; `-` is stdin
        manifest: String,
        /// Where the manager is to run, and services that name no cloud
        #[arg(long, short)]
        cloud: Option<String>,
    },
    /// Keep a manifest for everybody, under a name: administrators
    Register {
        /// The name: letters, digits, - and _
        name: String,
        #[command(flatten)]
        manifest: ManifestFile,
    },
    /// Forget a manifest that was registered: administrators
    Unregister {
        /// Its name, one of `list`
        name: String,
    },
    /// Show how far a deployment is, and wait for its end
    Status {
        /// The deployment's id
        deployment: OperationId,
    },
    /// Print a manifest that restores to the same application
    Download {
        /// The application's id or name
        application: ApplicationRef,
    },
}

/// A manifest in a file.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManifestFile {
    /// The manifest, JSON; `-` is stdin
    pub(crate) file: PathBuf,
}
