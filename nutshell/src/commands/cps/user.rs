//! `cps user`, `cps login`, `cps logout`.

use protocol::api::{CreditEntry, CreditQuery, Credits, PasswordChange, UserChange, UserRegister};
use protocol::client::DirectorClient;

use super::connection::{anonymous, connect, log_in, log_out, password};
use super::token::moment;
use super::{CpsError, users};
use crate::args::{ConnectionOptions, Login, NewUser, UserCommand, UserRole};
use crate::diagnostics::Exit;
use crate::printer::{Printer, Table};

/// Runs one command of the group.
pub(crate) async fn run(
    connection: &ConnectionOptions,
    command: UserCommand,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    match command {
        UserCommand::Login(options) => return login(connection, options, printer).await,
        UserCommand::Logout => return logout(connection, printer).await,
        UserCommand::CreateFree(new) => return register(connection, &new, printer).await,
        _ => {}
    }
    let client = connect(connection).await?;
    let disable = |disabled| UserChange { disabled: Some(disabled), ..UserChange::default() };
    match command {
        // Before anybody is logged in.
        UserCommand::Login(_) | UserCommand::Logout | UserCommand::CreateFree(_) => {
            Ok(Exit::Success)
        }
        UserCommand::Info => info(&client, printer).await,
        UserCommand::GetCredit => get_credit(&client, printer).await,
        UserCommand::Credits { limit, of } => credits(&client, limit, of, printer).await,
        UserCommand::ChangePassword { old_password, new_password } => {
            change_password(&client, old_password, new_password, printer).await
        }
        UserCommand::Create { new, administrator } => {
            users::create(&client, &new, administrator, printer).await
        }
        UserCommand::List { credit } => users::list(&client, credit, printer).await,
        UserCommand::AddCredit { username, credit, note } => {
            users::add_credit(&client, &username, credit, note, printer).await
        }
        UserCommand::SetRole { username, role } => {
            let administrator = role == UserRole::Administrator;
            let change = UserChange { administrator: Some(administrator), ..UserChange::default() };
            let done = if administrator { "is an administrator" } else { "is no administrator" };
            users::change(&client, &username, &change, done, printer).await
        }
        UserCommand::Disable { username } => {
            users::change(&client, &username, &disable(true), "is shut out", printer).await
        }
        UserCommand::Enable { username } => {
            users::change(&client, &username, &disable(false), "is let in", printer).await
        }
        UserCommand::Delete { username } => users::delete(&client, &username, printer).await,
    }
}

/// Makes a user of whoever asks.
async fn register(
    connection: &ConnectionOptions,
    new: &NewUser,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let client = anonymous(connection)?;
    if new.credit.is_some() {
        printer.note("The director decides what a new user begins with: --credit is passed over.");
    }
    let password = match new.new_password.as_ref().or(connection.password.as_ref()) {
        Some(password) => password.clone(),
        None => password::ask_new(&new.name, printer)?,
    };
    let register = UserRegister { username: new.name.clone(), password, profile: new.profile() };
    users::created(&client.user_register(&register).await?, printer);
    Ok(Exit::Success)
}

async fn change_password(
    client: &DirectorClient,
    old_password: Option<String>,
    new_password: Option<String>,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let user = client.user_view().await?;
    let old_password = match old_password {
        Some(password) => password,
        None => password::ask(&user.username, printer)?,
    };
    let new_password = match new_password {
        Some(password) => password,
        None => password::ask_new(&user.username, printer)?,
    };
    client.password_change(&PasswordChange { old_password, new_password }).await?;
    printer.answer(&user, |user| {
        format!("The password of '{}' is changed; its other sessions have ended.", user.username)
    });
    Ok(Exit::Success)
}

async fn credits(
    client: &DirectorClient,
    limit: u32,
    of: Option<String>,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let query = CreditQuery { before: None, limit: Some(limit) };
    let credits = match of {
        None => client.credits(&query).await?,
        Some(username) => {
            let user = users::find(client, &username).await?;
            client.user_credits(user.id, &query).await?
        }
    };
    printer.answer(&credits, ledger);
    Ok(Exit::Success)
}

/// The entries as a table, and what they come to.
fn ledger(credits: &Credits) -> String {
    let mut table = Table::new(["at", "amount", "what"]);
    for entry in &credits.entries {
        table.row([moment(entry.at).into(), entry.amount.into(), what(entry).into()]);
    }
    format!("{}\n{} credits left", table.render(), credits.balance)
}

fn what(entry: &CreditEntry) -> String {
    match (entry.node, entry.hour, &entry.note) {
        (Some(node), Some(hour), _) => {
            format!("{}: hour {hour} of VM {node}", entry.kind.as_str())
        }
        (_, _, Some(note)) => format!("{}: {note}", entry.kind.as_str()),
        _ => entry.kind.as_str().to_owned(),
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

async fn info(client: &DirectorClient, printer: &Printer) -> Result<Exit, CpsError> {
    let user = client.user_view().await?;
    printer.fields(&user, |user| {
        let profile = &user.profile;
        let mut fields = vec![
            ("uid", user.id.to_string()),
            ("username", user.username.clone()),
            ("administrator", user.administrator.to_string()),
            ("credit", user.credits.to_string()),
        ];
        let said = [
            ("fname", &profile.fname),
            ("lname", &profile.lname),
            ("email", &profile.email),
            ("affiliation", &profile.affiliation),
        ];
        let known = said.into_iter().filter(|(_, value)| !value.is_empty());
        fields.extend(known.map(|(name, value)| (name, value.clone())));
        fields
    });
    Ok(Exit::Success)
}

async fn get_credit(client: &DirectorClient, printer: &Printer) -> Result<Exit, CpsError> {
    let user = client.user_view().await?;
    printer.answer(&user.credits, i64::to_string);
    Ok(Exit::Success)
}
