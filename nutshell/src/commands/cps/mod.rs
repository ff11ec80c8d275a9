//! `cps`: the commands of the platform's users, one file a group.

pub(crate) mod application;
pub(crate) mod autoscaling;
pub(crate) mod cloud;
pub(crate) mod code;
pub(crate) mod connection;
pub(crate) mod director;
pub(crate) mod error;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod manifest;
pub(crate) mod nodes;
pub(crate) mod progress;
pub(crate) mod service;
pub(crate) mod shell;
pub(crate) mod token;
pub(crate) mod types;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod users;
pub(crate) mod volumes;

pub(crate) use error::CpsError;

use protocol::client::DirectorClient;

use super::runtime::block_on;
use crate::args::{Cps, CpsCommand, DirectorCommand};
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;

/// A connection as somebody, and where to print.
pub(crate) struct Caller<'a> {
    /// The director, as the user who is logged in.
    pub(crate) client: DirectorClient,
    /// All output.
    pub(crate) printer: &'a Printer,
    /// Whether to wait for what the director has begun.
    pub(crate) wait: bool,
}

/// Runs one command.
pub(crate) fn run(cps: Cps, printer: &Printer) -> Result<Exit, Failure> {
    block_on(dispatch(cps, printer))?.map_err(Failure::from)
}

async fn dispatch(cps: Cps, printer: &Printer) -> Result<Exit, CpsError> {
    let Cps { connection, waiting, command } = cps;
    let command = match command {
        CpsCommand::Director(DirectorCommand::Add { name, url }) => {
            return director::add(&connection, &name, &url, printer);
        }
        CpsCommand::Director(DirectorCommand::List) => return director::list(printer),
        CpsCommand::Director(DirectorCommand::Use { name }) => {
            return director::choose(&name, printer);
        }
        command => command,
    };
    let connection = connection::directors::completed(connection)?;
    let command = match command {
        CpsCommand::Login(login) => return user::login(&connection, login, printer).await,
        CpsCommand::Logout => return user::logout(&connection, printer).await,
        CpsCommand::User(command) => return user::run(&connection, command, printer).await,
        command => command,
    };
    let client = connection::connect(&connection).await?;
    printer.detail(format!("the director is {}", client.url()));
    let caller = Caller { client, printer, wait: waiting.wait() };
    match command {
        CpsCommand::Application(command) => application::run(&caller, command).await,
        CpsCommand::Service(command) => service::run(&caller, command).await,
        CpsCommand::Manifest(command) => manifest::run(&caller, command).await,
        CpsCommand::Shell(wanted) => {
            shell::shell(&caller, wanted, connection.state.as_deref()).await
        }
        CpsCommand::Cloud(command) => cloud::run(&caller, command).await,
        CpsCommand::Director(command) => director::run(&caller, command).await,
        CpsCommand::Type(command) => types::run(&caller, command).await,
        CpsCommand::Token(command) => token::run(&caller, command).await,
        CpsCommand::Login(_) | CpsCommand::Logout | CpsCommand::User(_) => Ok(Exit::Success),
    }
}
