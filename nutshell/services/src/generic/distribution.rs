//! Brings every agent to the present nodes and the active code version.
//!
//! First all nodes learn who is there and get the code, and `init.sh` runs where it has not; when
//! all are ready, `notify.sh` runs on those that were there before. The agents remember what they
//! have done: all of this can be repeated after a failure, and nothing of it happens twice.

use std::future::Future;
use std::time::Duration;

use futures::future::join_all;
use protocol::api::{Node, Volume, VolumeState};
use protocol::client::{AgentClient, Upload};
use protocol::{ApiError, ClientError, CodeVersionId, NodeId};

use super::MASTER;
use super::wire::{AgentEntry, Configuration, Configured, Ended, Membership, Version};
use crate::manager_half::{Remark, at};
use crate::patience::patiently;
use crate::{ManagerContext, ServiceError};

/// How often an agent that has not answered is looked after.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// See the module. The remark tells of scripts that failed.
pub(super) async fn settle(context: &ManagerContext) -> Result<Remark, ServiceError> {
    let version = context.code.active().ok_or_else(|| ApiError::conflict("there is no code"))?;
    let volumes = context.volumes.list().await?;
    let configurations = configurations(&context.nodes, &volumes, context.membership)?;
    let prepared =
        join_all(context.nodes.iter().zip(configurations).map(async |(node, configuration)| {
            let prepare = || prepare(context, node, &configuration, &version);
            patiently(context, prepare).await.map(|ended| (node.id, "init.sh", ended))
        }));
    let prepared = prepared.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let notified = join_all(context.nodes.iter().map(async |node| {
        let notify = || notify(context, node);
        patiently(context, notify).await.map(|ended| (node.id, "notify.sh", ended))
    }));
    let notified = notified.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(remark(prepared.into_iter().chain(notified)))
}

async fn prepare(
    context: &ManagerContext,
    node: &Node,
    configuration: &Configuration,
    version: &CodeVersionId,
) -> Result<Ended, ServiceError> {
    let agent = context.agents.agent(node)?;
    let configured: Configured =
        agent.command("configure", configuration).await.map_err(at(node.id))?;
    let parameters = Version { code_version: version.clone() };
    if configured.code_version.as_ref() != Some(version) {
        install(context, node.id, &agent, &parameters).await?;
    }
    attended(&agent, agent.command("initialise", &parameters)).await.map_err(at(node.id))
}

async fn install(
    context: &ManagerContext,
    node: NodeId,
    agent: &AgentClient,
    version: &Version,
) -> Result<(), ServiceError> {
    let archive = context.code.archive(&version.code_version).await?;
    let content = tokio_util::io::ReaderStream::new(archive.content);
    let content = Upload::wrap_stream(content);
    agent.upload("install_code", version, content).await.map_err(at(node))
}

async fn notify(context: &ManagerContext, node: &Node) -> Result<Ended, ServiceError> {
    let change = Membership { membership: context.membership };
    let agent = context.agents.agent(node)?;
    attended(&agent, agent.command("notify", &change)).await.map_err(at(node.id))
}

/// A script may take any time, but a machine that vanished never answers: asks now and then
/// whether the agent is still there.
async fn attended<T>(
    agent: &AgentClient,
    call: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let vanished = async {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if let Err(error) = agent.check_agent_process().await {
                return error;
            }
        }
    };
    tokio::select! {
        answer = call => answer,
        error = vanished => Err(error),
    }
}

/// What each node is told, in the order of the nodes.
fn configurations(
    nodes: &[Node],
    volumes: &[Volume],
    membership: u64,
) -> Result<Vec<Configuration>, ServiceError> {
    let agents = nodes.iter().map(|node| entry(node, volumes)).collect::<Result<Vec<_>, _>>()?;
    let master = agents.iter().find(|agent| agent.role == MASTER).or(agents.first());
    let Some(master_ip) = master.map(|master| master.ip) else { return Ok(Vec::new()) };
    let configuration = |agent: &AgentEntry| Configuration {
        ip: agent.ip,
        role: agent.role.clone(),
        master_ip,
        membership,
        agents: agents.clone(),
    };
    Ok(agents.iter().map(configuration).collect())
}

fn entry(node: &Node, volumes: &[Volume]) -> Result<AgentEntry, ServiceError> {
    let ip = node
        .address()
        .ok_or_else(|| ApiError::conflict(format!("node {} has no address yet", node.id)))?;
    let own = volumes
        .iter()
        .filter(|volume| volume.node == node.id && volume.state == VolumeState::Attached);
    let volumes = own.map(|volume| volume.name.clone()).collect();
    Ok(AgentEntry { id: node.id.to_string(), ip, role: node.role.clone(), volumes })
}

/// One line about the scripts that did not return 0.
fn remark<'a>(ended: impl Iterator<Item = (NodeId, &'a str, Ended)>) -> Remark {
    let failures: Vec<_> = ended
        .filter_map(|(node, script, ended)| {
            let code = ended.return_code.filter(|code| *code != 0)?;
            Some(format!("{script} ended with return code {code} on node {node}"))
        })
        .collect();
    (!failures.is_empty())
        .then(|| format!("{}; agent.err of the node may say why", failures.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn node(id: i64, role: &str) -> Node {
        let address = Ipv4Addr::new(10, 0, 0, u8::try_from(id).unwrap());
        Node { public_ip: Some(address), ..Node::example(id, role) }
    }

    #[test]
    fn every_node_is_told_of_itself_the_master_and_all() {
        let told = configurations(&[node(4, "master"), node(7, "node")], &[], 3).unwrap();
        assert_eq!((told[1].role.as_str(), told[1].ip.octets()[3]), ("node", 7));
        assert_eq!(told[1].master_ip.octets()[3], 4);
        assert_eq!(told[0].agents, told[1].agents);
        assert_eq!(
            serde_json::to_string(&told[0].agents[0]).unwrap(),
            r#"{"id":"4","ip":"10.0.0.4","role":"master"}"#
        );
        let mut nowhere = node(9, "node");
        nowhere.public_ip = None;
        assert!(configurations(&[nowhere], &[], 1).is_err());
    }

    #[test]
    fn only_failures_are_remarked() {
        let ended = |code| Ended { return_code: code };
        let all = [
            (NodeId(1), "init.sh", ended(Some(0))),
            (NodeId(2), "init.sh", ended(None)),
            (NodeId(3), "init.sh", ended(Some(4))),
        ];
        let remark = remark(all.into_iter()).unwrap();
        assert!(remark.starts_with("init.sh ended with return code 4 on node 3;"), "{remark}");
        assert_eq!(super::remark([(NodeId(1), "init.sh", ended(Some(0)))].into_iter()), None);
    }
}
