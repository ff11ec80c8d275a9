//! `cps java`: where the application is, and how its nodes fare.

use clap::Subcommand;
use protocol::api::web::Deployment;
use serde_json::json;

use super::super::{Caller, CpsError, autoscaling, code, service, web};
use crate::args::{AutoscalingCommand, CodeCommand, ServiceArgument, TypedCommand};
use crate::diagnostics::Exit;

/// The type of service that the group is for.
const TYPE: &str = "java";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum JavaCommand {
    #[command(flatten)]
    Typed(TypedCommand),
    #[command(flatten)]
    Code(CodeCommand),
    #[command(flatten)]
    Autoscaling(AutoscalingCommand),
    /// Print the code version at work, and the address of the application
    #[command(visible_alias = "get-configuration")]
    GetJavaConfig(ServiceArgument),
    /// Print what each node does, and how its programs fare
    GetDaemonStatus(ServiceArgument),
}

const EXAMPLES: &str = "\
Examples:
  cps java create                       a Java service in your first application
  cps java start 1                      its first VM: proxy, web server and Tomcat in one
  cps java get-java-config 1            where to find it
  cps java upload-code 1 shop.war       servlets, pages of JSP, and files
  cps java enable-code 1 code-pw1LKs    visitors see it once it is up on every node
  cps java add-nodes 1 2 1 0            two backends and one web node (backend, web, proxy)
  cps java remove-nodes 1 1 0 0         one backend less
  cps java get-agent-log 1 3 -f tomcat.log    what Tomcat on node 3 says";

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: JavaCommand) -> Result<Exit, CpsError> {
    match command {
        JavaCommand::Typed(command) => service::typed(caller, command, TYPE).await,
        JavaCommand::Code(command) => code::run(caller, command, TYPE).await,
        JavaCommand::Autoscaling(command) => autoscaling::run(caller, command, TYPE).await,
        JavaCommand::GetJavaConfig(service) => {
            let service = caller.service_of(&service.service, TYPE).await?;
            let deployment: Deployment =
                caller.client.service_query(service, "get_configuration", &json!({})).await?;
            caller.printer.answer(&deployment, |deployment| web::describe(deployment, ""));
            Ok(Exit::Success)
        }
        JavaCommand::GetDaemonStatus(service) => {
            web::get_daemon_status(caller, caller.service_of(&service.service, TYPE).await?).await
        }
    }
}
