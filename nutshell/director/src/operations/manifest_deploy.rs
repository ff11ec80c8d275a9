//! Makes what a manifest describes: a new application with its services, or nothing.
//!
//! Each step looks at what is there before it does anything: it may have been done before, in part
//! or whole, by a director that was killed. What was made is undone as a whole, by removing the
//! application.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use protocol::api::code::{CodeUpload, CodeUploaded, CodeVersionName, CodeVersions};
use protocol::api::generic::VolumeAdd;
use protocol::api::php::ConfigurationUpdate;
use protocol::api::{
    Node, NodeState, NodesAdd, Service, ServiceStart, StartupScript, State, VolumeState,
};
use protocol::client::Upload;
use protocol::{ApplicationId, CodeVersionId, ServiceId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::application_delete::ApplicationDelete;
use super::{Begun, Nature, Operation, Step};
use crate::app::manager::check_running;
use crate::app::manifest::{CHANGED_BY, read_file};
use crate::app::service_method::{Call, Query};
use crate::app::{App, Error, Result};
use crate::db;
use crate::db::Writer;
use crate::db::operation::OperationRecord;
use crate::fetch;

/// How long a change of a service is waited for before looking again.
const CHANGE_WAIT: Duration = Duration::from_secs(25);
/// What is said of code that came by a manifest.
const DESCRIPTION: &str = "from the manifest";

/// Which application, whose, and what is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ManifestDeploy {
    pub(crate) user: UserId,
    pub(crate) application: ApplicationId,
    cloud: String,
    /// The name that its files are kept under.
    pub(crate) files: String,
    pub(crate) steps: Vec<DeployStep>,
}

/// One thing to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DeployStep {
    /// Fetch a file that the manifest names by URL.
    Fetch { url: String, file: usize },
    /// Start the application's manager.
    Manager,
    /// Set the script that new nodes of a service run.
    Script { service: ServiceId, name: String, file: StoredFile },
    /// Change a service's settings.
    Settings { service: ServiceId, name: String, settings: BTreeMap<String, String> },
    /// Bring code to a service and to work.
    Code { service: ServiceId, name: String, file: StoredFile },
    /// Start a service.
    Start { service: ServiceId, name: String, cloud: String },
    /// Add the nodes that are missing from so many of each role.
    Nodes { service: ServiceId, name: String, nodes: BTreeMap<String, u32>, cloud: String },
    /// Give a volume to a node: the `nth` of its role, from 0, oldest first.
    Volume {
        service: ServiceId,
        name: String,
        volume: String,
        size_mib: u64,
        role: String,
        nth: usize,
    },
}

/// A file that the director keeps for the deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredFile {
    pub(crate) number: usize,
    /// Its name, as the service is told it.
    pub(crate) name: String,
}

impl Operation for ManifestDeploy {
    const KIND: &'static str = "manifest_deploy";
    const NATURE: Nature = Nature::Resumed;
    const STEPS: &'static [Step<Self>] = &[
        Step::recorded("application_record", |app, deploy, _| {
            application_remove(app, deploy).boxed()
        }),
        Step::each(
            "deploy",
            |deploy| deploy.steps.len(),
            |app, deploy, nth| step(app, deploy, &deploy.steps[nth]).boxed(),
        ),
        Step::new("files_forget", |app, deploy| app.files_forget(&deploy.files).boxed()),
    ];
}

impl ManifestDeploy {
    pub(crate) async fn begin(
        tx: &mut Writer,
        user: UserId,
        application: ApplicationId,
        cloud: String,
        files: String,
        steps: Vec<DeployStep>,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, application, now).await?;
        Begun::record(tx, operation, Self { user, application, cloud, files, steps }).await
    }

    /// The deployment in a record, when it is one.
    pub(crate) fn of_record(record: &OperationRecord) -> Option<Self> {
        let of_this_kind = record.operation.kind == Self::KIND;
        of_this_kind.then(|| serde_json::from_str(&record.parameters).ok()).flatten()
    }

    /// How many of its steps are done when so many steps of the operation were begun.
    pub(crate) fn done(&self, begun: usize) -> usize {
        // The record of the application comes before them, and one that was begun is not done.
        begun.saturating_sub(2).min(self.steps.len())
    }
}

