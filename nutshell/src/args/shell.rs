//! `cps shell`.

use std::ffi::OsString;

use clap::Args;
use protocol::NodeId;

use super::ServiceArgument;

#[derive(Debug, Clone, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// The node's id, one of `list-nodes`
    pub(crate) node: NodeId,
    /// User in the VM, where it is entered by SSH
    #[arg(long, short, default_value = "root")]
    pub(crate) login: String,
    /// A command instead of a shell
    #[arg(last = true)]
    pub(crate) command: Vec<OsString>,
}
