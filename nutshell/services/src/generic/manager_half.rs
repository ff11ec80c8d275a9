//! The Generic service as a whole: code versions, and scripts on all nodes.

use async_trait::async_trait;
use futures::future::{join_all, try_join_all};
use protocol::api::Volumes;
use protocol::api::code::CodeVersionName;
use protocol::api::generic::{
    NodeScripts, Script, ScriptExecute, ScriptStatus, ScriptStatuses, VolumeAdd, VolumeName,
};
use protocol::{ApiError, ClientError};
use serde_json::{Value, json};

use super::wire::{Execute, nothing_to_interrupt, scripts_are_running};
use super::{MASTER, default_code, distribution, volume};
use crate::code::{Contents, methods};
use crate::manager_half::{Content, File, Outcome, Remark, at, no_such_method, parameters};
use crate::state::Request;
use crate::{ManagerContext, ManagerHalf, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Manager;

#[async_trait]
impl ManagerHalf for Manager {
    async fn create(&self, context: &ManagerContext) -> Result<(), ServiceError> {
        context.code.add_default(&default_code::archive())
    }

    async fn settle(&self, context: &ManagerContext) -> Result<Remark, ServiceError> {
        distribution::settle(context).await
    }

    fn may_add(&self, role: &str) -> Result<(), ApiError> {
        match role {
            MASTER => Err(ApiError::invalid(
                "There is exactly one master, from the start to the stop of the service.",
            )
            .hint("add nodes of the role `node`")),
            _ => Ok(()),
        }
    }

    fn may_remove(&self, role: &str) -> Result<(), ApiError> {
        match role {
            MASTER => Err(ApiError::invalid("Cannot remove the master node.")),
            _ => Ok(()),
        }
    }

    fn check_code(&self, filename: &str, contents: &Contents) -> Option<Result<(), ApiError>> {
        Some(expect_scripts(filename, contents))
    }

    fn request(&self, method: &str) -> Request {
        match method {
            "enable_code" | "create_volume" | "delete_volume" => Request::Change,
            "run" | "cleanup" => Request::Use,
            "interrupt" => Request::Reach,
            _ => Request::Look,
        }
    }

    fn remedy(&self) -> Option<&'static str> {
        Some("cps generic interrupt")
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
                context.code.check_exists(&name.code_version)?;
            }
            "create_volume" => {
                let add: VolumeAdd = parameters(method, given.clone())?;
                volume::node_of(context, add.node)?;
            }
            "delete_volume" => {
                let name: VolumeName = parameters(method, given.clone())?;
                volume::find(context, &name.name).await?;
            }
            _ => return Err(no_such_method(method)),
        }
        expect_no_scripts(context).await
    }

    async fn query(
        &self,
        context: &ManagerContext,
        method: &str,
        _given: Value,
    ) -> Result<Value, ServiceError> {
        match method {
            "get_script_status" => Ok(json!(statuses(context).await?)),
            "list_volumes" => Ok(json!(Volumes { volumes: context.volumes.list().await? })),
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
            "enable_code" => enable(context, parameters(method, given)?).await,
            "create_volume" => volume::create(context, parameters(method, given)?).await,
            "delete_volume" => volume::delete(context, parameters(method, given)?).await,
            "run" => execute(context, Script::Run, parameters(method, given)?).await,
            "interrupt" => execute(context, Script::Interrupt, parameters(method, given)?).await,
            "cleanup" => execute(context, Script::Cleanup, parameters(method, given)?).await,
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
        let accept = |filename: &str, contents: &Contents, _| {
            expect_scripts(filename, contents)?;
            Ok(None)
        };
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

/// Code that holds none of the scripts would do nothing, without a word.
fn expect_scripts(filename: &str, contents: &Contents) -> Result<(), ApiError> {
    let names = Script::ALL.map(Script::file_name);
    if names.iter().any(|name| contents.has_file(name)) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("`{filename}` has none of {} at its top", names.join(", ")))
        .hint("pack the scripts themselves: `tar -czf app.tar.gz *.sh`"))
}

