//! The PHP service as a whole: settings, code versions, and what its nodes do.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use futures::future::join_all;
use protocol::ApiError;
use protocol::api::code::CodeVersionName;
use protocol::api::php::{self, Configuration, ConfigurationUpdate, Setting, Settings};
use protocol::api::web::{DaemonStatus, NodeStatus, NodeStatuses};
use protocol::api::{Node, NodeCounts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::default_code;
use super::fpm::Backend;
use crate::code::{Contents, methods, random_name};
use crate::manager_half::{Content, File, Outcome, Remark, at, no_such_method, parameters};
use crate::state::Request;
use crate::web::layout::{BACKEND, Duties, PROXY, WEB, check_scale, layout};
use crate::web::ports;
use crate::web::rollout::Rollout;
use crate::web::wire::Access;
use crate::{ManagerContext, ManagerHalf, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Manager;

/// What is kept beside the code.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// The settings that are not as by default.
    phpconf: Settings,
    /// What the sessions are asked with.
    password: String,
}

#[async_trait]
impl ManagerHalf for Manager {
    async fn create(&self, context: &ManagerContext) -> Result<(), ServiceError> {
        let mut kept: Kept = context.settings.read()?;
        if kept.password.is_empty() {
            kept.password = random_name(32);
            context.settings.write(&kept)?;
        }
        context.code.add_default(&default_code::archive())
    }

    async fn settle(&self, context: &ManagerContext) -> Result<Remark, ServiceError> {
        present(context)?.run().await?;
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
        let rollout = present(context)?;
        rollout.run().await?;
        rollout.dismiss(leaving).await;
        Ok(())
    }

    fn check_code(&self, _filename: &str, _contents: &Contents) -> Option<Result<(), ApiError>> {
        Some(Ok(()))
    }

    fn request(&self, method: &str) -> Request {
        match method {
            "enable_code" | "update_php_configuration" => Request::Change,
            "get_daemon_status" => Request::Reach,
            _ => Request::Look,
        }
    }

    async fn check_change(
        &self,
        context: &ManagerContext,
        method: &str,
        given: &Value,
    ) -> Result<(), ServiceError> {
        match method {
            "enable_code" => {
                let name: CodeVersionName = parameters(method, given.clone())?;
                context.code.check_exists(&name.code_version)
            }
            "update_php_configuration" => {
                let update: ConfigurationUpdate = parameters(method, given.clone())?;
                let kept: Kept = context.settings.read()?;
                Ok(updated(&kept.phpconf, &update).map(|_| ())?)
            }
            _ => Err(no_such_method(method)),
        }
    }

    async fn query(
        &self,
        context: &ManagerContext,
        method: &str,
        _given: Value,
    ) -> Result<Value, ServiceError> {
        match method {
            "get_configuration" => Ok(json!(configuration(context).await?)),
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
        match method {
            "enable_code" => {
                let name: CodeVersionName = parameters(method, given)?;
                let version = name.code_version.clone();
                let rollout = Rollout { version: version.clone(), ..present(context)? };
                change(context, rollout, || context.code.activate(&version)).await?;
                Ok(json!(name).into())
            }
            "update_php_configuration" => {
                let update: ConfigurationUpdate = parameters(method, given)?;
                let mut kept: Kept = context.settings.read()?;
                kept.phpconf = updated(&kept.phpconf, &update)?;
                let rollout = rollout(context, &kept)?;
                change(context, rollout, || context.settings.write(&kept)).await?;
                Ok(json!({ "phpconf": php::complete(&kept.phpconf) }).into())
            }
            _ => methods::command(context, method, given).await,
        }
    }

    async fn upload(
        &self,
        context: &ManagerContext,
        method: &str,
        given: Value,
        content: Content,
    ) -> Result<Value, ServiceError> {
        let accept =
            |filename: &str, contents: &Contents, strip| Ok(warning(filename, contents, strip));
        methods::upload(context, method, given, content, accept).await
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
fn present(context: &ManagerContext) -> Result<Rollout<'_, Backend>, ServiceError> {
    rollout(context, &context.settings.read()?)
}

fn rollout<'a>(
    context: &'a ManagerContext,
    kept: &Kept,
) -> Result<Rollout<'a, Backend>, ServiceError> {
    let version = context.code.active().ok_or_else(|| ApiError::conflict("there is no code"))?;
    let phpconf = php::complete(&kept.phpconf);
    // What PHP would refuse need not be sent to it; without a limit of its own there is none.
    let largest_body = phpconf.get("post_max_size").and_then(|size| php::size(size));
    Ok(Rollout {
        context,
        version,
        password: kept.password.clone(),
        largest_body: largest_body.unwrap_or_default(),
        backend: told,
        phpconf,
    })
}

/// What the backend of a node is told.
fn told(rollout: &Rollout<'_, Backend>, node: &Node) -> Result<Backend, ServiceError> {
    let mut clients: Vec<Ipv4Addr> = rollout
        .proxies()
        .into_iter()
        .flat_map(|proxy| [proxy.private_ip, proxy.public_ip])
        .flatten()
        .collect();
    clients.dedup();
    Ok(Backend {
        phpconf: rollout.phpconf.clone(),
        sessions: rollout.sessions(node)?,
        password: rollout.password.clone(),
        clients,
    })
}

/// Makes a change on all nodes or on none: only when every one is prepared it is kept, and shown to
/// users.
async fn change(
    context: &ManagerContext,
    rollout: Rollout<'_, Backend>,
    keep: impl FnOnce() -> Result<(), ServiceError>,
) -> Result<(), ServiceError> {
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
            if let Err(error) = present(context)?.run().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a change that failed was not taken back everywhere");
            }
            Err(error)
        }
    }
}

