//! `cps helloworld`.

use serde_json::{Value, json};

use protocol::ServiceId;

use super::{Caller, CpsError, service};
use crate::args::HelloworldCommand;
use crate::diagnostics::Exit;

/// The type of service that the group is for.
const TYPE: &str = "helloworld";

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: HelloworldCommand) -> Result<Exit, CpsError> {
    match command {
        HelloworldCommand::Create(new) => service::create(caller, TYPE.to_owned(), new).await,
        HelloworldCommand::Add { application } => {
            service::add(caller, TYPE.to_owned(), application).await
        }
        HelloworldCommand::Common(command) => service::common(caller, command, Some(TYPE)).await,
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
