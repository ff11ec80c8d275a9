//! A group of commands for each type of service that has some of its own: `cps generic …`.
//!
//! One file holds the grammar of a group and what its commands do; a line below makes it known, and
//! with it the program `cps-<type>`.

mod generic;
mod helloworld;
mod java;
mod php;

use clap::Subcommand;

use super::{Caller, CpsError};
use crate::diagnostics::Exit;

pub(crate) use generic::{GenericCommand, ScriptArguments, execute, get_script_status};
pub(crate) use helloworld::get_helloworld;
pub(crate) use php::toggle_debug;

/// The groups: what each is for, its grammar, and what runs one of its commands.
macro_rules! groups {
    ($($(#[$about:meta])+ $group:ident($command:ty) => $run:path,)+) => {
        #[derive(Debug, Subcommand)]
        pub(crate) enum TypeCommand {
            $($(#[$about])+ #[command(subcommand, arg_required_else_help = true)] $group($command),)+
        }

        /// Runs one command of a group.
        pub(crate) async fn run(
            caller: &Caller<'_>,
            command: TypeCommand,
        ) -> Result<Exit, CpsError> {
            match command {
                $(TypeCommand::$group(command) => $run(caller, command).await,)+
            }
        }
    };
}

groups! {
    /// Generic services: your own scripts on your own nodes
    Generic(GenericCommand) => generic::run,
    /// Hello World services
    Helloworld(helloworld::HelloworldCommand) => helloworld::run,
    /// Java services: web applications of servlets and JSP, and static files
    Java(java::JavaCommand) => java::run,
    /// PHP services: web applications in PHP, and static files
    Php(php::PhpCommand) => php::run,
}
