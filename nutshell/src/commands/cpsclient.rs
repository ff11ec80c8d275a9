//! `cpsclient`: the older client's words for the same commands.

use protocol::api::generic::{Script, VolumeAdd};
use protocol::api::{Service, ServiceStart, ServiceType, State};

use super::cps::{
    Caller, CpsError, application, autoscaling, cloud, code, connection, keys, manifest, nodes,
    service, types, user, volumes,
};
use super::runtime::block_on;
use crate::args::{
    AgentLog, ApplicationRef, ConnectionOptions, CpsclientCommand, Login, ManifestFile, NewService,
    NodePlace, ServiceRef, cpsclient_help,
};
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;

/// Runs one command; prints the usage when there is none.
pub(crate) fn run(
    options: &ConnectionOptions,
    command: Option<CpsclientCommand>,
    printer: &Printer,
) -> Result<Exit, Failure> {
    match command {
        None | Some(CpsclientCommand::Usage { target: None }) => {
            printer.data(cpsclient_help());
            Ok(Exit::Success)
        }
        Some(CpsclientCommand::Version) => {
            printer.data(concat!("cpsclient ", env!("CARGO_PKG_VERSION")));
            Ok(Exit::Success)
        }
        Some(command) => Ok(block_on(dispatch(options, command, printer))??),
    }
}

async fn dispatch(
    options: &ConnectionOptions,
    command: CpsclientCommand,
    printer: &Printer,
) -> Result<Exit, CpsError> {
    use CpsclientCommand as Command;
    let options = &connection::directors::completed(options.clone())?;
    if matches!(command, Command::Credentials) {
        return user::login(options, Login::default(), printer).await;
    }
    let client = connection::connect(options).await?;
    let caller = &Caller { client, printer, wait: true };
    match command {
        Command::Usage { target } => usage(caller, target.as_deref()).await,
        Command::Available => service::get_types(caller).await,
        Command::Clouds => cloud::list(caller).await,
        Command::Listapp => application::list(caller).await,
        Command::Createapp { name } => application::create(caller, Some(name)).await,
        Command::Renameapp { application, name } => {
            application::rename(caller, &application, &name).await
        }
        Command::Deleteapp { application } => application::delete(caller, &application).await,
        Command::Manifest(ManifestFile { file }) => {
            manifest::deploy_file(caller, &file, None).await
        }
        Command::DownloadManifest { application } => manifest::download(caller, &application).await,
        Command::List { application } => service::list(caller, application.as_ref(), None).await,
        Command::Create { service_type, place } => {
            service::create(caller, service_type, new_service(&place)).await
        }
        Command::Start { service, cloud } => start(caller, &service.service, cloud).await,
        Command::Stop(service) => stop(caller, &service.service).await,
        Command::Terminate(service) => terminate(caller, &service.service).await,
        Command::Info(service) => service::get_state(caller, &service.service).await,
        Command::Logs(service) => service::get_log(caller, &service.service, None).await,
        Command::Rename { service, name } => service::rename(caller, &service.service, &name).await,
        Command::StartupScript { service, file } => {
            let told = "Startup script uploaded correctly.";
            service::set_script(caller, &service.service, &file, told).await
        }
        Command::ListNodes(service) => {
            nodes::list_nodes(caller, caller.service_id(&service.service).await?).await
        }
        Command::AddNodes(wanted) => nodes::add_nodes(caller, &wanted, NodePlace::default()).await,
        Command::RemoveNodes(wanted) => nodes::remove_nodes(caller, &wanted).await,
        Command::UploadCode { service, file } => {
            let service = caller.service_id(&service.service).await?;
            code::upload_code(caller, service, &file, String::new(), false).await
        }
        Command::ListUploads(service) => {
            code::list_uploads(caller, caller.service_id(&service.service).await?).await
        }
        Command::EnableCode { service, code_version } => {
            let service = caller.service_id(&service.service).await?;
            code::enable_code(caller, service, code_version).await
        }
        Command::DeleteCode { service, code_version } => {
            let service = caller.service_id(&service.service).await?;
            code::delete_code(caller, service, code_version).await
        }
        Command::DownloadCode { service, code_version } => {
            let service = caller.service_id(&service.service).await?;
            code::download_code(caller, service, code_version).await
        }
        Command::UploadKey { service, file } => {
            keys::upload_key(caller, caller.service_id(&service.service).await?, &file).await
        }
        Command::ListKeys(service) => {
            keys::list_keys(caller, caller.service_id(&service.service).await?).await
        }
        Command::CreateVolume { service, name, size, node } => {
            let service = caller.service_id(&service.service).await?;
            volumes::create_volume(caller, service, VolumeAdd { name, size_mib: size, node }).await
        }
        Command::ListVolumes(service) => {
            volumes::list_volumes(caller, caller.service_id(&service.service).await?).await
        }
        Command::DeleteVolume { service, name } => {
            let service = caller.service_id(&service.service).await?;
            volumes::delete_volume(caller, service, name).await
        }
        Command::Run(arguments) => types::execute(caller, Script::Run, &arguments).await,
        Command::Interrupt(arguments) => {
            types::execute(caller, Script::Interrupt, &arguments).await
        }
        Command::Cleanup(arguments) => types::execute(caller, Script::Cleanup, &arguments).await,
        Command::GetScriptStatus { service, node: None } => {
            let service = caller.service_id(&service.service).await?;
            types::get_script_status(caller, service, None).await
        }
        Command::GetScriptStatus { service, node: Some(node) } => {
            let id = caller.service_id(&service.service).await?;
            types::get_script_status(caller, id, Some(node)).await?;
            let log = AgentLog { service, node, file: None, lines: None };
            nodes::get_agent_log(caller, log).await
        }
        Command::GetAgentLog { service, node, file } => {
            nodes::get_agent_log(caller, AgentLog { service, node, file, lines: None }).await
        }
        Command::ToggleDebug(service) => {
            types::toggle_debug(caller, caller.service_id(&service.service).await?).await
        }
        Command::OnAutoscaling(on) => {
            let service = caller.service_id(&on.service.service).await?;
            autoscaling::switch_on(caller, service, on.wanted()).await
        }
        Command::OffAutoscaling(service) => {
            autoscaling::switch_off(caller, caller.service_id(&service.service).await?).await
        }
        Command::GetHelloworld(service) => {
            let service = caller.service_id(&service.service).await?;
            types::get_helloworld(caller, service).await
        }
        Command::Version | Command::Credentials => Ok(Exit::Success),
    }
}

