//! Brings all nodes of a service from what they do to what they are to do, without a request lost:
//! see the module above for the three steps.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use futures::future::join_all;
use protocol::api::Node;
use protocol::client::Upload;
use protocol::{ApiError, CodeVersionId, NodeId};

use super::autoscaling::weight;
use super::layout::{Duties, layout};
use super::manager_half::{Hosting, Kept};
use super::ports;
use super::redis::SessionStore;
use super::wire::{Copies, Install, Installed, Preparation, Prepared, Retirement, Routes};
use crate::manager_half::at;
use crate::patience::patiently;
use crate::{ManagerContext, ServiceError};

/// How long a node that is about to go may take to show that it is there at all.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3);

/// What the nodes are to do.
pub(crate) struct Rollout<'a, S: Hosting> {
    pub(crate) context: &'a ManagerContext,
    /// The version to show.
    pub(crate) version: CodeVersionId,
    /// All else.
    pub(crate) kept: Kept<S::Settings>,
}

/// The ports of the backends, once all is prepared.
#[derive(Debug)]
pub(crate) struct Ready(BTreeMap<NodeId, u16>);

impl<S: Hosting> Rollout<'_, S> {
    /// All of it.
    pub(crate) async fn run(&self) -> Result<(), ServiceError> {
        let ready = self.prepare().await?;
        self.switch(&ready).await
    }

    /// Brings code to all nodes and starts what is new in them; users notice nothing.
    pub(crate) async fn prepare(&self) -> Result<Ready, ServiceError> {
        in_one_cloud(&self.context.nodes)?;
        self.each(|node, _| async move { self.distribute(node).await }).await?;
        let prepared = self.each(|node, duties| self.prepare_one(node, duties)).await?;
        self.await_copies().await;
        let ports = prepared.into_iter().filter_map(|(id, prepared)| Some((id, prepared.backend?)));
        Ok(Ready(ports.collect()))
    }

    /// Leads users to what was prepared, and ends the rest.
    pub(crate) async fn switch(&self, ready: &Ready) -> Result<(), ServiceError> {
        let layout = layout(&self.context.nodes);
        self.each(|node, duties| {
            let layout = &layout;
            async move {
                match duties.proxy {
                    true => self.route(node, layout, ready).await,
                    false => Ok(()),
                }
            }
        })
        .await?;
        let version = Some(self.version.clone());
        self.each(|node, duties| {
            let version = version.clone();
            let retirement = Retirement { duties, code_version: version, wait: false };
            async move { self.retire(node, &retirement).await }
        })
        .await?;
        Ok(())
    }

    /// Has nodes that are about to go finish what they do. One that does not answer does nothing.
    pub(crate) async fn dismiss(&self, leaving: &[Node]) {
        let duties = Duties::default();
        let retirement = &Retirement { duties, code_version: None, wait: true };
        let dismissed = leaving.iter().map(|node| async move {
            let agent = self.context.agents.agent(node)?;
            let there = tokio::time::timeout(SIGN_OF_LIFE, agent.check_agent_process()).await;
            match there {
                Ok(Ok(_)) => self.retire(node, retirement).await,
                _ => Ok(()),
            }
        });
        for (node, dismissed) in leaving.iter().zip(join_all(dismissed).await) {
            if let Err(error) = dismissed {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(node = %node.id, error, "a node goes with requests under way");
            }
        }
    }

    /// The address at which one node of the service reaches another.
    pub(crate) fn address(to: &Node, from: &Node) -> Result<Ipv4Addr, ServiceError> {
        let address = to.address_from(&from.cloud);
        address.ok_or_else(|| no_address(to).into())
    }

    /// The proxies, the first one first.
    pub(crate) fn proxies(&self) -> Vec<&Node> {
        let layout = layout(&self.context.nodes);
        let mut proxies: Vec<&Node> =
            self.context.nodes.iter().filter(|node| layout[&node.id].proxy).collect();
        proxies.sort_by_key(|node| node.id);
        proxies
    }

    /// Where the sessions are, for a node.
    pub(crate) fn sessions(&self, from: &Node) -> Result<SocketAddrV4, ServiceError> {
        let proxies = self.proxies();
        let first = proxies.first().ok_or_else(|| ApiError::conflict("there is no proxy"))?;
        Ok(SocketAddrV4::new(Self::address(first, from)?, ports::SESSIONS))
    }

    /// Does one thing on all nodes at once, and again where an agent is on its way back.
    async fn each<'s, T, F>(
        &'s self,
        act: impl Fn(&'s Node, Duties) -> F,
    ) -> Result<Vec<(NodeId, T)>, ServiceError>
    where
        F: Future<Output = Result<T, ServiceError>>,
    {
        let layout = layout(&self.context.nodes);
        let acts = self.context.nodes.iter().map(|node| {
            let (act, duties) = (&act, layout[&node.id]);
            async move {
                patiently(self.context, || act(node, duties)).await.map(|done| (node.id, done))
            }
        });
        join_all(acts).await.into_iter().collect()
    }

    async fn distribute(&self, node: &Node) -> Result<(), ServiceError> {
        let agent = self.context.agents.agent(node)?;
        let installed: Installed =
            agent.query("list_versions", &[("", ""); 0]).await.map_err(at(node.id))?;
        if installed.code_versions.contains(&self.version) {
            return Ok(());
        }
        let code = &self.context.code;
        let archive = code.archive(&self.version).await?;
        let strip = code.strips(&self.version)?.then(|| "yes".to_owned());
        let install = Install { code_version: self.version.clone(), strip };
        let content = Upload::wrap_stream(tokio_util::io::ReaderStream::new(archive.content));
        agent.upload("install_code", &install, content).await.map_err(at(node.id))
    }

    async fn prepare_one(&self, node: &Node, duties: Duties) -> Result<Prepared, ServiceError> {
        let sessions = match duties.proxy {
            true => Some(self.store(node)?),
            false => None,
        };
        let backend = match duties.backend {
            true => Some(S::backend(self, node)?),
            false => None,
        };
        let preparation =
            Preparation { listen: own_address(node)?, web: duties.web, sessions, backend };
        let agent = self.context.agents.agent(node)?;
        agent.command("prepare", &preparation).await.map_err(at(node.id))
    }

    /// The store of the sessions on a proxy.
    fn store(&self, node: &Node) -> Result<SessionStore, ServiceError> {
        let is_first = self.proxies().first().is_some_and(|first| first.id == node.id);
        let follows = match is_first {
            true => None,
            false => Some(self.sessions(node)?),
        };
        Ok(SessionStore { password: self.kept.password.clone(), follows })
    }

    /// Waits until every proxy has all sessions: any of them may be lost from then on.
    async fn await_copies(&self) {
        let proxies = self.proxies();
        let [first, others @ ..] = &proxies[..] else { return };
        if others.is_empty() {
            return;
        }
        let waited = async {
            let (listen, password) = (own_address(first)?, self.kept.password.clone());
            let copies = Copies { listen, password, copies: others.len() };
            let agent = self.context.agents.agent(first)?;
            agent.command::<usize>("await_copies", &copies).await.map_err(at(first.id))
        };
        match waited.await {
            Ok(copies) if copies >= others.len() => {}
            Ok(copies) => tracing::warn!(copies, "some proxies do not have the sessions yet"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "it is not known whether all proxies have the sessions");
            }
        }
    }

    async fn route(
        &self,
        node: &Node,
        layout: &BTreeMap<NodeId, Duties>,
        Ready(ports): &Ready,
    ) -> Result<(), ServiceError> {
        let (mut webs, mut backends, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for other in &self.context.nodes {
            let address = Self::address(other, node)?;
            if layout[&other.id].web {
                webs.push(SocketAddrV4::new(address, ports::WEB));
            }
            if let Some(port) = ports.get(&other.id) {
                backends.push(SocketAddrV4::new(address, *port));
                weights.push(weight(&self.context.weights, other.id));
            }
        }
        if weights.iter().all(|weight| Some(weight) == weights.first()) {
            weights.clear();
        }
        let routes = Routes {
            listen: own_address(node)?,
            code_version: self.version.clone(),
            webs,
            backends,
            weights,
            largest_body: S::largest_body(&self.kept.settings),
        };
        let agent = self.context.agents.agent(node)?;
        agent.command("route", &routes).await.map_err(at(node.id))
    }

    async fn retire(&self, node: &Node, retirement: &Retirement) -> Result<(), ServiceError> {
        let agent = self.context.agents.agent(node)?;
        agent.command("retire", retirement).await.map_err(at(node.id))
    }
}

