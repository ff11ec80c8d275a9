//! The work behind each request: nodes are asked for and given back, agents are brought in line.

use std::sync::Arc;

use protocol::api::internal::{NodesCreate, ServiceReport};
use protocol::api::{DEFAULT_CLOUD, Node, NodesAdd, NodesRemove, ServiceStart, State};
use protocol::{ApiError, NodeId};
use serde_json::Value;
use services::ServiceError;
use services::manager_half::{Outcome, Remark};
use services::state::Request;
use tokio::sync::oneshot;

use super::{Service, reason};
use crate::record::{Change, Record};
use crate::recovery::{Next, plan};
use crate::scaling;

impl Service {
    /// Makes the first nodes and puts them to work.
    pub(crate) async fn startup(
        self: &Arc<Self>,
        start: ServiceStart,
    ) -> Result<ServiceReport, ApiError> {
        let cloud = start.cloud.unwrap_or_else(|| DEFAULT_CLOUD.to_owned());
        let prepare = |record: &mut Record| {
            record.cloud = cloud;
            Ok(())
        };
        let (permit, report) = self.begin(Request::Startup, "starting", prepare).await?;
        let service = Arc::clone(self);
        self.work(permit, async move { service.start().await });
        Ok(report)
    }

    async fn start(&self) -> (State, Remark) {
        let started = async {
            // Left by an attempt that failed.
            self.give_back_all().await?;
            let roles = scaling::initial_roles(self.service_type);
            let (service, cloud) = (self.id, self.record().cloud);
            self.create_nodes(NodesCreate { service, roles, cloud, instance_type: None }).await?;
            self.half.settle(&self.context()).await
        };
        match started.await {
            Ok(remark) => (State::Running, remark),
            Err(error) => {
                let reason = reason(error);
                if let Err(error) = self.give_back_all().await {
                    tracing::error!(service = %self.id, %error, "nodes of a failed start remain");
                }
                (State::Error, Some(reason))
            }
        }
    }

    /// Gives all nodes back.
    pub(crate) async fn shutdown(self: &Arc<Self>) -> Result<ServiceReport, ApiError> {
        let (permit, report) = self.begin(Request::Shutdown, "stopping", |_| Ok(())).await?;
        let service = Arc::clone(self);
        self.work(permit, async move { service.stop().await });
        Ok(report)
    }

    async fn stop(&self) -> (State, Remark) {
        match self.give_back_all().await {
            Ok(()) => (State::Stopped, None),
            Err(error) => (State::Error, Some(reason(error))),
        }
    }

    /// Makes more nodes.
    pub(crate) async fn add_nodes(
        self: &Arc<Self>,
        add: NodesAdd,
    ) -> Result<ServiceReport, ApiError> {
        self.check(Request::AddNodes, "adding nodes")?;
        let nodes = self.record().nodes;
        let roles = scaling::roles_to_add(self.service_type, &*self.half, &nodes, &add.nodes)?;
        let cloud = add.cloud.unwrap_or_else(|| self.record().cloud);
        let wanted =
            vec![NodesCreate { service: self.id, roles, cloud, instance_type: add.instance_type }];
        let prepare = |record: &mut Record| {
            record.change = Some(Change::Adding);
            Ok(())
        };
        let (permit, report) = self.begin(Request::AddNodes, "adding nodes", prepare).await?;
        let service = Arc::clone(self);
        self.work(permit, async move { (State::Running, service.grow(wanted).await) });
        Ok(report)
    }

    /// Makes all these nodes and puts them to work, or none.
    pub(super) async fn grow(&self, wanted: Vec<NodesCreate>) -> Remark {
        let mut new = Vec::new();
        for create in wanted {
            match self.create_nodes(create).await {
                Ok(nodes) => new.extend(nodes),
                Err(error) => {
                    let told = format!("no nodes were added: {}", reason(error));
                    if !new.is_empty()
                        && let Err(error) = self.give_back(new).await
                    {
                        tracing::error!(service = %self.id, %error, "nodes of a failed addition remain");
                    }
                    return Some(told);
                }
            }
        }
        match self.half.settle(&self.context()).await {
            Ok(remark) => remark,
            Err(error) => {
                let reason = format!("no nodes were added: {}", reason(error));
                let undone = async {
                    self.give_back(new).await?;
                    self.half.settle(&self.context()).await
                };
                if let Err(error) = undone.await {
                    tracing::error!(service = %self.id, %error, "adding nodes was not undone");
                }
                Some(reason)
            }
        }
    }

