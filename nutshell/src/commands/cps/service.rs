//! `cps service`: what can be asked of services of any type.

use std::path::Path;

use protocol::api::log::LogQuery;
use protocol::api::{Application, Service, ServiceCreate, ServiceStart, StartupScript, State};

use super::nodes::{add_nodes, get_agent_log, list_agent_logs, list_nodes, remove_nodes};
use super::{Caller, CpsError, history, usage};
use crate::args::{
    ApplicationRef, CommonCommand, NewService, ServiceCommand, ServiceRef, TypedCommand,
};
use crate::diagnostics::Exit;
use crate::printer::{Field, Format, Printer, Table};

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: ServiceCommand) -> Result<Exit, CpsError> {
    match command {
        ServiceCommand::GetTypes => get_types(caller).await,
        ServiceCommand::Create { service_type, new } => create(caller, service_type, new).await,
        ServiceCommand::Add { service_type, application } => {
            add(caller, service_type, application).await
        }
        ServiceCommand::Common(command) => common(caller, command, None).await,
    }
}

/// Runs a command of the group of one type.
pub(crate) async fn typed(
    caller: &Caller<'_>,
    command: TypedCommand,
    kind: &str,
) -> Result<Exit, CpsError> {
    match command {
        TypedCommand::Create(new) => create(caller, kind.to_owned(), new).await,
        TypedCommand::Add { application } => add(caller, kind.to_owned(), application).await,
        TypedCommand::Common(command) => common(caller, command, Some(kind)).await,
    }
}

/// Runs a command that every service has; `kind` is the only type to list.
async fn common(
    caller: &Caller<'_>,
    command: CommonCommand,
    kind: Option<&str>,
) -> Result<Exit, CpsError> {
    match command {
        CommonCommand::List { application } => list(caller, application.as_ref(), kind).await,
        CommonCommand::Start { service, cloud } => start(caller, &service.service, cloud).await,
        CommonCommand::Stop(service) => stop(caller, &service.service).await,
        CommonCommand::Delete(service) => delete(caller, &service.service).await,
        CommonCommand::Rename { service, name } => rename(caller, &service.service, &name).await,
        CommonCommand::GetState(service) => get_state(caller, &service.service).await,
        CommonCommand::GetLog { service, lines } => get_log(caller, &service.service, lines).await,
        CommonCommand::GetScript(service) => get_script(caller, &service.service).await,
        CommonCommand::SetScript { service, file } => {
            let told = "Startup script uploaded successfully.";
            set_script(caller, &service.service, &file, told).await
        }
        CommonCommand::GetHistory(service) => history::get_history(caller, &service.service).await,
        CommonCommand::GetUsage(service) => {
            usage::get_usage(caller, caller.service_id(&service.service).await?).await
        }
        CommonCommand::GetMetrics(service) => {
            usage::get_metrics(caller, caller.service_id(&service.service).await?).await
        }
        CommonCommand::ListAgentLogs { service, node } => {
            list_agent_logs(caller, &service.service, node).await
        }
        CommonCommand::GetAgentLog(wanted) => get_agent_log(caller, wanted).await,
        CommonCommand::ListNodes(service) => {
            list_nodes(caller, caller.service_id(&service.service).await?).await
        }
        CommonCommand::AddNodes { nodes, place } => add_nodes(caller, &nodes, place).await,
        CommonCommand::RemoveNodes(nodes) => remove_nodes(caller, &nodes).await,
    }
}

/// Lists the types of service.
pub(crate) async fn get_types(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let types = caller.client.service_type_list().await?;
    caller.printer.lines(&types, "No service types.", |kind| kind.name.clone());
    Ok(Exit::Success)
}

/// Creates a service; where there is no manager, waits for one.
pub(crate) async fn create(
    caller: &Caller<'_>,
    service_type: String,
    new: NewService,
) -> Result<Exit, CpsError> {
    let application = match &new.application {
        Some(application) => Some(caller.application_id(application).await?),
        None => None,
    };
    let create = ServiceCreate { service_type, application, name: new.name, cloud: new.cloud };
    let created = caller.client.service_create(&create).await?;
    let mut exit = Exit::Success;
    if created.application.state == State::Prologue {
        let line = |application: &Application| match application.manager {
            Some(ip) => format!("Creating new manager on {ip}..."),
            None => "Creating new manager...".to_owned(),
        };
        (exit, _) = caller.watch_manager(created.application, line).await?;
    }
    tell_created(caller.printer, &created.service, exit);
    Ok(exit)
}

/// The service is there even when its application got no manager.
fn tell_created(printer: &Printer, service: &Service, exit: Exit) {
    let Service { id, application, service_type, .. } = service;
    if exit == Exit::Success {
        printer.answer(service, |_| {
            format!("Service {service_type} successfully added to application {application} with id {id}.")
        });
    } else {
        printer.json_only(service);
        printer.hint(format!(
            "service {id} was created, without a manager: `cps application start {application}` \
             tries again"
        ));
    }
}

/// Adds a service to an application.
pub(crate) async fn add(
    caller: &Caller<'_>,
    service_type: String,
    application: ApplicationRef,
) -> Result<Exit, CpsError> {
    let new = NewService { application: Some(application), ..NewService::default() };
    create(caller, service_type, new).await
}