/// Refuses nodes in several clouds: what they say to each other is for their application alone, and
/// between clouds everybody could come in between.
fn in_one_cloud(nodes: &[Node]) -> Result<(), ApiError> {
    let Some((first, others)) = nodes.split_first() else { return Ok(()) };
    match others.iter().find(|node| node.cloud != first.cloud) {
        None => Ok(()),
        Some(other) => Err(ApiError::conflict(format!(
            "the nodes of a web service must be in one cloud, and here they are in `{}` and `{}`",
            first.cloud, other.cloud
        ))
        .hint(format!("name no cloud, or `{}`", first.cloud))),
    }
}

/// The address that a node has itself.
fn own_address(node: &Node) -> Result<Ipv4Addr, ServiceError> {
    node.private_ip.or(node.public_ip).ok_or_else(|| no_address(node).into())
}

fn no_address(node: &Node) -> ApiError {
    ApiError::conflict(format!("node {} has no address yet", node.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_nodes_are_in_one_cloud() {
        let node = |id, cloud: &str| Node { cloud: cloud.to_owned(), ..Node::example(id, "web") };
        assert!(in_one_cloud(&[]).is_ok());
        assert!(in_one_cloud(&[node(1, "a"), node(2, "a")]).is_ok());
        let refused = in_one_cloud(&[node(1, "a"), node(2, "a"), node(3, "b")]).unwrap_err();
        assert!(refused.message.ends_with("in `a` and `b`"), "{}", refused.message);
    }
}
