//! `cps`: the platform's users' commands, group by group.

use clap::{Args, Parser, Subcommand};

use super::{
    ApplicationCommand, CloudCommand, ConnectionOptions, DirectorCommand, Login, ManifestCommand,
    OutputOptions, ServiceCommand, Shell, TokenCommand, TypeCommand, UserCommand, WaitingOptions,
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
    #[command(flatten)]
    Type(TypeCommand),
}