/// Enabling the active version again brings it to nodes that could not be reached before.
async fn enable(context: &ManagerContext, name: CodeVersionName) -> Result<Outcome, ServiceError> {
    context.code.activate(&name.code_version)?;
    let remark = distribution::settle(context).await?;
    let mut value = json!({ "code_version": name.code_version });
    if let Some(remark) = &remark {
        value["warning"] = json!(remark);
    }
    Ok(Outcome { value, remark })
}

/// Starts a script on all nodes at once; answers when it was started everywhere.
async fn execute(
    context: &ManagerContext,
    script: Script,
    given: ScriptExecute,
) -> Result<Outcome, ServiceError> {
    match script {
        Script::Interrupt if !any_interruptible(context).await? => {
            return Err(nothing_to_interrupt().into());
        }
        Script::Interrupt => {}
        Script::Init | Script::Notify | Script::Run | Script::Cleanup => {
            expect_no_scripts(context).await?;
        }
    }
    let code_version = context.code.active();
    let execute = Execute { script, parameters: given.parameters, code_version };
    // All are asked, also when one refuses.
    let asked = join_all(context.nodes.iter().map(async |node| {
        let agent = context.agents.agent(node)?;
        agent.command::<()>("execute", &execute).await.map_err(at(node.id))
    }));
    together(asked.await)?;
    Ok(json!({ "state": context.state }).into())
}

/// One answer for all nodes: what every one of them refuses alike is no matter of a single node.
fn together(answers: Vec<Result<(), ServiceError>>) -> Result<(), ServiceError> {
    let refusal = |answer: &Result<(), ServiceError>| match answer {
        Err(ServiceError::Agent { source: ClientError::Api(refusal), .. }) => Some(refusal.clone()),
        _ => None,
    };
    if let Some(first) = answers.first().and_then(refusal)
        && answers.iter().all(|answer| refusal(answer).as_ref() == Some(&first))
    {
        return Err(first.into());
    }
    answers.into_iter().collect()
}

async fn expect_no_scripts(context: &ManagerContext) -> Result<(), ServiceError> {
    match any_running(&statuses(context).await?) {
        true => Err(scripts_are_running().into()),
        false => Ok(()),
    }
}

async fn any_interruptible(context: &ManagerContext) -> Result<bool, ServiceError> {
    let nodes = try_join_all(context.nodes.iter().map(async |node| {
        let agent = context.agents.agent(node)?;
        agent.query("is_interruptible", &[("", ""); 0]).await.map_err(at(node.id))
    }));
    Ok(nodes.await?.contains(&true))
}

async fn statuses(context: &ManagerContext) -> Result<ScriptStatuses, ServiceError> {
    let nodes = try_join_all(context.nodes.iter().map(async |node| {
        let agent = context.agents.agent(node)?;
        let scripts: NodeScripts =
            agent.query("get_script_status", &[("", ""); 0]).await.map_err(at(node.id))?;
        Ok::<_, ServiceError>((node.id, scripts))
    }))
    .await?;
    Ok(ScriptStatuses { nodes: nodes.into_iter().collect() })
}

fn any_running(statuses: &ScriptStatuses) -> bool {
    let mut scripts = statuses.nodes.values().flat_map(|scripts| scripts.values());
    scripts.any(|status| *status == ScriptStatus::Running)
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;

    use super::*;

    #[test]
    fn what_all_nodes_refuse_alike_names_none_of_them() {
        let refused = |node, why: &str| Err(at(NodeId(node))(ApiError::conflict(why).into()));
        let said = |answers| together(answers).map_err(|error| ApiError::from(error).message);
        assert_eq!(said(vec![refused(1, "no"), refused(2, "no")]).unwrap_err(), "no");
        assert_eq!(said(vec![refused(1, "no"), refused(2, "never")]).unwrap_err(), "node 1: no");
        assert_eq!(said(vec![Ok(()), refused(2, "no")]).unwrap_err(), "node 2: no");
        assert_eq!(said(vec![Ok(()), Ok(())]), Ok(()));
        assert_eq!(said(vec![]), Ok(()));
    }
}
