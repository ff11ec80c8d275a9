//! `cps php`: the settings of PHP, and how its nodes fare.

use clap::Subcommand;
use protocol::ServiceId;
use protocol::api::php::{Configuration, ConfigurationUpdate, Settings};
use protocol::api::web::{DaemonStatus, NodeStatuses};
use serde_json::{Value, json};

use super::super::{Caller, CpsError, autoscaling, code, service};
use crate::args::{AutoscalingCommand, CodeCommand, ServiceArgument, TypedCommand};
use crate::diagnostics::Exit;

/// The type of service that the group is for.
const TYPE: &str = "php";
/// The setting by which errors are shown to users.
const DEBUG: &str = "display_errors";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum PhpCommand {
    #[command(flatten)]
    Typed(TypedCommand),
    #[command(flatten)]
    Code(CodeCommand),
    #[command(flatten)]
    Autoscaling(AutoscalingCommand),
    /// Print the settings of PHP, the code version at work, and the address of the application
    #[command(visible_alias = "get-configuration")]
    GetPhpConfig(ServiceArgument),
    /// Change settings of PHP: `cps php set-php-config 1 memory_limit=256M`
    SetPhpConfig {
        #[command(flatten)]
        service: ServiceArgument,
        /// The settings, as `get-php-config` lists them
        #[arg(value_name = "NAME=VALUE", required = true, value_parser = setting)]
        settings: Vec<(String, String)>,
    },
    /// Show errors of PHP to visitors, or no longer
    ToggleDebug(ServiceArgument),
    /// Show errors of PHP to visitors: `on` or `off`
    Debug {
        #[command(flatten)]
        service: ServiceArgument,
        /// Whether to
        #[arg(value_parser = ["on", "off"])]
        mode: String,
    },
    /// Print what each node does, and how its programs fare
    GetDaemonStatus(ServiceArgument),
}

const EXAMPLES: &str = "\
Examples:
  cps php create                        a PHP service in your first application
  cps php start 1                       its first VM: proxy, web server and backend in one
  cps php get-php-config 1              where to find it
  cps php upload-code 1 app.tar.gz      an archive with index.php at its top
  cps php enable-code 1 code-pw1LKs     visitors see it from now on
  cps php add-nodes 1 2 1 0             two backends and one web node (backend, web, proxy)
  cps php remove-nodes 1 1 0 0          one backend less
  cps php on-autoscaling 1 5 2000 low   every 5 minutes: enough backends for answers within 2 s
  cps php autoscaling 1                 what it measured and decided, and why
  cps php toggle-debug 1                show errors of PHP to visitors";

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: PhpCommand) -> Result<Exit, CpsError> {
    match command {
        PhpCommand::Typed(command) => service::typed(caller, command, TYPE).await,
        PhpCommand::Code(command) => code::run(caller, command, TYPE).await,
        PhpCommand::Autoscaling(command) => autoscaling::run(caller, command, TYPE).await,
        PhpCommand::GetPhpConfig(service) => {
            let service = caller.service_of(&service.service, TYPE).await?;
            let configuration = configuration(caller, service).await?;
            caller.printer.answer(&configuration, describe);
            Ok(Exit::Success)
        }
        PhpCommand::SetPhpConfig { service, settings } => {
            let service = caller.service_of(&service.service, TYPE).await?;
            let settings = update(caller, service, settings.into_iter().collect()).await?;
            caller.printer.answer(&settings, lines);
            Ok(Exit::Success)
        }
        PhpCommand::ToggleDebug(service) => {
            toggle_debug(caller, caller.service_of(&service.service, TYPE).await?).await
        }
        PhpCommand::Debug { service, mode } => {
            let service = caller.service_of(&service.service, TYPE).await?;
            let mode = if mode == "on" { "On" } else { "Off" };
            set_debug(caller, service, mode).await?;
            caller
                .printer
                .answer(&json!({ DEBUG: mode }), |_| format!("Debug mode set to '{mode}'."));
            Ok(Exit::Success)
        }
        PhpCommand::GetDaemonStatus(service) => {
            let service = caller.service_of(&service.service, TYPE).await?;
            let statuses: NodeStatuses =
                caller.client.service_query(service, "get_daemon_status", &json!({})).await?;
            caller.printer.answer(&statuses, describe_nodes);
            Ok(Exit::Success)
        }
    }
}

