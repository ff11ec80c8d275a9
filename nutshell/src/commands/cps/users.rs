//! `cps user`, as far as it is for administrators; `nutshell user` does the same on this machine.

use protocol::api::{CreditGrant, User, UserChange, UserCreate};
use protocol::client::DirectorClient;

use super::CpsError;
use super::connection::password;
use crate::args::NewUser;
use crate::diagnostics::Exit;
use crate::printer::Printer;

/// The user of that name.
pub(crate) async fn find(client: &DirectorClient, username: &str) -> Result<User, CpsError> {
    let users = client.user_list().await?;
    let found = users.into_iter().find(|user| user.username.eq_ignore_ascii_case(username));
    found.ok_or_else(|| CpsError::UnknownUser(username.to_owned()))
}

/// Makes a user.
pub(crate) async fn create(
    client: &DirectorClient,
    new: &NewUser,
    administrator: bool,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    if let Some(credit) = new.credit.filter(|credit| *credit <= 0) {
        return Err(CpsError::NoCreditToBegin(credit));
    }
    let password = match &new.new_password {
        Some(password) => password.clone(),
        None => password::ask_new(&new.name, printer)?,
    };
    let create = UserCreate {
        username: new.name.clone(),
        password,
        administrator,
        credits: new.credit,
        profile: new.profile(),
    };
    created(&client.user_create(&create).await?, printer);
    Ok(Exit::Success)
}

/// Tells that there is a new user.
pub(crate) fn created(user: &User, printer: &Printer) {
    printer.answer(user, |user| format!("User '{}' created successfully.", user.username));
}

/// Lists all users.
pub(crate) async fn list(
    client: &DirectorClient,
    credit: bool,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let users = client.user_list().await?;
    printer.lines(&users, "No users.", |user| match credit {
        true => format!("{}\t{}", user.username, user.credits),
        false => user.username.clone(),
    });
    Ok(Exit::Success)
}

/// Gives a user credits.
pub(crate) async fn add_credit(
    client: &DirectorClient,
    username: &str,
    amount: i64,
    note: Option<String>,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let user = find(client, username).await?;
    let user = client.credits_grant(user.id, &CreditGrant { amount, note }).await?;
    printer.answer(&user, |User { username, credits, .. }| {
        format!("Credit added successfully to user '{username}', the new credit is {credits}.")
    });
    Ok(Exit::Success)
}

/// Changes a user; `done` tells what the user is now.
pub(crate) async fn change(
    client: &DirectorClient,
    username: &str,
    change: &UserChange,
    done: &str,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let user = find(client, username).await?;
    let user = client.user_change(user.id, change).await?;
    printer.answer(&user, |user| format!("User '{}' {done}.", user.username));
    Ok(Exit::Success)
}

/// Removes a user with all applications.
pub(crate) async fn delete(
    client: &DirectorClient,
    username: &str,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let user = find(client, username).await?;
    client.user_delete(user.id).await?;
    printer.answer(&user, |user| format!("User '{}' has been deleted.", user.username));
    Ok(Exit::Success)
}
