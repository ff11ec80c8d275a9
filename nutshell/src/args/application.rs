//! `cps application`.

use clap::Subcommand;

use super::{ApplicationRef, ManifestFile};

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationCommand {
    /// Create an application
    Create {
        /// Its name
        name: Option<String>,
    },
    /// List your applications
    List,
    /// Give an application another name
    Rename {
        /// Its id or name
        application: ApplicationRef,
        /// The new name
        name: String,
    },
    /// Delete an application, its services and their VMs
    Delete {
        /// Its id or name
        application: ApplicationRef,
    },
    /// Start an application: create its manager
    Start {
        /// Its id or name
        application: ApplicationRef,
        /// Where the manager is to run
        #[arg(long, short)]
        cloud: Option<String>,
    },
    /// Stop an application: remove its VMs; its services stay, stopped, with their code
    Stop {
        /// Its id or name
        application: ApplicationRef,
    },
    /// Make an application of a manifest: all of it, or nothing
    Manifest {
        #[command(flatten)]
        manifest: ManifestFile,
        /// Where the manager is to run, and services that name no cloud
        #[arg(long, short)]
        cloud: Option<String>,
    },
    /// Print a manifest that restores to the same application
    DownloadManifest {
        /// Its id or name
        application: ApplicationRef,
    },
    /// Print the log of the manager
    GetLog {
        /// Its id or name
        application: ApplicationRef,
        /// Only the last lines
        #[arg(long, short = 'n')]
        lines: Option<usize>,
    },
    /// Print an application with its services and nodes
    GetInfo {
        /// Its id or name
        application: ApplicationRef,
    },
}
