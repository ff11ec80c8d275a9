//! Manifests: a whole application made from one document, and one document made of it.
//!
//! ```text
//!  read.rs     a document into a plan, or all that is wrong with it
//!  files.rs    the files of a deployment, until they are at their services
//!  download.rs an application into a document
//!  ready/      manifests for everybody: that come with the director, or are registered
//! ```
//!
//! The work itself is the operation `manifest_deploy`.

mod download;
mod files;
mod read;
mod ready;

use std::time::Duration;

use protocol::api::{Deployment, InlineFile, OperationState};
use protocol::{OperationId, ServiceId, UserId};
use tokio::time::Instant;

use self::read::{Known, Plan, PlannedService, PlannedVolume, Source};
use super::{App, Error, Result, credit, event, name, service};
use crate::db;
use crate::db::operation::OperationRecord;
use crate::operations::manifest_deploy::{DeployStep, ManifestDeploy, StoredFile};

pub(crate) use files::read as read_file;
pub(crate) use read::CHANGED_BY;
pub(crate) use ready::REGISTER_LIMIT;

/// The name of an application whose manifest gives none.
const DEFAULT_NAME: &str = "New Application";

impl App {
    /// Makes what the manifest says: answers once everything is recorded, and before anything runs.
    pub(crate) async fn manifest_deploy(
        &self,
        user: UserId,
        text: &[u8],
        cloud: Option<&str>,
    ) -> Result<Deployment> {
        let cloud = self.cloud_name(cloud)?;
        let clouds = self.cloud_list();
        let known = Known { clouds: &clouds, most_nodes: most_nodes() };
        let mut plan = plan(text, &known)?;
        let files = files::new_name();
        self.files_keep(&files, take_inline(&mut plan)).await?;
        let recorded = self.manifest_record(user, plan, cloud, files.clone()).await;
        if recorded.is_err() {
            self.files_forget(&files).await?;
        }
        let operation = recorded?;
        self.deployment_view(user, operation).await
    }

    async fn manifest_record(
        &self,
        user: UserId,
        plan: Plan,
        cloud: String,
        files: String,
    ) -> Result<OperationId> {
        let mut tx = self.db.write().await?;
        let vms = if plan.services.is_empty() { 0 } else { 1 };
        let vms = plan.services.iter().fold(vms, |sum, one| one.vms().saturating_add(sum));
        credit::check(&mut tx, user, vms).await?;
        let taken: Vec<String> =
            db::application::list(&mut tx, user).await?.into_iter().map(|one| one.name).collect();
        let name = name::free(plan.application.as_deref().unwrap_or(DEFAULT_NAME), &taken);
        let now = self.now();
        let application = db::application::insert(&mut tx, user, &name, now).await?;
        let mut services = Vec::new();
        for planned in plan.services {
            let kind = &planned.service_type.name;
            let id = db::service::insert(&mut tx, application, kind, &planned.name, now).await?;
            services.push((id, planned));
        }
        let steps = steps(&services, &cloud);
        let begun =
            ManifestDeploy::begin(&mut tx, user, application, cloud, files, steps, now).await?;
        tx.commit().await?;
        let operation = begun.run(self);
        self.publish_application(application).await;
        for (id, _) in services {
            self.publish_service(id).await;
        }
        Ok(operation)
    }

    pub(crate) async fn deployment_view(
        &self,
        user: UserId,
        id: OperationId,
    ) -> Result<Deployment> {
        let mut connection = self.db.read().await?;
        let unknown = || Error::not_found("deployment", id);
        let record = db::operation::view(&mut connection, id).await?.ok_or_else(unknown)?;
        let deploy = ManifestDeploy::of_record(&record).ok_or_else(unknown)?;
        if deploy.user != user {
            return Err(unknown());
        }
        let application = db::application::view(&mut connection, deploy.application).await?;
        Ok(deployment(&record, &deploy, application.is_some()))
    }

    /// The deployment, once its revision is above `after` or `wait` is over.
    pub(crate) async fn deployment_changed(
        &self,
        user: UserId,
        id: OperationId,
        after: u64,
        wait: Duration,
    ) -> Result<Deployment> {
        let mut progress = self.operations.subscribe();
        let mut events = self.events.subscribe();
        let deadline = Instant::now() + wait;
        loop {
            let deployment = self.deployment_view(user, id).await?;
            if deployment.revision > after {
                return Ok(deployment);
            }
            let concerns = |published: &event::Published| {
                event::concerns_application(&published.event, deployment.application)
            };
            tokio::select! {
                () = event::heard(&mut progress, |changed| *changed == id) => {}
                () = event::heard(&mut events, concerns) => {}
                () = tokio::time::sleep_until(deadline) => return Ok(deployment),
                () = self.shutdown.cancelled() => return Ok(deployment),
            }
        }
    }
}