    /// Gives the newest nodes back.
    pub(crate) async fn remove_nodes(
        self: &Arc<Self>,
        remove: NodesRemove,
    ) -> Result<ServiceReport, ApiError> {
        let mut leaving = Vec::new();
        let prepare = |record: &mut Record| {
            leaving = scaling::nodes_to_remove(
                self.service_type,
                &*self.half,
                &record.nodes,
                &remove.nodes,
            )?;
            record.change = Some(Change::Removing(leaving.clone()));
            Ok(())
        };
        let (permit, report) = self.begin(Request::RemoveNodes, "removing nodes", prepare).await?;
        let service = Arc::clone(self);
        self.work(permit, async move { (State::Running, service.shrink(leaving).await) });
        Ok(report)
    }

    pub(super) async fn shrink(&self, leaving: Vec<NodeId>) -> Remark {
        if let Err(error) = self.release(&leaving).await {
            let reason = format!("no nodes were removed: {}", reason(error));
            if let Err(error) = self.half.settle(&self.context()).await {
                tracing::error!(service = %self.id, %error, "removing nodes was not undone");
            }
            return Some(reason);
        }
        let shrunk = async {
            self.give_back(leaving).await?;
            self.half.settle(&self.context()).await
        };
        shrunk.await.unwrap_or_else(|error| Some(reason(error)))
    }

    /// Has the half take all work off nodes that are to go.
    pub(super) async fn release(&self, leaving: &[NodeId]) -> Result<(), ServiceError> {
        let mut context = self.context();
        let goes = |node: &mut Node| leaving.contains(&node.id);
        let leaving: Vec<Node> = context.nodes.extract_if(.., goes).collect();
        self.half.release(&context, &leaving).await
    }

    /// A command of the service's own.
    pub(crate) async fn command(
        self: &Arc<Self>,
        method: &str,
        parameters: Value,
    ) -> Result<Value, ApiError> {
        let request = self.half.request(method);
        let action = format!("`{method}`");
        match request {
            Request::Reach | Request::Look => {
                self.check(request, &action)?;
                Ok(self.half.command(&self.context(), method, parameters).await?.value)
            }
            Request::Change => self.command_change(method, &action, parameters).await,
            _ => {
                let (_permit, _) = self.begin(request, &action, |_| Ok(())).await?;
                self.log(&action);
                Ok(self.half.command(&self.context(), method, parameters).await?.value)
            }
        }
    }

    /// A command that takes the service through ADAPTING when it has nodes. It is completed also
    /// when its caller has gone.
    async fn command_change(
        self: &Arc<Self>,
        method: &str,
        action: &str,
        parameters: Value,
    ) -> Result<Value, ApiError> {
        self.check(Request::Change, action)?;
        self.half.check_change(&self.context(), method, &parameters).await?;
        let (permit, _) = self.begin(Request::Change, action, |_| Ok(())).await?;
        if self.record().state != State::Adapting {
            return Ok(self.half.command(&self.context(), method, parameters).await?.value);
        }
        let (sender, answer) = oneshot::channel();
        let (service, method) = (Arc::clone(self), method.to_owned());
        let finished = self.work(permit, async move {
            let done = service.half.command(&service.context(), &method, parameters).await;
            let (answer, remark) = match done.map_err(ApiError::from) {
                Ok(Outcome { value, remark }) => (Ok(value), remark),
                Err(error) => {
                    let remark = format!("{method} failed: {}", error.message);
                    (Err(error), Some(remark))
                }
            };
            // The caller may have gone.
            let _ = sender.send(answer);
            (State::Running, remark)
        });
        // Who has the answer finds the service RUNNING.
        finished.await.expect("the work of a command does not panic");
        answer.await.unwrap_or_else(|_| {
            Err(ApiError::conflict(format!("Service {} is being removed", self.id)))
        })
    }