impl DeployStep {
    /// What it does, as people read it.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Fetch { url, .. } => {
                format!(
                    "Fetching {}",
                    fetch::url(url).map_or_else(|_| String::new(), |url| fetch::shown(&url))
                )
            }
            Self::Manager => "Starting the manager".to_owned(),
            Self::Script { name, .. } => format!("{name}: setting the startup script"),
            Self::Settings { name, settings, .. } => {
                let settings: Vec<&str> = settings.keys().map(String::as_str).collect();
                format!("{name}: setting {}", settings.join(", "))
            }
            Self::Code { name, file, .. } => format!("{name}: uploading {}", file.name),
            Self::Start { name, .. } => format!("{name}: starting"),
            Self::Nodes { name, nodes, .. } => {
                let nodes: Vec<String> =
                    nodes.iter().map(|(role, count)| format!("{count} {role}")).collect();
                format!("{name}: growing to {}", nodes.join(", "))
            }
            Self::Volume { name, volume, size_mib, role, nth, .. } => {
                format!("{name}: volume {volume} of {size_mib} MB for {role} {}", nth + 1)
            }
        }
    }
}

async fn step(app: &App, deploy: &ManifestDeploy, step: &DeployStep) -> Result<()> {
    match step {
        DeployStep::Fetch { url, file } => {
            let path = app.file_path(&deploy.files, *file);
            Ok(fetch::to_file(&app.fetch, &fetch::url(url)?, &path).await?)
        }
        DeployStep::Manager => manager(app, deploy).await,
        DeployStep::Script { service, file, .. } => script(app, deploy, *service, file).await,
        DeployStep::Settings { service, settings, .. } => {
            let update = ConfigurationUpdate { phpconf: settings.clone() };
            let method = app.service_method(deploy.user, *service, CHANGED_BY, Call::Post).await?;
            app.service_command(&method, &json!(update)).await?;
            Ok(())
        }
        DeployStep::Code { service, file, .. } => code(app, deploy, *service, file).await,
        DeployStep::Start { service, cloud, .. } => start(app, deploy, *service, cloud).await,
        DeployStep::Nodes { service, nodes, cloud, .. } => {
            grow(app, deploy, *service, nodes, cloud).await
        }
        DeployStep::Volume { service, volume, size_mib, role, nth, .. } => {
            let wanted = (volume.as_str(), *size_mib);
            give_volume(app, deploy, *service, wanted, (role, *nth)).await
        }
    }
}

async fn manager(app: &App, deploy: &ManifestDeploy) -> Result<()> {
    let (user, id) = (deploy.user, deploy.application);
    let application = app.application_view(user, id).await?;
    if application.state == State::Init {
        app.application_start(user, id, Some(&deploy.cloud)).await?;
    }
    let settled = app.application_settled(user, id).await?;
    check_running(&settled)
}

async fn script(
    app: &App,
    deploy: &ManifestDeploy,
    service: ServiceId,
    file: &StoredFile,
) -> Result<()> {
    let path = app.file_path(&deploy.files, file.number);
    let content = tokio::fs::read(path).await.map_err(Error::Files)?;
    let script = String::from_utf8(content)
        .map_err(|_| Error::Invalid(format!("the startup script {} is no text", file.name)))?;
    app.service_set_startup_script(deploy.user, service, StartupScript { script }).await?;
    Ok(())
}

/// Uploads the code, unless that was done before, and brings it to work.
async fn code(
    app: &App,
    deploy: &ManifestDeploy,
    service: ServiceId,
    file: &StoredFile,
) -> Result<()> {
    let user = deploy.user;
    let list = app.service_method(user, service, "list_code", Call::Get).await?;
    let listed = app.service_query(&list, &Query::new()).await?;
    let listed: CodeVersions = understood(listed)?;
    let ours = |version: &protocol::api::CodeVersion| {
        version.filename == file.name && version.description == DESCRIPTION
    };
    let code_version = match listed.code_versions.into_iter().find(ours) {
        Some(version) => version.id,
        None => upload(app, deploy, service, file).await?,
    };
    let enable = app.service_method(user, service, "enable_code", Call::Post).await?;
    app.service_command(&enable, &json!(CodeVersionName { code_version })).await?;
    // Where the service is at work, its scripts have begun.
    let service = app.service_settled(user, service).await?;
    if service.state == State::Error { Err(failed(&service)) } else { Ok(()) }
}

async fn upload(
    app: &App,
    deploy: &ManifestDeploy,
    service: ServiceId,
    file: &StoredFile,
) -> Result<CodeVersionId> {
    let method = app.service_method(deploy.user, service, "upload_code", Call::Post).await?;
    let about = CodeUpload {
        filename: file.name.clone(),
        description: DESCRIPTION.to_owned(),
        strip: false,
    };
    let query = Query::from([
        ("filename".to_owned(), about.filename),
        ("description".to_owned(), about.description),
    ]);
    let content = read_file(&app.file_path(&deploy.files, file.number)).await?;
    let answer = app.service_upload(&method, &query, Upload::from(content)).await?;
    Ok(understood::<CodeUploaded>(answer)?.code_version)
}