/// Reads a manifest, or tells all that is wrong with it.
fn plan(text: &[u8], known: &Known<'_>) -> Result<Plan> {
    read::read(text, known).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::Invalid(format!("the manifest is not valid: {}", problems.join("; ")))
    })
}

fn most_nodes() -> u32 {
    u32::try_from(service::MOST_NODES).unwrap_or(u32::MAX)
}

/// The files that came with the manifest; what is left of them is their names.
fn take_inline(plan: &mut Plan) -> Vec<InlineFile> {
    let taken = |source: &mut Source| match source {
        Source::Inline(InlineFile { name, content }) => {
            Some(InlineFile { name: name.clone(), content: std::mem::take(content) })
        }
        Source::Web(_) => None,
    };
    plan.services
        .iter_mut()
        .flat_map(|service| service.script.iter_mut().chain(&mut service.archive))
        .filter_map(taken)
        .collect()
}

/// Everything a deployment does, in this order: what is fetched comes first, because nothing else
/// is likelier to fail, and costs less to undo.
fn steps(services: &[(ServiceId, PlannedService)], cloud: &str) -> Vec<DeployStep> {
    let is_inline = |source: &&Source| matches!(source, Source::Inline(_));
    let inline = services
        .iter()
        .flat_map(|(_, one)| one.script.iter().chain(&one.archive))
        .filter(is_inline);
    // Files are numbered: first those that came with the manifest, then those that are fetched.
    let (mut next_inline, mut next_fetched) = (0.., inline.count()..);
    let mut fetches = Vec::new();
    let mut work = Vec::new();
    let mut stored = |source: &Source| {
        let number = match source {
            Source::Inline(_) => next_inline.next(),
            Source::Web(_) => next_fetched.next(),
        };
        let file = StoredFile { number: number.unwrap_or_default(), name: source.file_name() };
        if let Source::Web(url) = source {
            fetches.push(DeployStep::Fetch { url: url.to_string(), file: file.number });
        }
        file
    };
    for (id, planned) in services {
        let (service, name) = (*id, &planned.name);
        let cloud = planned.cloud.as_deref().unwrap_or(cloud);
        if let Some(file) = planned.script.as_ref().map(&mut stored) {
            work.push(DeployStep::Script { service, name: name.clone(), file });
        }
        if !planned.settings.is_empty() {
            let (name, settings) = (name.clone(), planned.settings.clone());
            work.push(DeployStep::Settings { service, name, settings });
        }
        let code = planned.archive.as_ref().map(&mut stored);
        let code = code.map(|file| DeployStep::Code { service, name: name.clone(), file });
        // Code finds its volumes; where there are none, it begins with the service.
        let (before, after) = match planned.volumes.is_empty() {
            true => (code, None),
            false => (None, code),
        };
        work.extend(before);
        if planned.start {
            work.push(DeployStep::Start { service, name: name.clone(), cloud: cloud.to_owned() });
            if !planned.more_nodes().is_empty() {
                let (nodes, cloud) = (planned.nodes.clone(), cloud.to_owned());
                work.push(DeployStep::Nodes { service, name: name.clone(), nodes, cloud });
            }
            let volume = |volume: &PlannedVolume| DeployStep::Volume {
                service,
                name: name.clone(),
                volume: volume.name.clone(),
                size_mib: volume.size_mib,
                role: volume.role.clone(),
                nth: volume.nth,
            };
            work.extend(planned.volumes.iter().map(volume));
        }
        work.extend(after);
    }
    let manager = (!services.is_empty()).then_some(DeployStep::Manager);
    fetches.into_iter().chain(manager).chain(work).collect()
}

/// A deployment as its record shows it.
fn deployment(
    record: &OperationRecord,
    deploy: &ManifestDeploy,
    application_is_there: bool,
) -> Deployment {
    let total = deploy.steps.len();
    let state = match record.operation.state {
        // What removes the application is an operation of its own.
        OperationState::Failed if application_is_there => OperationState::Unwinding,
        state => state,
    };
    let (done, revision) = match state {
        OperationState::Running => (deploy.done(record.begun), record.begun),
        OperationState::Unwinding => (deploy.done(record.begun), usize::MAX - 1),
        OperationState::Done => (total, usize::MAX),
        OperationState::Failed => (deploy.done(record.begun), usize::MAX),
    };
    let error = match state {
        OperationState::Unwinding | OperationState::Failed => Some(record.failure()),
        OperationState::Running | OperationState::Done => None,
    };
    Deployment {
        id: record.operation.id,
        application: deploy.application,
        state,
        steps: deploy.steps.iter().map(DeployStep::title).collect(),
        done,
        error,
        revision: u64::try_from(revision).unwrap_or(u64::MAX),
    }
}