/// `create generic 2 amsterdam`: the application, then the cloud; a word that is no number is the
/// cloud.
fn new_service(place: &[String]) -> NewService {
    let (application, cloud) = match place {
        [first, second] => (Some(first), Some(second)),
        [only] if only.parse::<i64>().is_ok() => (Some(only), None),
        [only] => (None, Some(only)),
        _ => (None, None),
    };
    NewService {
        application: application.and_then(|name| name.parse::<ApplicationRef>().ok()),
        cloud: cloud.cloned(),
        name: None,
    }
}

/// Starts a service; this client does not wait.
async fn start(
    caller: &Caller<'_>,
    service: &ServiceRef,
    cloud: Option<String>,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let service = caller.client.service_start(id, &ServiceStart { cloud }).await?;
    caller.printer.answer(&service, |_| "Your service is starting up.".to_owned());
    Ok(Exit::Success)
}

/// Stops a service that runs; this client does not wait.
async fn stop(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let Service { id, state, .. } = caller.service(service).await?;
    if !matches!(state, State::Running | State::Error) {
        return Err(CpsError::WrongState { id, state, action: "stopped" });
    }
    let service = caller.client.service_stop(id).await?;
    caller
        .printer
        .answer(&service, |_| format!("Service is in '{state}' state. Shutting it down."));
    Ok(Exit::Success)
}

/// Removes a service that does not run.
async fn terminate(caller: &Caller<'_>, service: &ServiceRef) -> Result<Exit, CpsError> {
    let Service { id, state, .. } = caller.service(service).await?;
    if !matches!(state, State::Stopped | State::Init) {
        return Err(CpsError::WrongState { id, state, action: "removed" });
    }
    let activity = caller.printer.activity("Terminating service...");
    caller.client.service_delete(id).await?;
    activity.done();
    Ok(Exit::Success)
}

/// The commands of a service, or of a type of service.
async fn usage(caller: &Caller<'_>, target: Option<&str>) -> Result<Exit, CpsError> {
    let target = target.unwrap_or_default();
    let name = match target.parse::<ServiceRef>() {
        Ok(service @ ServiceRef::Id(_)) => caller.service(&service).await?.service_type,
        _ => target.to_owned(),
    };
    let types = caller.client.service_type_list().await?;
    let found = types.into_iter().find(|kind| kind.name == name);
    let kind = found.ok_or_else(|| CpsError::UnknownType(name))?;
    caller.printer.data(cpsclient_help());
    caller.printer.answer(&kind, describe);
    Ok(Exit::Success)
}

fn describe(kind: &ServiceType) -> String {
    let mut lines = vec![format!("{}: {}", kind.title, kind.description)];
    lines.extend(
        kind.methods.iter().map(|method| format!("    {:18} {}", method.name, method.description)),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_new_service_is_an_application_a_cloud_or_both() {
        let place = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let new = new_service(&words);
            (new.application, new.cloud)
        };
        let application = || Some(ApplicationRef::Id(protocol::ApplicationId(2)));
        let cloud = || Some("amsterdam".to_owned());
        assert_eq!(place(&[]), (None, None));
        assert_eq!(place(&["2"]), (application(), None));
        assert_eq!(place(&["amsterdam"]), (None, cloud()));
        assert_eq!(place(&["2", "amsterdam"]), (application(), cloud()));
    }
}