/// Lists the services.
pub(crate) async fn list(
    caller: &Caller<'_>,
    application: Option<&ApplicationRef>,
    kind: Option<&str>,
) -> Result<Exit, CpsError> {
    let application = match application {
        Some(application) => Some(caller.application(application).await?.id),
        None => None,
    };
    let mut services = caller.client.service_list().await?;
    services.retain(|service| {
        application.is_none_or(|id| service.application == id)
            && kind.is_none_or(|kind| service.service_type == kind)
    });
    caller.printer.list(&services, "No existing services.", table);
    Ok(Exit::Success)
}

fn table(services: &[Service]) -> Table {
    let mut table = Table::new(["aid", "sid", "type", "name", "status"]);
    for service in services {
        table.row([
            service.application.0.into(),
            service.id.0.into(),
            service.service_type.clone().into(),
            service.name.clone().into(),
            service.state.as_str().into(),
        ]);
    }
    table
}

/// Starts a service and waits until it runs.
pub(crate) async fn start(
    caller: &Caller<'_>,
    service: &ServiceRef,
    cloud: Option<String>,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let start = ServiceStart { cloud };
    let begin = caller.client.service_start(id, &start);
    let running = |service: &Service| service.state == State::Running;
    caller.watch_service(&format!("Service {id} is starting..."), begin, running).await
}

/// Stops a service and waits until it has stopped.
pub(crate) async fn stop(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let begin = caller.client.service_stop(id);
    let stopped = |service: &Service| service.state == State::Stopped;
    caller.watch_service(&format!("Service {id} is stopping..."), begin, stopped).await
}

/// Deletes a service.
pub(crate) async fn delete(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let service = caller.service(service).await?;
    caller.printer.answer_part("Deleting service...\n");
    caller.client.service_delete(service.id).await?;
    caller.printer.answer(&service, |service| format!("Service {} has been deleted.", service.id));
    Ok(Exit::Success)
}

/// Gives a service another name.
pub(crate) async fn rename(
    caller: &Caller<'_>,
    service: &ServiceRef,
    name: &str,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let service = caller.client.service_rename(id, name).await?;
    caller.printer.answer(&service, |service| {
        format!(
            "Service {} of application {} has been renamed to '{}'.",
            service.id, service.application, service.name
        )
    });
    Ok(Exit::Success)
}

/// Prints the state of a service.
pub(crate) async fn get_state(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let service = caller.service(service).await?;
    caller.printer.fields(&service, fields);
    Ok(Exit::Success)
}

fn fields(service: &Service) -> Vec<Field> {
    let mut fields = vec![
        ("sid", service.id.to_string()),
        ("aid", service.application.to_string()),
        ("type", service.service_type.clone()),
        ("name", service.name.clone()),
        ("state", service.state.to_string()),
    ];
    fields.extend(service.reason.clone().map(|reason| ("reason", reason)));
    fields.push(("nodes", service.nodes.to_string()));
    fields
}

/// Prints what the manager logged about a service.
pub(crate) async fn get_log(
    caller: &Caller<'_>,
    service: &ServiceRef,
    lines: Option<usize>,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let query = LogQuery { lines, ..LogQuery::default() };
    caller.printer.log(&caller.client.service_logs(id, &query).await?);
    Ok(Exit::Success)
}

async fn get_script(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let script = caller.client.service_startup_script(id).await?;
    match caller.printer.format() {
        Format::Json => caller.printer.json(&script),
        Format::Table => caller.printer.data_bytes(script.script.as_bytes()),
    }
    Ok(Exit::Success)
}

/// Sets the script that new nodes run, from a file.
pub(crate) async fn set_script(
    caller: &Caller<'_>,
    service: &ServiceRef,
    file: &Path,
    told: &str,
) -> Result<Exit, CpsError> {
    let script = std::fs::read_to_string(file).map_err(CpsError::file("read", file))?;
    let id = caller.service_id(service).await?;
    let set = caller.client.service_set_startup_script(id, &StartupScript { script }).await?;
    caller.printer.answer(&set, |_| told.to_owned());
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use protocol::{ApplicationId, ServiceId};
    use time::OffsetDateTime;

    use super::*;

    fn service() -> Service {
        Service {
            id: ServiceId(12),
            application: ApplicationId(1),
            service_type: "generic".to_owned(),
            name: "New generic service".to_owned(),
            state: State::Error,
            reason: Some("run.sh failed".to_owned()),
            since: OffsetDateTime::UNIX_EPOCH,
            nodes: 2,
            revision: 1,
            created: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn services_are_listed_as_the_original_lists_them() {
        assert_eq!(
            table(&[service()]).render(),
            "aid sid type    name                status\n\
             ------------------------------------------\n  \
               1  12 generic New generic service ERROR"
        );
    }

    #[test]
    fn a_service_without_a_manager_is_no_success_and_can_be_tried_again() {
        let (printer, output) = Printer::captured();
        tell_created(&printer, &service(), Exit::Success);
        let added = "Service generic successfully added to application 1 with id 12.\n";
        assert_eq!((output.stdout().as_str(), output.stderr().as_str()), (added, ""));

        let (printer, output) = Printer::captured();
        tell_created(&printer, &service(), Exit::Failure);
        assert_eq!(output.stdout(), "");
        assert_eq!(
            output.stderr(),
            "hint: service 12 was created, without a manager: `cps application start 1` tries \
             again\n"
        );
    }

    #[test]
    fn the_state_comes_with_its_reason() {
        let lines: Vec<String> =
            fields(&service()).iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert!(lines.contains(&"state: ERROR".to_owned()));
        assert!(lines.contains(&"reason: run.sh failed".to_owned()));
    }
}
