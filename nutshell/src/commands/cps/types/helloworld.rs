//! `cps helloworld`.

use clap::Subcommand;
use protocol::ServiceId;
use serde_json::{Value, json};

use super::super::{Caller, CpsError, service};
use crate::args::{ServiceArgument, TypedCommand};
use crate::diagnostics::Exit;

/// The type of service that the group is for.
const TYPE: &str = "helloworld";

#[derive(Debug, Subcommand)]
pub(crate) enum HelloworldCommand {
    #[command(flatten)]
    Typed(TypedCommand),
    /// Print the greetings of all nodes
    GetHelloworld(ServiceArgument),
}

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: HelloworldCommand) -> Result<Exit, CpsError> {
    match command {
        HelloworldCommand::Typed(command) => service::typed(caller, command, TYPE).await,
        HelloworldCommand::GetHelloworld(service) => {
            let service = caller.service_of(&service.service, TYPE).await?;
            get_helloworld(caller, service).await
        }
    }
}

/// Prints the greetings of all nodes.
pub(crate) async fn get_helloworld(
    caller: &Caller<'_>,
    service: ServiceId,
) -> Result<Exit, CpsError> {
    let answer: Value = caller.client.service_query(service, "get_helloworld", &json!({})).await?;
    caller.printer.answer(&answer, |answer| {
        answer["helloworld"].as_str().unwrap_or_default().trim_end().to_owned()
    });
    Ok(Exit::Success)
}
