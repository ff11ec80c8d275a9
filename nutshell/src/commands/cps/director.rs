//! `cps director`.

use super::connection::{Authority, complete, directors};
use super::{Caller, CpsError};
use crate::args::{ConnectionOptions, DirectorCommand};
use crate::diagnostics::Exit;
use crate::printer::{Printer, Table};

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: DirectorCommand) -> Result<Exit, CpsError> {
    match command {
        DirectorCommand::Version => version(caller).await,
        // Before anybody is connected.
        DirectorCommand::Add { .. } | DirectorCommand::List | DirectorCommand::Use { .. } => {
            Ok(Exit::Success)
        }
    }
}

/// Writes a director down; it need not be there.
pub(crate) fn add(
    connection: &ConnectionOptions,
    name: &str,
    url: &str,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    let url = complete(url);
    if !url.starts_with("https://") {
        return Err(CpsError::NotHttps { url });
    }
    let authority = match &connection.ca_certificate {
        Some(path) => Authority::read(path)?,
        None => return Err(CpsError::NoAuthority { url }),
    };
    let added = directors::add(name, &url, &authority, connection.username.as_deref())?;
    printer.answer(&added, |added| format!("Director `{}` is at {}.", added.name, added.url));
    printer.hint(format!("`cps director use {name}` uses it from now on; `cps login` logs in"));
    Ok(Exit::Success)
}

/// Lists the directors that the user has written down; needs none of them.
pub(crate) fn list(printer: &Printer) -> Result<Exit, CpsError> {
    printer.list(&directors::list()?, "No directors in cps.toml.", |directors| {
        let mut table = Table::new(["current", "name", "url"]);
        for director in directors {
            let mark = if director.current { "      *" } else { "" };
            table.row([mark.into(), director.name.clone().into(), director.url.clone().into()]);
        }
        table
    });
    Ok(Exit::Success)
}

/// Has one of them used from now on.
pub(crate) fn choose(name: &str, printer: &Printer) -> Result<Exit, CpsError> {
    directors::choose(name)?;
    printer.answer(&name, |name| format!("The director in use is `{name}`."));
    Ok(Exit::Success)
}

async fn version(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let answer = caller.client.version().await?;
    caller.printer.answer(&answer, |answer| {
        format!("Nutshell director version {}", answer["version"].as_str().unwrap_or("unknown"))
    });
    Ok(Exit::Success)
}