/// The settings with what is to change; an empty value means the default, except where nothing is a
/// value.
fn updated(settings: &Settings, update: &ConfigurationUpdate) -> Result<Settings, ApiError> {
    let mut updated = settings.clone();
    if update.phpconf.is_empty() {
        return Err(ApiError::invalid("there is nothing to change: name a setting of PHP"));
    }
    for (name, value) in &update.phpconf {
        let setting = Setting::find(name)?;
        let value = setting.check(value)?;
        match value == setting.default {
            true => updated.remove(name),
            false => updated.insert(name.clone(), value),
        };
    }
    Ok(updated)
}

/// What is probably not as its user meant it.
fn warning(filename: &str, contents: &Contents, strip: bool) -> Option<String> {
    const INDEX: [&str; 3] = ["index.php", "index.html", "index.htm"];
    let directory = contents.wrapper.as_ref().map(|wrapper| wrapper.display().to_string());
    if let (Some(directory), false) = (directory, strip) {
        return Some(format!(
            "all of `{filename}` lies in the directory `{directory}`, and so will the application: \
             its address ends in /{directory}/. To have it at the top, upload it again with \
             --strip, or repack it: tar -czf app.tar.gz -C {directory} ."
        ));
    }
    let has_index = INDEX.iter().any(|name| contents.has_file(name));
    (!has_index).then(|| {
        format!(
            "`{filename}` has none of {} at its top: the address of the application alone will \
             show nothing",
            INDEX.join(", ")
        )
    })
}

async fn configuration(context: &ManagerContext) -> Result<Configuration, ServiceError> {
    let kept: Kept = context.settings.read()?;
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
    Ok(Configuration {
        code_version: context.code.list().into_iter().find(|version| version.current),
        phpconf: php::complete(&kept.phpconf),
        urls: urls.await.into_iter().flatten().collect(),
    })
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn update(name: &str, value: &str) -> ConfigurationUpdate {
        ConfigurationUpdate { phpconf: [(name.to_owned(), value.to_owned())].into() }
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept() {
        let none = Settings::new();
        let debug = updated(&none, &update("display_errors", "on")).unwrap();
        assert_eq!(debug["display_errors"], "On");
        assert_eq!(updated(&debug, &update("display_errors", "Off")).unwrap(), none);
        assert!(updated(&none, &update("safe_mode", "On")).is_err());
        assert!(updated(&none, &ConfigurationUpdate::default()).is_err());
    }

    #[test]
    fn a_warning_tells_of_an_enclosing_directory_or_a_missing_index() {
        let mut contents = Contents::default();
        contents.wrapper = Some(PathBuf::from("blog"));
        let told = warning("a.zip", &contents, false).unwrap();
        assert!(told.contains("--strip") && told.contains("-C blog ."), "{told}");
        let told = warning("a.zip", &contents, true).unwrap();
        assert!(told.contains("index.php"), "{told}");
        contents.wrapper = None;
        assert!(warning("a.zip", &contents, false).is_some());
    }
}
