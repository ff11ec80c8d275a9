//! `cps application`.

use futures::future::try_join_all;
use protocol::api::log::LogQuery;
use protocol::api::{Application, ApplicationCreate, Node, Service, Volume};
use serde::Serialize;

use super::nodes::node_line;
use super::{Caller, CpsError, manifest};
use crate::args::{ApplicationCommand, ApplicationRef, ManifestFile};
use crate::diagnostics::Exit;
use crate::printer::Table;

/// Runs one command of the group.
pub(crate) async fn run(
    caller: &Caller<'_>,
    command: ApplicationCommand,
) -> Result<Exit, CpsError> {
    match command {
        ApplicationCommand::Create { name } => create(caller, name).await,
        ApplicationCommand::List => list(caller).await,
        ApplicationCommand::Rename { application, name } => {
            rename(caller, &application, &name).await
        }
        ApplicationCommand::Delete { application } => delete(caller, &application).await,
        ApplicationCommand::Start { application, cloud } => {
            start(caller, &application, cloud).await
        }
        ApplicationCommand::Manifest { manifest: ManifestFile { file }, cloud } => {
            manifest::deploy_file(caller, &file, cloud.as_deref()).await
        }
        ApplicationCommand::DownloadManifest { application } => {
            manifest::download(caller, &application).await
        }
        ApplicationCommand::Stop { application } => stop(caller, &application).await,
        ApplicationCommand::GetLog { application, lines } => {
            get_log(caller, &application, lines).await
        }
        ApplicationCommand::GetInfo { application } => get_info(caller, &application).await,
    }
}

/// Creates an application.
pub(crate) async fn create(caller: &Caller<'_>, name: Option<String>) -> Result<Exit, CpsError> {
    let application = caller.client.application_create(&ApplicationCreate { name }).await?;
    caller.printer.answer(&application, |application| {
        format!("Application '{}' created with id {}.", application.name, application.id)
    });
    Ok(Exit::Success)
}

/// Lists the applications.
pub(crate) async fn list(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let applications = caller.client.application_list().await?;
    caller.printer.list(&applications, "No existing applications.", table);
    Ok(Exit::Success)
}

fn table(applications: &[Application]) -> Table {
    let mut table = Table::new(["aid", "name", "manager", "cloud", "status"]);
    for application in applications {
        table.row([
            application.id.0.into(),
            application.name.clone().into(),
            application.manager.map(|ip| ip.to_string()).unwrap_or_default().into(),
            application.cloud.clone().unwrap_or_default().into(),
            application.state.as_str().into(),
        ]);
    }
    table
}

/// Gives an application another name.
pub(crate) async fn rename(
    caller: &Caller<'_>,
    application: &ApplicationRef,
    name: &str,
) -> Result<Exit, CpsError> {
    let old = caller.application(application).await?;
    let new = caller.client.application_rename(old.id, name).await?;
    caller.printer.answer(&new, |new| {
        format!(
            "Application with id {} has been renamed from '{}' to '{}'.",
            new.id, old.name, new.name
        )
    });
    Ok(Exit::Success)
}

/// Deletes an application.
pub(crate) async fn delete(
    caller: &Caller<'_>,
    application: &ApplicationRef,
) -> Result<Exit, CpsError> {
    let application = caller.application(application).await?;
    caller.client.application_delete(application.id).await?;
    caller.printer.answer(&application, |application| {
        format!("Application '{}' with id {} has been deleted.", application.name, application.id)
    });
    Ok(Exit::Success)
}

async fn start(
    caller: &Caller<'_>,
    application: &ApplicationRef,
    cloud: Option<String>,
) -> Result<Exit, CpsError> {
    let id = caller.application_id(application).await?;
    let application = caller.client.application_start(id, cloud).await?;
    let line = |application: &Application| {
        format!("Application '{}' with id {} is starting...", application.name, application.id)
    };
    let (exit, application) = caller.watch_manager(application, line).await?;
    caller.printer.json_only(&application);
    Ok(exit)
}

async fn stop(caller: &Caller<'_>, application: &ApplicationRef) -> Result<Exit, CpsError> {
    let id = caller.application_id(application).await?;
    let application = caller.client.application_stop(id).await?;
    let line = |application: &Application| {
        format!("Application '{}' with id {} is stopping...", application.name, application.id)
    };
    let (exit, application) = caller.watch_manager(application, line).await?;
    caller.printer.json_only(&application);
    Ok(exit)
}

async fn get_log(
    caller: &Caller<'_>,
    application: &ApplicationRef,
    lines: Option<usize>,
) -> Result<Exit, CpsError> {
    let id = caller.application_id(application).await?;
    let query = LogQuery { lines, ..LogQuery::default() };
    let text = caller.client.application_logs(id, &query).await?;
    caller.printer.log(&text);
    Ok(Exit::Success)
}

/// An application and all that belongs to it.
#[derive(Serialize)]
struct Information {
    application: Application,
    services: Vec<Service>,
    nodes: Vec<Node>,
    volumes: Vec<Volume>,
}

async fn get_info(caller: &Caller<'_>, application: &ApplicationRef) -> Result<Exit, CpsError> {
    let application = caller.application(application).await?;
    let (services, nodes) =
        tokio::try_join!(caller.client.service_list(), caller.client.node_list())?;
    let services: Vec<_> =
        services.into_iter().filter(|one| one.application == application.id).collect();
    let nodes = nodes.nodes.into_iter().filter(|one| one.application == application.id).collect();
    let of_services = services.iter().map(|service| caller.client.service_volumes(service.id));
    let volumes = try_join_all(of_services).await?.into_iter().flat_map(|of| of.volumes).collect();
    let information = Information { application, services, nodes, volumes };
    caller.printer.answer(&information, describe);
    Ok(Exit::Success)
}

fn describe(information: &Information) -> String {
    let Information { application, services, nodes, volumes } = information;
    let mut lines = vec![
        format!("Application name: {}", application.name),
        format!("Application id: {}", application.id),
        "Manager states:".to_owned(),
        format!("\tApplication manager: {}", application.state),
    ];
    lines.extend(
        services
            .iter()
            .map(|service| format!("\tService manager {}: {}", service.id, service.state)),
    );
    lines.push("Nodes:".to_owned());
    lines.extend(nodes.iter().map(|node| format!("\t{}", node_line(node))));
    lines.push("Volumes:".to_owned());
    lines.extend(volumes.iter().map(|volume| {
        let Volume { name, size_mib, node, .. } = volume;
        format!("\t{name}: {size_mib} MiB on node {node}")
    }));
    lines.join("\n")
}
