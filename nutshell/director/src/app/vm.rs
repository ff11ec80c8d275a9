//! What VMs ask of the director: how they join, and what managers need.
//!
//! A certificate counts for as long as its node is at work: a VM that is being removed, or whose
//! successor has taken over, is refused at once.

use std::time::Duration;

use protocol::api::internal::{NodesCreate, ServiceAdd, ServiceReport, ServicesWanted};
use protocol::api::{Node, NodeState, State};
use protocol::boot::{CertificateGrant, CertificateRequest};
use protocol::tls::Peer;
use protocol::{ApplicationId, Identity, NodeId, ServiceId, UserId};
use tokio::time::Instant;

use super::{App, Error, Result, error, event};
use crate::ca::{self, VM_VALIDITY};
use crate::db;
use crate::db::node::NodeRecord;
use crate::operations::nodes_create::NodesCreation;
use crate::operations::nodes_delete::NodesDeletion;
use crate::secrets;

/// A VM of the platform that called.
#[derive(Debug, Clone)]
pub(crate) struct Vm {
    pub(crate) user: UserId,
    pub(crate) node: Node,
}

impl Vm {
    /// The application it manages; agents manage none.
    pub(crate) fn is_manager(&self) -> bool {
        self.node.service.is_none()
    }
}

/// Who a node is.
fn identity(node: &Node) -> Identity {
    let application = node.application;
    match node.service {
        None => Identity::Manager { application },
        Some(service) => Identity::Agent { application, service, node: node.id },
    }
}

/// Whether the node that a certificate was given to may speak as what the certificate names.
fn may_speak(record: &NodeRecord, claimed: Identity) -> bool {
    record.node.state != NodeState::Stopping && identity(&record.node) == claimed
}

impl App {
    /// The VM at the other end of a connection.
    pub(crate) async fn vm_of_peer(&self, peer: Peer) -> Result<Vm> {
        let (Some(claimed), Some(serial)) = (peer.identity, peer.serial) else {
            return Err(Error::NoCertificate);
        };
        let found = db::node::by_certificate(&mut *self.db.read().await?, serial).await?;
        match found {
            Some(record) if may_speak(&record, claimed) => {
                self.watch.hear(record.node.id, self.meter.shows());
                Ok(Vm { user: record.user, node: record.node })
            }
            _ => Err(Error::CertificateRefused),
        }
    }

    /// Exchanges a VM's token for its certificate, or renews the certificate of a key it gave before.
    pub(crate) async fn vm_certificate(
        &self,
        request: CertificateRequest,
    ) -> Result<CertificateGrant> {
        let request_key = ca::RequestKey::read(&request.csr)
            .ok_or_else(|| Error::Invalid("the certificate request is not valid".to_owned()))?;
        let key_hash = request_key.hash();
        let enrolled = db::node::by_key(&mut *self.db.read().await?, &key_hash).await?;
        let token_hash = request.token.as_deref().map(secrets::hash);
        let record = match (&enrolled, &token_hash) {
            (Some(record), _) => record.clone(),
            (None, Some(hash)) => {
                let found = db::node::by_token(&mut *self.db.read().await?, hash).await?;
                found.ok_or(Error::TokenRefused)?
            }
            (None, None) => return Err(Error::CertificateRefused),
        };
        if record.node.state == NodeState::Stopping {
            return Err(Error::CertificateRefused);
        }
        let node = self.node_with_addresses(record.node.id).await?;
        let signed =
            self.authority.sign_request(identity(&node), &request_key).map_err(Error::Authority)?;
        let mut tx = self.db.write().await?;
        if let (None, Some(hash)) = (&enrolled, &token_hash)
            && !db::node::exchange_token(&mut tx, node.id, hash, &key_hash).await?
        {
            return Err(Error::TokenRefused);
        }
        db::node::certificate_insert(&mut tx, node.id, signed.serial, signed.expires).await?;
        tx.commit().await?;
        let either = || Error::not_found("address of node", node.id);
        Ok(CertificateGrant {
            certificate: signed.certificate,
            renew_after_seconds: VM_VALIDITY.whole_seconds().unsigned_abs() * 2 / 3,
            public_ip: node.public_ip.or(node.private_ip).ok_or_else(either)?,
            private_ip: node.private_ip.or(node.public_ip).ok_or_else(either)?,
        })
    }

