//! `cps generic`: the scripts of a Generic service.

use clap::{Args, Subcommand};
use protocol::api::generic::{Script, ScriptExecute, ScriptStatuses, VolumeAdd};
use protocol::{NodeId, ServiceId};
use serde_json::{Value, json};

use super::super::{Caller, CpsError, code, service, volumes};
use crate::args::{CodeCommand, ServiceArgument, TypedCommand};
use crate::diagnostics::Exit;

/// The type of service that the group is for.
const TYPE: &str = "generic";

#[derive(Debug, Subcommand)]
pub(crate) enum GenericCommand {
    #[command(flatten)]
    Typed(TypedCommand),
    #[command(flatten)]
    Code(CodeCommand),
    /// Run `run.sh` on all nodes
    Run(ScriptArguments),
    /// Run `interrupt.sh` on all nodes; once more kills all scripts
    Interrupt(ScriptArguments),
    /// Run `cleanup.sh` on all nodes
    Cleanup(ScriptArguments),
    /// Make a volume for a node; it is at /media/NAME there
    CreateVolume {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its name, unique in the application
        name: String,
        /// Its size in MB; clouds round up to GB
        size: u64,
        /// The node's id
        node: NodeId,
    },
    /// List the volumes of the nodes
    ListVolumes(ServiceArgument),
    /// Take a volume from its node and delete it, with all that is on it
    DeleteVolume {
        #[command(flatten)]
        service: ServiceArgument,
        /// Its name
        name: String,
    },
    /// Print what became of the scripts on each node
    GetScriptStatus(ServiceArgument),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ScriptArguments {
    #[command(flatten)]
    pub(crate) service: ServiceArgument,
    /// All of them in one word
    #[arg(short = 'p', long = "parameters", value_name = "PARAMETERS", hide = true)]
    pub(crate) line: Option<String>,
    /// Handed to the script
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) parameters: Vec<String>,
}

impl ScriptArguments {
    /// What the script is handed.
    #[must_use]
    pub(crate) fn words(&self) -> Vec<String> {
        let line = self.line.as_deref().unwrap_or_default();
        line.split_whitespace().map(str::to_owned).chain(self.parameters.clone()).collect()
    }
}

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: GenericCommand) -> Result<Exit, CpsError> {
    match command {
        GenericCommand::Typed(command) => service::typed(caller, command, TYPE).await,
        GenericCommand::Code(command) => code::run(caller, command, TYPE).await,
        GenericCommand::Run(arguments) => execute(caller, Script::Run, &arguments).await,
        GenericCommand::Interrupt(arguments) => {
            execute(caller, Script::Interrupt, &arguments).await
        }
        GenericCommand::Cleanup(arguments) => execute(caller, Script::Cleanup, &arguments).await,
        GenericCommand::CreateVolume { service, name, size, node } => {
            let service = volumes::service_with_node(caller, &service.service, TYPE, node).await?;
            volumes::create_volume(caller, service, VolumeAdd { name, size_mib: size, node }).await
        }
        GenericCommand::ListVolumes(service) => {
            volumes::list_volumes(caller, caller.service_of(&service.service, TYPE).await?).await
        }
        GenericCommand::DeleteVolume { service, name } => {
            let service =
                volumes::service_with_volume(caller, &service.service, TYPE, &name).await?;
            volumes::delete_volume(caller, service, name).await
        }
        GenericCommand::GetScriptStatus(service) => {
            let service = caller.service_of(&service.service, TYPE).await?;
            get_script_status(caller, service, None).await
        }
    }
}

/// Runs a script on all nodes.
pub(crate) async fn execute(
    caller: &Caller<'_>,
    script: Script,
    arguments: &ScriptArguments,
) -> Result<Exit, CpsError> {
    let service = caller.service_of(&arguments.service.service, TYPE).await?;
    let parameters = ScriptExecute { parameters: arguments.words() };
    let method = script.file_name().trim_end_matches(".sh");
    let answer: Value = caller.client.service_command(service, method, &parameters).await?;
    caller.printer.answer(&answer, |_| started(script).to_owned());
    Ok(Exit::Success)
}

fn started(script: Script) -> &'static str {
    match script {
        Script::Run => "Service started executing 'run.sh' on all the agents.",
        Script::Interrupt => {
            "Service started executing 'interrupt.sh' on all the agents or killing all scripts \
             if 'interrupt.sh' is already running."
        }
        Script::Cleanup => "Service started executing 'cleanup.sh' on all the agents.",
        Script::Init => "Service started executing 'init.sh' on all the agents.",
        Script::Notify => "Service started executing 'notify.sh' on all the agents.",
    }
}

/// Prints what became of the scripts, on all nodes or on one.
pub(crate) async fn get_script_status(
    caller: &Caller<'_>,
    service: ServiceId,
    node: Option<NodeId>,
) -> Result<Exit, CpsError> {
    let mut statuses: ScriptStatuses =
        caller.client.service_query(service, "get_script_status", &json!({})).await?;
    statuses.nodes.retain(|id, _| node.is_none_or(|node| *id == node));
    caller.printer.answer(&statuses, describe);
    Ok(Exit::Success)
}

fn describe(statuses: &ScriptStatuses) -> String {
    if statuses.nodes.is_empty() {
        return "No generic agents are running.".to_owned();
    }
    let mut text = String::new();
    for (node, scripts) in &statuses.nodes {
        text.push_str(&format!("\nAgent {node}:\n"));
        for (script, status) in scripts {
            text.push_str(&format!("  {}\t{status}\n", script.file_name()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::api::generic::ScriptStatus;

    use super::*;

    #[test]
    fn statuses_are_printed_agent_by_agent_in_the_order_of_the_guide() {
        let mut scripts: protocol::api::generic::NodeScripts =
            Script::ALL.map(|script| (script, ScriptStatus::NeverStarted)).into();
        scripts.insert(Script::Init, ScriptStatus::Stopped { return_code: 0 });
        scripts.insert(Script::Run, ScriptStatus::Running);
        let statuses = ScriptStatuses { nodes: [(NodeId(2), scripts)].into() };
        assert_eq!(
            describe(&statuses),
            "\nAgent 2:\n  init.sh\tSTOPPED (return code 0)\n  notify.sh\tNEVER STARTED\n  \
             run.sh\tRUNNING\n  interrupt.sh\tNEVER STARTED\n  cleanup.sh\tNEVER STARTED\n"
        );
        assert_eq!(describe(&ScriptStatuses::default()), "No generic agents are running.");
    }
}
