//! `cps`: the platform's users' commands, group by group.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use protocol::{CodeVersionId, NodeId};

use super::{
    ApplicationRef, Login, ManifestCommand, ManifestFile, NodeCountWord, OutputOptions, PhpCommand,
    ServiceRef, Shell, TokenCommand, UserCommand,
};

/// Create, use and remove applications and their services
#[derive(Debug, Parser)]
#[command(
    name = "cps",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct CpsProgram {
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) cps: Cps,
}

#[derive(Debug, Args)]
pub(crate) struct Cps {
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
    #[command(flatten)]
    pub(crate) waiting: WaitingOptions,
    #[command(subcommand)]
    pub(crate) command: CpsCommand,
}

/// Which director, and as whom. What is not said comes from the session, or from the stack that
/// runs on this machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionOptions {
    /// Name of a director in cps.toml, or `local` [default: `cps director use`]
    #[arg(long, global = true, env = "CPS_DIRECTOR", value_name = "NAME", hide_env_values = true)]
    pub(crate) director: Option<String>,
    /// Where the director is: https://HOST:PORT
    #[arg(
        long,
        global = true,
        env = "CPS_DIRECTOR_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) director_url: Option<String>,
    /// File with the certificate of the director's authority
    #[arg(
        long,
        global = true,
        env = "CPS_CA_CERTIFICATE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) ca_certificate: Option<PathBuf>,
    /// Name of the user
    #[arg(long, global = true, env = "CPS_USERNAME", value_name = "USER", hide_env_values = true)]
    pub(crate) username: Option<String>,
    /// Password of the user
    #[arg(long, global = true, env = "CPS_PASSWORD", value_name = "PASS", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// API token to use, instead of a name and a password
    #[arg(long, global = true, env = "CPS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// State directory of the stack on this machine
    #[arg(long, global = true, env = "NUTSHELL_STATE", value_name = "DIR", hide_env_values = true)]
    pub(crate) state: Option<PathBuf>,
}

/// Whether to wait for what the director has begun.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitingOptions {
    /// Wait until it is done [default]
    #[arg(long, global = true, overrides_with = "no_wait")]
    wait: bool,
    /// Only begin it
    #[arg(long, global = true, overrides_with = "wait")]
    no_wait: bool,
}

impl WaitingOptions {
    /// Whether to wait.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        !self.no_wait
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum CpsCommand {
    /// Log in and remember the session
    Login(Login),
    /// End the session and forget it
    Logout,
    /// You and your credits; other users, for administrators
    #[command(subcommand, arg_required_else_help = true)]
    User(UserCommand),
    /// Your API tokens: what scripts log in with
    #[command(subcommand, arg_required_else_help = true)]
    Token(TokenCommand),
    /// Applications: sets of services with a manager
    #[command(subcommand, arg_required_else_help = true)]
    Application(ApplicationCommand),
    /// Services of any type
    #[command(subcommand, arg_required_else_help = true)]
    Service(ServiceCommand),
    /// Manifests: whole applications in one document
    #[command(subcommand, arg_required_else_help = true)]
    Manifest(ManifestCommand),
    /// Open a shell in a node of a service, or run a command there: `cps shell 1 2 -- ps`
    Shell(Shell),
    /// Clouds and what runs there
    #[command(subcommand, arg_required_else_help = true)]
    Cloud(CloudCommand),
    /// The director itself
    #[command(subcommand, arg_required_else_help = true)]
    Director(DirectorCommand),
    /// Generic services: your own scripts on your own nodes
    #[command(subcommand, arg_required_else_help = true)]
    Generic(GenericCommand),
    /// Hello World services
    #[command(subcommand, arg_required_else_help = true)]
    Helloworld(HelloworldCommand),
    /// PHP services: web applications in PHP, and static files
    #[command(subcommand, arg_required_else_help = true)]
    Php(PhpCommand),
}

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

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the types of service there are
    GetTypes,
    /// Create a service, and a manager where there is none
    Create {
        /// Its type, one of `get-types`
        service_type: String,
        #[command(flatten)]
        new: NewService,
    },
    /// Add a service to an application
    Add {
        /// Its type, one of `get-types`
        service_type: String,
        /// The application's id or name
        application: ApplicationRef,
    },
    #[command(flatten)]
    Common(CommonCommand),
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NewService {
    /// Where the manager is to run
    #[arg(long, short)]
    pub(crate) cloud: Option<String>,
    /// The application's id or name [default: the first; made if there is none]
    #[arg(long, short)]
    pub(crate) application: Option<ApplicationRef>,
    /// The name of the service
    #[arg(long, short)]
    pub(crate) name: Option<String>,
}

/// Which service.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ServiceArgument {
    /// The service's id or name
    pub(crate) service: ServiceRef,
}

