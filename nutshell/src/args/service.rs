//! `cps service`, and what can be asked of services of every type.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use protocol::NodeId;

use super::{ApplicationRef, NodeCountWord, ServiceRef};

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

/// What the group of every type of service has: the same as `cps service`, for that type.
#[derive(Debug, Subcommand)]
pub(crate) enum TypedCommand {
    /// Create a service of this type, and a manager where there is none
    Create(NewService),
    /// Add a service of this type to an application
    Add {
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
    /// Print the states that a service came into, and when (UTC)
    GetHistory(ServiceArgument),
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
        #[command(flatten)]
        place: NodePlace,
    },
    /// Remove nodes of a service and wait until they are gone
    RemoveNodes(NodesArgument),
}

/// What new nodes are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NodePlace {
    /// Where they are to run
    #[arg(long, short)]
    pub(crate) cloud: Option<String>,
    /// What kind of VM they are [default: the cloud's usual one]
    #[arg(long, short = 't', value_name = "TYPE")]
    pub(crate) instance_type: Option<String>,
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
