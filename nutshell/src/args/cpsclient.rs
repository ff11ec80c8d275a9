//! `cpsclient`: the older client of the user guide; flat commands over services of any type.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use protocol::{CodeVersionId, NodeId};

use super::{
    ApplicationRef, ConnectionOptions, ManifestFile, NodesArgument, OnAutoscaling, OutputOptions,
    ScriptArguments, ServiceArgument,
};

/// Create, use and remove services
#[derive(Debug, Parser)]
#[command(name = "cpsclient", version, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct CpsclientProgram {
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
    /// Nothing at all prints the usage
    #[command(subcommand)]
    pub(crate) command: Option<CpsclientCommand>,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum CpsclientCommand {
    /// Print all commands, or those of a service or type of service
    #[command(visible_alias = "help")]
    Usage {
        /// A service's id, or a type of service
        target: Option<String>,
    },
    /// Print the version of this client
    Version,
    /// Log in and remember the session
    #[command(visible_alias = "login")]
    Credentials,
    /// List the types of service there are
    Available,
    /// List the clouds
    Clouds,
    /// List your applications
    Listapp,
    /// Create an application
    Createapp {
        /// Its name
        name: String,
    },
    /// Give an application another name
    Renameapp {
        /// Its id or name
        application: ApplicationRef,
        /// The new name
        name: String,
    },
    /// Delete an application, its services and their VMs
    Deleteapp {
        /// Its id or name
        application: ApplicationRef,
    },
    /// Make an application of a manifest: all of it, or nothing
    Manifest(ManifestFile),
    /// Print a manifest that restores to the same application
    DownloadManifest {
        /// Its id or name
        application: ApplicationRef,
    },
    /// List your services
    List {
        /// Only those of this application
        application: Option<ApplicationRef>,
    },
    /// Create a service, and a manager where there is none
    Create {
        /// Its type, one of `available`
        service_type: String,
        /// The id of an application, then the cloud of the manager; both may be left out
        #[arg(num_args = 0..=2, value_name = "APPLICATION|CLOUD")]
        place: Vec<String>,
    },
    /// Start a service
    Start {
        #[command(flatten)]
        service: ServiceArgument,
        /// Where its first nodes are to run
        cloud: Option<String>,
    },
    /// Stop a service
    Stop(ServiceArgument),
    /// Remove a service that does not run
    Terminate(ServiceArgument),
    /// Print the state of a service
    Info(ServiceArgument),
    /// Print what the manager logged about a service
    Logs(ServiceArgument),
    /// Give a service another name
    Rename {
        #[command(flatten)]
        service: ServiceArgument,
        /// The new name
        name: String,
    },
    /// Set the script that new nodes run before their agent
    StartupScript {
        #[command(flatten)]
        service: ServiceArgument,
        /// The script
        file: PathBuf,
    },
    /// List the nodes of a service
    ListNodes(ServiceArgument),
    /// Add nodes to a service
    AddNodes(NodesArgument),
    /// Remove nodes of a service
    RemoveNodes(NodesArgument),
    /// Upload a code version: an archive
    UploadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The archive
        file: PathBuf,
    },
    /// List the code versions
    ListUploads(ServiceArgument),
    /// Bring a code version to work
    EnableCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list_uploads`
        code_version: CodeVersionId,
    },
    /// Delete a code version that is not at work
    DeleteCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list_uploads`
        code_version: CodeVersionId,
    },
    /// Download a code version into the working directory
    DownloadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list_uploads` [default: the one at work]
        code_version: Option<CodeVersionId>,
    },
    /// Let the holders of public SSH keys clone and push code with git
    UploadKey {
        #[command(flatten)]
        service: ServiceArgument,
        /// Public keys, one a line
        file: PathBuf,
    },
    /// List these keys, and where to clone from
    ListKeys(ServiceArgument),
    /// Make a volume for a node; it is at /media/NAME there
    CreateVolume {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its name, unique in the application
        name: String,
        /// Its size in MB; clouds round up to GB
        size: u64,
        /// The node's id
        node: NodeId,
    },
    /// List the volumes of the nodes
    ListVolumes(ServiceArgument),
    /// Take a volume from its node and delete it, with all that is on it
    DeleteVolume {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its name
        name: String,
    },
    /// Run `run.sh` on all nodes of a generic service
    Run(ScriptArguments),
    /// Run `interrupt.sh` on all nodes; once more kills all scripts
    Interrupt(ScriptArguments),
    /// Run `cleanup.sh` on all nodes
    Cleanup(ScriptArguments),
    /// Print what became of the scripts; of one node with its log
    GetScriptStatus {
        #[command(flatten)]
        service: ServiceArgument,
        /// The node's id
        node: Option<NodeId>,
    },
    /// Print a log of a node
    GetAgentLog {
        #[command(flatten)]
        service: ServiceArgument,
        /// The node's id
        node: NodeId,
        /// Which of the node's logs
        file: Option<String>,
    },
    /// Show errors of PHP to the visitors of a PHP service, or no longer
    ToggleDebug(ServiceArgument),
    /// Have backends come and go with the load; once more changes how
    OnAutoscaling(OnAutoscaling),
    /// Leave the number of backends as it is
    OffAutoscaling(ServiceArgument),
    /// Print the greetings of all nodes of a Hello World service
    GetHelloworld(ServiceArgument),
}