/// What can be asked of every service.
#[derive(Debug, Subcommand)]
pub(crate) enum CommonCommand {
    /// List your services
    List {
        /// Only those of this application
        #[arg(long, short)]
        application: Option<ApplicationRef>,
    },
    /// Start a service and wait until it runs
    Start {
        #[command(flatten)]
        service: ServiceArgument,
        /// Where its first nodes are to run
        #[arg(long, short)]
        cloud: Option<String>,
    },
    /// Stop a service and wait until it has stopped
    Stop(ServiceArgument),
    /// Delete a service; stops it first
    #[command(visible_aliases = ["remove", "terminate"])]
    Delete(ServiceArgument),
    /// Give a service another name
    Rename {
        #[command(flatten)]
        service: ServiceArgument,
        /// The new name
        name: String,
    },
    /// Print the state of a service
    #[command(visible_alias = "info")]
    GetState(ServiceArgument),
    /// Print what the manager logged about a service
    #[command(visible_alias = "logs")]
    GetLog {
        #[command(flatten)]
        service: ServiceArgument,
        /// Only the last lines
        #[arg(long, short = 'n')]
        lines: Option<usize>,
    },
    /// Print the script that new nodes run before their agent
    GetScript(ServiceArgument),
    /// Set the script that new nodes run before their agent
    SetScript {
        #[command(flatten)]
        service: ServiceArgument,
        /// The script; an empty file for none
        file: PathBuf,
    },
    /// Print how busy the nodes and the manager are
    GetUsage(ServiceArgument),
    /// Print the same as Prometheus reads it
    GetMetrics(ServiceArgument),
    /// List the logs of a node
    ListAgentLogs {
        #[command(flatten)]
        service: ServiceArgument,
        /// The node's id
        node: NodeId,
    },
    /// Print a log of a node
    GetAgentLog(AgentLog),
    /// List the nodes of a service
    ListNodes(ServiceArgument),
    /// Add nodes to a service and wait for them
    AddNodes {
        #[command(flatten)]
        nodes: NodesArgument,
        /// Where they are to run
        #[arg(long, short)]
        cloud: Option<String>,
    },
    /// Remove nodes of a service and wait until they are gone
    RemoveNodes(NodesArgument),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AgentLog {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// The node's id
    pub(crate) node: NodeId,
    /// Which of the node's logs [default: the agent's]
    #[arg(long = "file", short = 'f', alias = "filename", value_name = "NAME")]
    pub(crate) file: Option<String>,
    /// Only the last lines
    #[arg(long, short = 'n')]
    pub(crate) lines: Option<usize>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct NodesArgument {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// How many, or how many of which role [default: 1]; several numbers are of the roles of the
    /// type in their order, and a cloud may follow
    #[arg(value_name = "COUNT|ROLE=COUNT")]
    pub(crate) counts: Vec<NodeCountWord>,
    /// How many of the default role
    #[arg(long, hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CloudCommand {
    /// List the clouds, the default one first
    List,
    /// List all your VMs
    ListResources,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectorCommand {
    /// Print the version of the director
    Version,
    /// List the directors of your cps.toml
    List,
    /// Use one of them from now on
    Use {
        /// Its name; `local` for the stack on this machine
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GenericCommand {
    /// Create a generic service, and a manager where there is none
    Create(NewService),
    /// Add a generic service to an application
    Add {
        /// The application's id or name
        application: ApplicationRef,
    },
    #[command(flatten)]
    Common(CommonCommand),
    #[command(flatten)]
    Code(CodeCommand),
    /// Run `run.sh` on all nodes
    Run(ScriptArguments),
    /// Run `interrupt.sh` on all nodes; once more kills all scripts
    Interrupt(ScriptArguments),
    /// Run `cleanup.sh` on all nodes
    Cleanup(ScriptArguments),
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
    /// Print what became of the scripts on each node
    GetScriptStatus(ServiceArgument),
}

/// What can be asked of services with code.
#[derive(Debug, Subcommand)]
pub(crate) enum CodeCommand {
    /// Upload a code version: an archive that expands in the current directory
    UploadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// A .tar.gz, .tar.bz2, .tar or .zip archive
        file: PathBuf,
        /// What to say of it
        #[arg(long, short, default_value = "", hide_default_value = true)]
        description: String,
        /// Take off the one directory that all of it lies in
        #[arg(long)]
        strip: bool,
    },
    /// List the code versions
    #[command(visible_aliases = ["list-codes", "list-code"])]
    ListUploads(ServiceArgument),
    /// Let the holders of public SSH keys clone and push code with git
    UploadKey {
        #[command(flatten)]
        service: ServiceArgument,
        /// Public keys, one a line, such as ~/.ssh/id_ed25519.pub
        file: PathBuf,
    },
    /// List these keys, and where to clone from
    ListKeys(ServiceArgument),
    /// Let nobody in with a key any more
    DeleteKey {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its fingerprint (SHA256:…), its comment, or the key itself
        key: String,
    },
    /// Bring a code version to work
    EnableCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads`
        code_version: CodeVersionId,
    },
    /// Delete a code version that is not at work
    DeleteCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads`
        code_version: CodeVersionId,
    },
    /// Download a code version into the working directory
    DownloadCode {
        #[command(flatten)]
        service: ServiceArgument,
        /// The version, one of `list-uploads` [default: the one at work]
        code_version: Option<CodeVersionId>,
        /// The same
        #[arg(long = "version", hide = true, conflicts_with = "code_version")]
        version: Option<CodeVersionId>,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ScriptArguments {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// All of them in one word
    #[arg(short = 'p', long = "parameters", value_name = "PARAMETERS", hide = true)]
    pub(crate) line: Option<String>,
    /// Handed to the script
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) parameters: Vec<String>,
}

impl ScriptArguments {
    /// What the script is handed.
    #[must_use]
    pub(crate) fn words(&self) -> Vec<String> {
        let line = self.line.as_deref().unwrap_or_default();
        line.split_whitespace().map(str::to_owned).chain(self.parameters.clone()).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum HelloworldCommand {
    /// Create a Hello World service, and a manager where there is none
    Create(NewService),
    /// Add a Hello World service to an application
    Add {
        /// The application's id or name
        application: ApplicationRef,
    },
    #[command(flatten)]
    Common(CommonCommand),
    /// Print the greetings of all nodes
    GetHelloworld(ServiceArgument),
}