    /// Gives back everything and forgets the service, whatever it was doing. Should this fail, it
    /// stays in EPILOGUE and can be removed again.
    pub(crate) async fn remove(&self) -> Result<(), ApiError> {
        self.check(Request::Remove, "removing")?;
        self.removal.cancel();
        let _permit = Arc::clone(&self.permit).lock_owned().await;
        self.change(|record| {
            record.state = State::Epilogue;
            Ok(())
        })?;
        self.log("EPILOGUE: removing");
        self.give_back_all().await?;
        let world = &self.world;
        let (code, settings) = (world.code(self.id), world.settings(self.id));
        let journal = world.autoscaling(self.id);
        for path in [code, settings, journal, world.log(self.id), world.record(self.id)] {
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ServiceError::file(&path)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Brings a service that was left in any state to one that stays; see [`crate::recovery`].
    pub(crate) async fn recover(self: Arc<Self>) {
        let (permit, nodes) = loop {
            let permit = Arc::clone(&self.permit).lock_owned().await;
            if self.removal.is_cancelled() {
                return;
            }
            match self.world.director.nodes(self.id).await {
                Ok(nodes) => break (permit, nodes),
                // Others may work while the director is away.
                Err(_) => drop(permit),
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        };
        let plan = plan(&self.record(), &nodes);
        if let Err(error) = self.take_over(&plan.give_back, &plan.forget).await {
            tracing::error!(service = %self.id, %error, "failed to give stray nodes back");
        }
        let record = self.record();
        let state = match &plan.next {
            Next::Rest => return,
            Next::Fail(_) => State::Error,
            Next::Start | Next::Stop => record.state,
            Next::Settle(_) if record.state == State::Prologue => State::Prologue,
            Next::Settle(_) => State::Adapting,
        };
        self.become_stable(state, record.reason);
        self.work(permit, Arc::clone(&self).resume(plan.next));
    }

    async fn resume(self: Arc<Self>, next: Next) -> (State, Remark) {
        self.log("taken up again after the manager ended");
        match next {
            Next::Start => self.start().await,
            Next::Stop => self.stop().await,
            Next::Fail(reason) => (State::Error, Some(reason)),
            Next::Rest => (self.record().state, self.record().reason),
            Next::Settle(remark) => match self.half.settle(&self.context()).await {
                Ok(more) => (State::Running, join(remark, more)),
                Err(error) => (State::Running, join(remark, Some(reason(error)))),
            },
        }
    }

    pub(super) async fn create_nodes(
        &self,
        create: NodesCreate,
    ) -> Result<Vec<NodeId>, ServiceError> {
        let roles = &create.roles;
        self.log(&format!("asking for {} node(s): {}", roles.len(), roles.join(", ")));
        let known = self.record().node_ids();
        let nodes = self.world.director.create_nodes(&create, &known).await?;
        self.change(|record| {
            record.add(&nodes);
            Ok(())
        })?;
        let ids: Vec<_> = nodes.iter().map(|node| node.id).collect();
        self.log(&format!("got node(s) {}", list(&ids)));
        Ok(ids)
    }

    pub(super) async fn give_back(&self, nodes: Vec<NodeId>) -> Result<(), ServiceError> {
        self.log(&format!("giving back node(s) {}", list(&nodes)));
        self.take_over(&nodes, &nodes).await
    }

    async fn give_back_all(&self) -> Result<(), ServiceError> {
        self.world.director.delete_all_nodes(self.id).await?;
        self.change(|record| {
            let all = record.node_ids();
            record.remove(&all);
            Ok(())
        })
    }

    async fn take_over(&self, give_back: &[NodeId], forget: &[NodeId]) -> Result<(), ServiceError> {
        self.world.director.delete_nodes(give_back.to_vec()).await?;
        if forget.is_empty() {
            return Ok(());
        }
        self.change(|record| {
            record.remove(forget);
            Ok(())
        })
    }
}

fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ")
}

/// Both, where there are two.
pub(super) fn join(first: Remark, second: Remark) -> Remark {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}; {second}")),
        (first, second) => first.or(second),
    }
}
