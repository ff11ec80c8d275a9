//! `nutshell user`: the users of the platform that runs on this machine, as its first user sees them.

use std::path::PathBuf;

use protocol::api::{Profile, User, UserChange, UserCreate};
use protocol::client::DirectorClient;
use serde::Serialize;

use super::cps::{CpsError, connection, users};
use super::runtime::block_on;
use crate::args::{ConnectionOptions, LocalUserCommand, StateOption};
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::Printer;
use crate::stack::{Configuration, Installation, Secrets, StateDirectory, make_password};

/// Why a user is not as wished.
#[derive(Debug, thiserror::Error)]
enum UserError {
    #[error("the password of `{username}` is set in {}", path.display())]
    InConfiguration { username: String, path: PathBuf },
}

impl Advice for UserError {
    fn hint(&self) -> Option<String> {
        Some("change it there; it counts from the next `nutshell up`".to_owned())
    }

    fn exit(&self) -> Exit {
        Exit::Failure
    }
}

/// A user, and the password if it was made here.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    user: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl Told {
    /// One line about the user, and one with the password.
    fn print(&self, done: &str, printer: &Printer) {
        printer.answer(self, |told| {
            let line = format!("User '{}' {done}.", told.user.username);
            match &told.password {
                Some(password) => format!("{line}\nPassword: {password}"),
                None => line,
            }
        });
    }
}

/// Runs one command of the group.
pub(crate) fn user(command: LocalUserCommand, printer: &Printer) -> Result<Exit, Failure> {
    block_on(run(command, printer))?
}

async fn run(command: LocalUserCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        LocalUserCommand::Add { name, admin, credit, password, state } => {
            let (_, client) = connect(&state).await?;
            let (password, made) = given_or_made(password.password);
            let create = UserCreate {
                username: name,
                password,
                administrator: admin,
                credits: credit,
                profile: Profile::default(),
            };
            let user = client.user_create(&create).await.map_err(CpsError::from)?;
            Told { user, password: made }.print("created successfully", printer);
            Ok(Exit::Success)
        }
        LocalUserCommand::List { state } => {
            let (_, client) = connect(&state).await?;
            Ok(users::list(&client, true, printer).await?)
        }
        LocalUserCommand::Credit { name, amount, state } => {
            let (_, client) = connect(&state).await?;
            Ok(users::add_credit(&client, &name, amount, None, printer).await?)
        }
        LocalUserCommand::Password { name, password, state } => {
            set_password(&name, password.password, &state, printer).await
        }
    }
}

/// Another password. That of the first user is also what the next start begins with.
async fn set_password(
    name: &str,
    given: Option<String>,
    state: &StateOption,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let (local, client) = connect(state).await?;
    let user = users::find(&client, name).await?;
    let is_first = user.username.eq_ignore_ascii_case(&local.username);
    if is_first && local.configuration.password.is_some() {
        let path = local.state.configuration_file();
        return Err(UserError::InConfiguration { username: user.username, path }.into());
    }
    let (password, made) = given_or_made(given);
    let change = UserChange { password: Some(password.clone()), ..UserChange::default() };
    let user = client.user_change(user.id, &change).await.map_err(CpsError::from)?;
    if is_first {
        Secrets::load_or_make(&local.state, Some(&password))?;
    }
    Told { user, password: made }.print("has another password", printer);
    Ok(Exit::Success)
}

fn given_or_made(given: Option<String>) -> (String, Option<String>) {
    match given {
        Some(password) => (password, None),
        None => {
            let made = make_password();
            (made.clone(), Some(made))
        }
    }
}

/// The installation on this machine, and its first user.
struct Local {
    state: StateDirectory,
    configuration: Configuration,
    username: String,
}

/// Its director, as the first user: whoever else is logged in here.
async fn connect(option: &StateOption) -> Result<(Local, DirectorClient), Failure> {
    let state = StateDirectory::choose(option.state.as_deref())?;
    let username = Installation::load(&state)?.username;
    let configuration = Configuration::load(&state)?;
    let options = ConnectionOptions {
        state: Some(state.path().to_owned()),
        username: Some(username.clone()),
        ..ConnectionOptions::default()
    };
    let client = connection::connect(&options).await?;
    Ok((Local { state, configuration, username }, client))
}
