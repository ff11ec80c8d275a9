//! The manager half of every web hosting service: code versions, settings, and what its nodes do.
//!
//! What a service decides itself is a [`Hosting`]; with that it is a manager half.

use async_trait::async_trait;
use futures::future::join_all;
use protocol::ApiError;
use protocol::api::code::CodeVersionName;
use protocol::api::web::{DaemonStatus, Deployment, NodeStatus, NodeStatuses};
use protocol::api::{MethodKind, MethodSummary, Node, NodeCounts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::autoscaling;
use super::layout::{BACKEND, Duties, PROXY, WEB, check_scale, layout};
use super::ports;
use super::rollout::Rollout;
use super::wire::Access;
use crate::code::{Contents, methods, random_name};
use crate::manager_half::{Content, File, Outcome, Remark, at, parameters};
use crate::state::Request;
use crate::{ManagerContext, ManagerHalf, ServiceError};

/// What a web hosting service decides itself.
pub(crate) trait Hosting: Send + Sync + 'static {
    /// What its users may set, as it is kept.
    type Settings: Clone + Default + Serialize + DeserializeOwned + Send + Sync;
    /// What the backend of a node is told.
    type Backend: Serialize + Send + Sync;
    /// The commands that change the settings.
    const CHANGES: &'static [&'static str];

    /// The archive of the first code version: a page that says that the service works.
    fn default_code() -> Vec<u8>;

    /// Refuses what cannot be code of this service; says what is probably not as its user meant it.
    fn check_upload(
        filename: &str,
        contents: &Contents,
        strip: bool,
    ) -> Result<Option<String>, ApiError>;

    /// The settings as one of [`Self::CHANGES`] makes them.
    fn changed(
        settings: &Self::Settings,
        method: &str,
        given: Value,
    ) -> Result<Self::Settings, ServiceError>;

    /// The settings as users are told of them: an object.
    fn describe(settings: &Self::Settings) -> Value;

    /// The largest body of a request, in bytes; 0 for any.
    fn largest_body(settings: &Self::Settings) -> u64;

    /// What the backend of a node is told.
    fn backend(rollout: &Rollout<'_, Self>, node: &Node) -> Result<Self::Backend, ServiceError>
    where
        Self: Sized;
}

/// What is kept beside the code.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Kept<S> {
    /// What users may set.
    pub(crate) settings: S,
    /// What the stores of the sessions are asked with.
    pub(crate) password: String,
}

/// The methods for the catalogue, beside those of the code.
pub(crate) fn summaries() -> impl Iterator<Item = MethodSummary> {
    let own = [
        ("get_configuration", "Tells the settings and where the application is"),
        ("get_daemon_status", "Tells what each node does, and how its programs fare"),
    ]
    .map(|(name, description)| MethodSummary {
        name: name.to_owned(),
        kind: MethodKind::Query,
        description: description.to_owned(),
    });
    own.into_iter().chain(autoscaling::summaries())
}

/// Warns of the most frequent mistake: all of an archive lies in one directory. `repack` makes it
/// better.
pub(crate) fn enclosing_directory(
    filename: &str,
    contents: &Contents,
    repack: impl FnOnce(&str) -> String,
) -> Option<String> {
    let directory = contents.wrapper.as_ref()?.display().to_string();
    let repack = repack(&directory);
    Some(format!(
        "all of `{filename}` lies in the directory `{directory}`, and so will the application: its \
         address ends in /{directory}/. To have it at the top, upload it again with --strip, or \
         repack it: {repack}"
    ))
}

#[async_trait]
impl<S: Hosting> ManagerHalf for S {
    async fn create(&self, context: &ManagerContext) -> Result<(), ServiceError> {
        let mut kept: Kept<S::Settings> = context.settings.read()?;
        if kept.password.is_empty() {
            kept.password = random_name(32);
            context.settings.write(&kept)?;
        }
        context.code.add_default(&S::default_code())
    }

    async fn settle(&self, context: &ManagerContext) -> Result<Remark, ServiceError> {
        present::<S>(context)?.run().await?;
        Ok(None)
    }

    fn check_scale(&self, before: &NodeCounts, after: &NodeCounts) -> Result<(), ApiError> {
        check_scale(before, after)
    }

    async fn release(
        &self,
        context: &ManagerContext,
        leaving: &[Node],
    ) -> Result<(), ServiceError> {
        if context.nodes.is_empty() {
            return Ok(());
        }
        let rollout = present::<S>(context)?;
        rollout.run().await?;
        rollout.dismiss(leaving).await;
        Ok(())
    }

    fn check_code(&self, filename: &str, contents: &Contents) -> Option<Result<(), ApiError>> {
        Some(S::check_upload(filename, contents, false).map(|_| ()))
    }

    fn request(&self, method: &str) -> Request {
        match method {
            "enable_code" => Request::Change,
            "get_daemon_status" => Request::Reach,
            _ if S::CHANGES.contains(&method) => Request::Change,
            _ => Request::Look,
        }
    }

