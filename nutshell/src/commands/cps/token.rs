//! `cps token`: what scripts log in with.

use protocol::api::{Token, TokenCreate};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Caller, CpsError};
use crate::args::TokenCommand;
use crate::diagnostics::Exit;
use crate::printer::Table;

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: TokenCommand) -> Result<Exit, CpsError> {
    match command {
        TokenCommand::Create { name, read_only, days } => {
            create(caller, &TokenCreate { name, read_only, days }).await
        }
        TokenCommand::List => list(caller).await,
        TokenCommand::Revoke { which } => revoke(caller, &which).await,
    }
}

async fn create(caller: &Caller<'_>, create: &TokenCreate) -> Result<Exit, CpsError> {
    let grant = caller.client.token_create(create).await?;
    caller.printer.answer(&grant, |grant| grant.secret.clone());
    caller.printer.note("It is not shown again. Scripts use it as CPS_TOKEN.");
    Ok(Exit::Success)
}

async fn list(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let tokens = caller.client.token_list().await?;
    caller.printer.list(&tokens, "No API tokens.", table);
    Ok(Exit::Success)
}

fn table(tokens: &[Token]) -> Table {
    let mut table = Table::new(["tid", "name", "opens", "created", "expires", "last_used"]);
    for token in tokens {
        table.row([
            token.id.0.into(),
            token.name.clone().into(),
            if token.read_only { "read-only" } else { "all" }.into(),
            moment(token.created).into(),
            token.expires.map_or_else(|| "never".to_owned(), moment).into(),
            token.last_used.map_or_else(|| "never".to_owned(), moment).into(),
        ]);
    }
    table
}

/// A moment, to the second.
pub(super) fn moment(moment: OffsetDateTime) -> String {
    let second = moment.replace_nanosecond(0).unwrap_or(moment);
    second.format(&Rfc3339).unwrap_or_default()
}

async fn revoke(caller: &Caller<'_>, wanted: &str) -> Result<Exit, CpsError> {
    let tokens = caller.client.token_list().await?;
    let by_name = tokens.iter().find(|token| token.name == wanted);
    let found = by_name.or_else(|| tokens.iter().find(|token| token.id.to_string() == wanted));
    let token = found.ok_or_else(|| CpsError::UnknownToken(wanted.to_owned()))?;
    caller.client.token_revoke(token.id).await?;
    caller.printer.answer(token, |token| format!("API token '{}' opens nothing now.", token.name));
    Ok(Exit::Success)
}