    /// A server boots while its creation is still being answered: its VM may ask too early.
    async fn node_with_addresses(&self, id: NodeId) -> Result<Node> {
        self.node_await(id, |node| node.address().map(|_| Ok(()))).await
    }

    /// Waits until `decided` says so, on every change of the node.
    pub(crate) async fn node_await(
        &self,
        id: NodeId,
        decided: impl Fn(&Node) -> Option<Result<()>>,
    ) -> Result<Node> {
        let limit: Duration = self.tuning.ready_timeout;
        let mut changes = self.events.subscribe_nodes();
        let deadline = Instant::now() + limit;
        loop {
            let found = db::node::view(&mut *self.db.read().await?, id).await?;
            let node = found.map(|record| record.node).ok_or(Error::Cancelled)?;
            if node.state == NodeState::Stopping {
                return Err(Error::Cancelled);
            }
            if let Some(decision) = decided(&node) {
                return decision.map(|()| node);
            }
            tokio::select! {
                () = event::heard(&mut changes, |changed| *changed == id) => {}
                () = self.shutdown.cancelled() => return Err(Error::ShuttingDown),
                () = tokio::time::sleep_until(deadline) => {
                    let what = match node.service {
                        None => "the manager".to_owned(),
                        Some(_) => format!("the agent of node {id}"),
                    };
                    return Err(Error::NotReady { what, seconds: limit.as_secs() });
                }
            }
        }
    }

    /// The manager or agent in the VM listens.
    pub(crate) async fn vm_ready(&self, vm: &Vm) -> Result<()> {
        let node = &vm.node;
        let mut tx = self.db.write().await?;
        let news = db::node::set_state(&mut tx, node.id, NodeState::Ready).await?;
        if news {
            match node.service {
                None => db::application::touch(&mut tx, node.application).await?,
                Some(service) => db::service::touch(&mut tx, service).await?,
            }
        }
        tx.commit().await?;
        if news {
            self.publish_node_of(node).await;
        }
        if vm.is_manager() {
            self.manager_listens();
            self.manager_returned(node.application).await?;
        }
        Ok(())
    }

    /// A manager that came back has its services told again; one that comes first is told by the
    /// operation that made it.
    async fn manager_returned(&self, id: ApplicationId) -> Result<()> {
        let found = db::application::view(&mut *self.db.read().await?, id).await?;
        if found.is_some_and(|record| record.application.state == State::Running) {
            let app = self.clone();
            self.spawn(async move {
                if let Err(error) = app.services_push(id).await {
                    error::log(&error);
                }
            });
        }
        Ok(())
    }

    /// Which services the manager should look after.
    pub(crate) async fn vm_services_wanted(&self, vm: &Vm) -> Result<ServicesWanted> {
        let mut connection = self.db.read().await?;
        let services =
            db::service::list_of_application(&mut connection, vm.node.application).await?;
        let mut wanted = ServicesWanted::default();
        for service in services.into_iter().filter(|service| !service.deleting) {
            let service = service.service;
            if matches!(service.state, State::Init | State::Stopped) {
                wanted.stopped.push(service.id);
            }
            let add = ServiceAdd { service: service.id, service_type: service.service_type };
            wanted.services.push(add);
        }
        Ok(wanted)
    }

    /// The nodes of the application's services.
    pub(crate) async fn vm_nodes(&self, vm: &Vm) -> Result<Vec<Node>> {
        let mut connection = self.db.read().await?;
        let nodes = db::node::list_of_application(&mut connection, vm.node.application).await?;
        Ok(nodes.into_iter().filter(|node| node.service.is_some()).collect())
    }