    async fn check_change(
        &self,
        context: &ManagerContext,
        method: &str,
        given: &Value,
    ) -> Result<(), ServiceError> {
        if method == "enable_code" {
            let name: CodeVersionName = parameters(method, given.clone())?;
            return context.code.check_exists(&name.code_version);
        }
        let kept: Kept<S::Settings> = context.settings.read()?;
        S::changed(&kept.settings, method, given.clone()).map(|_| ())
    }

    async fn query(
        &self,
        context: &ManagerContext,
        method: &str,
        _given: Value,
    ) -> Result<Value, ServiceError> {
        match method {
            "get_configuration" => {
                let kept: Kept<S::Settings> = context.settings.read()?;
                let mut told = json!(deployment(context).await);
                if let (Some(told), Value::Object(settings)) =
                    (told.as_object_mut(), S::describe(&kept.settings))
                {
                    told.extend(settings);
                }
                Ok(told)
            }
            "get_daemon_status" => Ok(json!(statuses(context).await)),
            _ => methods::query(context, method),
        }
    }

    async fn command(
        &self,
        context: &ManagerContext,
        method: &str,
        given: Value,
    ) -> Result<Outcome, ServiceError> {
        let mut rollout = match method {
            "enable_code" => present::<S>(context)?,
            _ if S::CHANGES.contains(&method) => present::<S>(context)?,
            _ => return methods::command(context, method, given).await,
        };
        if method == "enable_code" {
            let name: CodeVersionName = parameters(method, given)?;
            rollout.version = name.code_version.clone();
            change(rollout, || context.code.activate(&name.code_version)).await?;
            return Ok(json!(name).into());
        }
        rollout.kept.settings = S::changed(&rollout.kept.settings, method, given)?;
        let kept = rollout.kept.clone();
        change(rollout, || context.settings.write(&kept)).await?;
        Ok(S::describe(&kept.settings).into())
    }

    async fn upload(
        &self,
        context: &ManagerContext,
        method: &str,
        given: Value,
        content: Content,
    ) -> Result<Value, ServiceError> {
        methods::upload(context, method, given, content, S::check_upload).await
    }

    async fn download(
        &self,
        context: &ManagerContext,
        method: &str,
        given: Value,
    ) -> Result<File, ServiceError> {
        methods::download(context, method, given).await
    }
}

/// What the nodes are to do by all that is kept.
fn present<S: Hosting>(context: &ManagerContext) -> Result<Rollout<'_, S>, ServiceError> {
    let version = context.code.active().ok_or_else(|| ApiError::conflict("there is no code"))?;
    Ok(Rollout { context, version, kept: context.settings.read()? })
}

/// Makes a change on all nodes or on none: only when every one is prepared it is kept, and shown to
/// users.
async fn change<S: Hosting>(
    rollout: Rollout<'_, S>,
    keep: impl FnOnce() -> Result<(), ServiceError> + Send,
) -> Result<(), ServiceError> {
    let context = rollout.context;
    if context.nodes.is_empty() {
        return keep();
    }
    match rollout.prepare().await {
        Ok(ready) => {
            keep()?;
            rollout.switch(&ready).await
        }
        Err(error) => {
            // What was prepared is of no use; where that cannot be ended now, the next change does.
            if let Err(error) = present::<S>(context)?.run().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a change that failed was not taken back everywhere");
            }
            Err(error)
        }
    }
}

async fn deployment(context: &ManagerContext) -> Deployment {
    let layout = layout(&context.nodes);
    let proxies = context.nodes.iter().filter(|node| layout[&node.id].proxy);
    let urls = join_all(proxies.map(async |node| {
        let agent = context.agents.agent(node).ok()?;
        let access: Access = agent.query("get_access", &[("", ""); 0]).await.ok()?;
        let (address, port) = (node.address()?, access.port?);
        Some(match port == ports::PROXY {
            true => format!("http://{address}"),
            false => format!("http://{address}:{port}"),
        })
    }));
    Deployment {
        code_version: context.code.list().into_iter().find(|version| version.current),
        urls: urls.await.into_iter().flatten().collect(),
    }
}

async fn statuses(context: &ManagerContext) -> NodeStatuses {
    let layout = layout(&context.nodes);
    let nodes = join_all(context.nodes.iter().map(async |node| {
        // One that does not answer is known by its roles only.
        let asked = async {
            let agent = context.agents.agent(node)?;
            let daemons = agent.query("get_daemon_status", &[("", ""); 0]).await;
            daemons.map_err(at(node.id))
        };
        let daemons: Vec<DaemonStatus> = asked.await.unwrap_or_default();
        (node.id, NodeStatus { roles: roles(layout[&node.id]), daemons })
    }));
    NodeStatuses { nodes: nodes.await.into_iter().collect() }
}

fn roles(duties: Duties) -> Vec<String> {
    let roles = [(duties.proxy, PROXY), (duties.web, WEB), (duties.backend, BACKEND)];
    roles.into_iter().filter(|(does, _)| *does).map(|(_, role)| role.to_owned()).collect()
}