/// What a manager answered, as the type that it should be.
fn understood<T: serde::de::DeserializeOwned>(answer: serde_json::Value) -> Result<T> {
    serde_json::from_value(answer).map_err(Error::NotUnderstood)
}

/// Starts the service. One that failed before this was asked for, by a director that was killed in
/// the middle of it, is asked once more.
async fn start(app: &App, deploy: &ManifestDeploy, id: ServiceId, cloud: &str) -> Result<()> {
    let mut asked = false;
    loop {
        let service = app.service_settled(deploy.user, id).await?;
        if service.state == State::Running {
            return Ok(());
        }
        if asked {
            return Err(failed(&service));
        }
        let start = ServiceStart { cloud: Some(cloud.to_owned()) };
        app.service_start(deploy.user, id, start).await?;
        asked = true;
    }
}

/// Adds what is missing from so many nodes of each role.
async fn grow(
    app: &App,
    deploy: &ManifestDeploy,
    id: ServiceId,
    wanted: &BTreeMap<String, u32>,
    cloud: &str,
) -> Result<()> {
    let mut asked = false;
    loop {
        let service = app.service_settled(deploy.user, id).await?;
        if service.state != State::Running {
            return Err(failed(&service));
        }
        let mut missing = wanted.clone();
        for node in app.service_nodes(deploy.user, id).await? {
            if let Some(count) =
                missing.get_mut(&node.role).filter(|_| node.state == NodeState::Ready)
            {
                *count = count.saturating_sub(1);
            }
        }
        missing.retain(|_, count| *count > 0);
        if missing.is_empty() {
            return Ok(());
        }
        if asked {
            return Err(failed(&service));
        }
        let add = NodesAdd { nodes: missing, cloud: Some(cloud.to_owned()), ..NodesAdd::default() };
        app.service_add_nodes(deploy.user, id, add).await?;
        asked = true;
    }
}

/// Has a volume made for a node, unless it has it. One that a director was killed in the middle of
/// making is on its way out: that is waited for.
async fn give_volume(
    app: &App,
    deploy: &ManifestDeploy,
    id: ServiceId,
    (name, size_mib): (&str, u64),
    (role, nth): (&str, usize),
) -> Result<()> {
    let mut service = app.service_settled(deploy.user, id).await?;
    loop {
        let volumes = app.service_volumes(deploy.user, id).await?;
        match volumes.iter().find(|volume| volume.name == name).map(|volume| volume.state) {
            None => break,
            Some(VolumeState::Attached) => return Ok(()),
            Some(VolumeState::Creating | VolumeState::Deleting | VolumeState::Lost) => {
                service =
                    app.service_changed(deploy.user, id, service.revision, CHANGE_WAIT).await?;
            }
        }
    }
    if service.state != State::Running {
        return Err(failed(&service));
    }
    let nodes = app.service_nodes(deploy.user, id).await?;
    let ready = |node: &&Node| node.role == role && node.state == NodeState::Ready;
    let node = nodes.iter().filter(ready).nth(nth).ok_or_else(|| failed(&service))?.id;
    let method = app.service_method(deploy.user, id, "create_volume", Call::Post).await?;
    let add = VolumeAdd { name: name.to_owned(), size_mib, node };
    app.service_command(&method, &json!(add)).await?;
    Ok(())
}

fn failed(service: &Service) -> Error {
    let reason = match &service.reason {
        Some(reason) => format!("it is {}: {reason}", service.state),
        None => format!("it is {}", service.state),
    };
    Error::ServiceFailed { service: service.id, reason }
}

/// Has the application removed, by an operation of its own: it waits for this one to end.
async fn application_remove(app: &App, deploy: &ManifestDeploy) -> Result<()> {
    app.files_forget(&deploy.files).await?;
    let id = deploy.application;
    let mut tx = app.db.write().await?;
    let gone = db::application::view(&mut tx, id).await?.is_none();
    if gone || db::operation::under_way(&mut tx, id, ApplicationDelete::KIND).await? {
        return Ok(());
    }
    let begun = ApplicationDelete::begin(&mut tx, deploy.user, id, app.now()).await?;
    tx.commit().await?;
    begun.run(app);
    app.publish_application(id).await;
    Ok(())
}