    /// VMs for a service, with their agents ready: all of them, or none. The work goes on when
    /// the manager no longer listens; it finds the nodes in the list.
    pub(crate) async fn vm_nodes_create(
        &self,
        vm: &Vm,
        mut create: NodesCreate,
    ) -> Result<Vec<Node>> {
        create.cloud = self.cloud_name(Some(&create.cloud))?;
        super::service::check_count(create.roles.len())?;
        let mut tx = self.db.write().await?;
        let service = service_of_application(&mut tx, vm.node.application, create.service).await?;
        let service_type = super::service::known_type(&service.service_type)?;
        let known = |role: &String| service_type.roles.iter().any(|known| known.name == *role);
        if let Some(unknown) = create.roles.iter().find(|role| !known(role)) {
            return Err(Error::Invalid(format!(
                "{} services have no role `{unknown}`",
                service_type.name
            )));
        }
        self.check_image(&service.service_type, &create.cloud)?;
        super::credit::check(&mut tx, vm.user, create.roles.len()).await?;
        let begun = NodesCreation::begin(&mut tx, self, vm.user, &service, create).await?;
        tx.commit().await?;
        let nodes = begun.parameters().nodes.clone();
        let operation = begun.run(self);
        self.publish_credits(vm.user).await;
        self.operation_await(operation).await?;
        let mut connection = self.db.read().await?;
        let all = db::node::list_of_service(&mut connection, service.id).await?;
        Ok(all.into_iter().filter(|node| nodes.contains(&node.id)).collect())
    }

    /// Removes nodes of the application's services. Those that are gone are gone, and those of
    /// others are never touched.
    pub(crate) async fn vm_nodes_delete(&self, vm: &Vm, nodes: &[NodeId]) -> Result<()> {
        let mut tx = self.db.write().await?;
        let application = vm.node.application;
        let all = db::node::list_of_application(&mut tx, application).await?;
        let own: Vec<NodeId> = all
            .iter()
            .filter(|node| node.service.is_some() && nodes.contains(&node.id))
            .map(|node| node.id)
            .collect();
        if own.is_empty() {
            return Ok(());
        }
        let begun = NodesDeletion::begin(&mut tx, application, own, self.now()).await?;
        tx.commit().await?;
        let operation = begun.run(self);
        self.operation_await(operation).await
    }

    /// A service came into another state, its manager says.
    pub(crate) async fn vm_service_report(
        &self,
        vm: &Vm,
        id: ServiceId,
        report: &ServiceReport,
    ) -> Result<()> {
        let mut tx = self.db.write().await?;
        service_of_application(&mut tx, vm.node.application, id).await?;
        db::service::report(&mut tx, id, report, self.now()).await?;
        tx.commit().await?;
        self.publish_service(id).await;
        Ok(())
    }
}

/// The service, when it is the application's and is to stay.
async fn service_of_application(
    connection: &mut sqlx::SqliteConnection,
    application: ApplicationId,
    id: ServiceId,
) -> Result<protocol::api::Service> {
    match db::service::view(connection, id).await? {
        Some(record) if record.service.application == application && !record.deleting => {
            Ok(record.service)
        }
        _ => Err(Error::not_found("service", id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_at_work_speaks_and_only_as_itself() {
        let record = |service: Option<i64>, state| NodeRecord {
            user: UserId(1),
            attempted: true,
            in_operation: false,
            metered_from: Duration::ZERO,
            metered_until: None,
            node: Node { service: service.map(ServiceId), state, ..Node::example(9, "node") },
        };
        let manager = Identity::Manager { application: ApplicationId(1) };
        let agent = Identity::Agent {
            application: ApplicationId(1),
            service: ServiceId(2),
            node: NodeId(9),
        };
        for (service, state, claimed, speaks) in [
            (None, NodeState::Starting, manager, true),
            (None, NodeState::Ready, manager, true),
            (None, NodeState::Lost, manager, true),
            (None, NodeState::Stopping, manager, false),
            (Some(2), NodeState::Ready, agent, true),
            (Some(2), NodeState::Stopping, agent, false),
            (Some(2), NodeState::Ready, manager, false),
            (None, NodeState::Ready, agent, false),
            (Some(3), NodeState::Ready, agent, false),
            (None, NodeState::Ready, Identity::Director, false),
        ] {
            assert_eq!(may_speak(&record(service, state), claimed), speaks, "{claimed} {state:?}");
        }
    }
}
