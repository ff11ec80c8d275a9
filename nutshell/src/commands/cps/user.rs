//! `cps user`, `cps login`, `cps logout`.

use super::CpsError;
use super::connection::{connect, log_in, log_out};
use crate::args::{ConnectionOptions, Login, UserCommand};
use crate::diagnostics::Exit;
use crate::printer::Printer;

/// Runs one command of the group.
pub(crate) async fn run(
    connection: &ConnectionOptions,
    command: UserCommand,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    match command {
        UserCommand::Login(options) => login(connection, options, printer).await,
        UserCommand::Logout => logout(connection, printer).await,
        UserCommand::Info => info(connection, printer).await,
        UserCommand::GetCredit => get_credit(connection, printer).await,
    }
}

/// Begins a session.
pub(crate) async fn login(
    connection: &ConnectionOptions,
    options: Login,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let user = log_in(connection, options, printer).await?.user;
    printer.answer(&user, |user| {
        format!("Logged in as {}, with {} credits.", user.username, user.credits)
    });
    Ok(Exit::Success)
}

/// Ends the session.
pub(crate) async fn logout(
    connection: &ConnectionOptions,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let ended = log_out(connection).await?;
    printer.answer(&ended, |ended| match ended {
        true => "Logged out.".to_owned(),
        false => "There was no session.".to_owned(),
    });
    Ok(Exit::Success)
}

async fn info(connection: &ConnectionOptions, printer: &Printer) -> Result<Exit, CpsError> {
    let user = connect(connection).await?.user_view().await?;
    printer.fields(&user, |user| {
        vec![
            ("uid", user.id.to_string()),
            ("username", user.username.clone()),
            ("administrator", user.administrator.to_string()),
            ("credit", user.credits.to_string()),
        ]
    });
    Ok(Exit::Success)
}

async fn get_credit(connection: &ConnectionOptions, printer: &Printer) -> Result<Exit, CpsError> {
    let user = connect(connection).await?.user_view().await?;
    printer.answer(&user.credits, i64::to_string);
    Ok(Exit::Success)
}