/// Shows errors of PHP to visitors if they are not shown, and the other way round.
pub(crate) async fn toggle_debug(
    caller: &Caller<'_>,
    service: ServiceId,
) -> Result<Exit, CpsError> {
    let configuration = configuration(caller, service).await?;
    let is_on = configuration.phpconf.get(DEBUG).is_some_and(|value| value == "On");
    let mode = if is_on { "Off" } else { "On" };
    set_debug(caller, service, mode).await?;
    caller.printer.answer(&json!({ DEBUG: mode }), |_| format!("Debug mode is now {mode}"));
    Ok(Exit::Success)
}

async fn set_debug(caller: &Caller<'_>, service: ServiceId, mode: &str) -> Result<(), CpsError> {
    let phpconf = [(DEBUG.to_owned(), mode.to_owned())].into();
    update(caller, service, phpconf).await.map(|_| ())
}

async fn configuration(caller: &Caller<'_>, service: ServiceId) -> Result<Configuration, CpsError> {
    Ok(caller.client.service_query(service, "get_configuration", &json!({})).await?)
}

async fn update(
    caller: &Caller<'_>,
    service: ServiceId,
    phpconf: Settings,
) -> Result<Settings, CpsError> {
    let update = ConfigurationUpdate { phpconf };
    let spinner = caller.printer.spinner("Changing the settings of PHP");
    let updating =
        caller.client.service_command::<Value>(service, "update_php_configuration", &update);
    let updated = spinner.watch(updating).await?;
    Ok(serde_json::from_value(updated["phpconf"].clone()).unwrap_or_default())
}

/// `memory_limit=256M`
fn setting(word: &str) -> Result<(String, String), &'static str> {
    let (name, value) = word.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn lines(settings: &Settings) -> String {
    let lines = settings.iter().map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn describe(configuration: &Configuration) -> String {
    let version = configuration.deployment.code_version.as_ref().map(|version| version.id.as_str());
    let mut text = format!("codeVersionId: {}\nphpconf:", version.unwrap_or("none"));
    for (name, value) in &configuration.phpconf {
        text.push_str(&format!("\n\t{name}: {value}"));
    }
    for url in &configuration.deployment.urls {
        text.push_str(&format!("\nurl: {url}/"));
    }
    text
}

fn describe_nodes(statuses: &NodeStatuses) -> String {
    if statuses.nodes.is_empty() {
        return "No existing nodes.".to_owned();
    }
    let nodes = statuses.nodes.iter().map(|(node, status)| {
        let daemons: String = status.daemons.iter().map(describe_daemon).collect();
        format!("node {node}: {}{daemons}", status.roles.join(", "))
    });
    nodes.collect::<Vec<_>>().join("\n")
}

fn describe_daemon(daemon: &DaemonStatus) -> String {
    let state = if daemon.running { "running" } else { "not running" };
    let restarts = match (daemon.restarts, daemon.last_exit) {
        (0, _) => String::new(),
        (times, None) => format!(", restarted {times} times"),
        (times, Some(status)) => format!(", restarted {times} times, last after exit {status}"),
    };
    format!("\n  {}: {state}{restarts}", daemon.name)
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;
    use protocol::api::web::{Deployment, NodeStatus};

    use super::*;

    #[test]
    fn a_configuration_is_printed_as_the_original_did() {
        let configuration = Configuration {
            deployment: Deployment {
                code_version: None,
                urls: vec!["http://127.56.1.10".to_owned()],
            },
            phpconf: [("memory_limit".to_owned(), "128M".to_owned())].into(),
        };
        let expected =
            "codeVersionId: none\nphpconf:\n\tmemory_limit: 128M\nurl: http://127.56.1.10/";
        assert_eq!(describe(&configuration), expected);
        assert!(setting("memory_limit").is_err());
        assert_eq!(setting("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
    }

    #[test]
    fn nodes_are_printed_with_their_roles_and_programs() {
        let daemon = |restarts, last_exit| DaemonStatus {
            name: "proxy".to_owned(),
            running: true,
            restarts,
            last_exit,
        };
        let roles = vec!["proxy".to_owned(), "web".to_owned()];
        let status = NodeStatus { roles, daemons: vec![daemon(0, None), daemon(2, Some(137))] };
        let statuses = NodeStatuses { nodes: [(NodeId(4), status)].into() };
        assert_eq!(
            describe_nodes(&statuses),
            "node 4: proxy, web\n  proxy: running\n  proxy: running, restarted 2 times, last after exit 137"
        );
    }
}
