//! Services: the director keeps them, their application's manager works on them.
//!
//! The state of a service is what its manager reports; an answer that was overtaken by a report
//! changes nothing.

use std::time::Duration;

use protocol::api::internal::{ServiceAdd, ServiceReport};
use protocol::api::log::{LogQuery, LogText};
use protocol::api::{
    Application, Event, Node, NodeCounts, NodesAdd, NodesRemove, Service, ServiceCreate,
    ServiceCreated, ServiceStart, ServiceType, State,
};
use protocol::client::ManagerClient;
use protocol::{ApplicationId, ServiceId, UserId};
use tokio::time::Instant;

use super::application::application_of;
use super::manager::{self, PROMPT};
use super::{App, Error, Result, error, event, name};
use crate::db;
use crate::db::service::ServiceRecord;
use crate::operations::service_delete::ServiceDelete;

impl App {
    pub(crate) async fn service_list(&self, user: UserId) -> Result<Vec<Service>> {
        Ok(db::service::list(&mut *self.db.read().await?, user).await?)
    }

    pub(crate) async fn service_view(&self, user: UserId, id: ServiceId) -> Result<Service> {
        Ok(service_of(&mut *self.db.read().await?, user, id).await?.service)
    }

    /// The service, once its revision is above `after` or `wait` is over.
    pub(crate) async fn service_changed(
        &self,
        user: UserId,
        id: ServiceId,
        after: u64,
        wait: Duration,
    ) -> Result<Service> {
        let mut events = self.events.subscribe();
        let deadline = Instant::now() + wait;
        loop {
            let service = self.service_view(user, id).await?;
            if service.revision > after {
                return Ok(service);
            }
            let changed = event::heard(&mut events, |published| {
                event::concerns_service(&published.event, id)
            });
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => return Ok(service),
                () = self.shutdown.cancelled() => return Ok(service),
            }
        }
    }

    /// A new service, in an application that runs or begins to start by this.
    pub(crate) async fn service_create(
        &self,
        user: UserId,
        create: ServiceCreate,
    ) -> Result<ServiceCreated> {
        let service_type = known_type(&create.service_type)?;
        let cloud = self.cloud_name(create.cloud.as_deref())?;
        let default_name = default_name(service_type);
        let name = name::check(create.name.as_deref().unwrap_or(&default_name))?;

        let mut tx = self.db.write().await?;
        let application = match create.application {
            Some(id) => id,
            None => match db::application::list(&mut tx, user).await?.first() {
                Some(first) => first.id,
                None => super::application::insert(&mut tx, user, None, self.now()).await?,
            },
        };
        let before = application_of(&mut tx, user, application).await?;
        let begun = self.application_begin_start(&mut tx, user, &before, &cloud).await?;
        let now = self.now();
        let id = db::service::insert(&mut tx, application, &service_type.name, name, now).await?;
        let service = service_of(&mut tx, user, id).await?.service;
        let application = application_of(&mut tx, user, application).await?;
        tx.commit().await?;

        match begun {
            Some(begun) => {
                begun.run(self);
                self.publish_application(application.id).await;
                self.publish_credits(user).await;
            }
            None if application.state == State::Running => {
                self.service_announce(&application, &service).await;
            }
            // Whoever starts the application tells its manager of the services.
            None => {}
        }
        self.publish_service(id).await;
        Ok(ServiceCreated { service, application })
    }

    /// Tells the manager of a new service; should that fail it is told again at the first start.
    async fn service_announce(&self, application: &Application, service: &Service) {
        let told = async { self.service_known(&self.manager(application).await?, service).await };
        if let Err(error) = told.await {
            let cause = error::chain(&error);
            tracing::warn!(service = %service.id, error = cause, "failed to announce a service");
        }
    }

    async fn service_known(&self, manager: &ManagerClient, service: &Service) -> Result<()> {
        let add = ServiceAdd { service: service.id, service_type: service.service_type.clone() };
        manager::call(service.application, PROMPT, manager.add_service(&add)).await?;
        Ok(())
    }

    pub(crate) async fn service_rename(
        &self,
        user: UserId,
        id: ServiceId,
        wanted: &str,
    ) -> Result<Service> {
        let wanted = name::check(wanted)?;
        let mut tx = self.db.write().await?;
        service_of(&mut tx, user, id).await?;
        db::service::rename(&mut tx, id, wanted).await?;
        let service = service_of(&mut tx, user, id).await?.service;
        tx.commit().await?;
        self.publish_service(id).await;
        Ok(service)
    }

    /// Starts a service; a manager that is still starting is waited for.
    pub(crate) async fn service_start(
        &self,
        user: UserId,
        id: ServiceId,
        start: ServiceStart,
    ) -> Result<Service> {
        let cloud = self.cloud_name(start.cloud.as_deref())?;
        let service = self.service_wanted(user, id).await?;
        self.check_image(&service.service_type, &cloud)?;
        self.check_credits(user, 1).await?;
        let application = self.application_settled(user, service.application).await?;
        let manager = self.manager(&application).await?;
        self.service_known(&manager, &service).await?;
        let start = ServiceStart { cloud: Some(cloud) };
        self.service_ask(user, id, async |manager| manager.startup(id, &start).await).await
    }

    pub(crate) async fn service_stop(&self, user: UserId, id: ServiceId) -> Result<Service> {
        self.service_ask(user, id, async |manager| manager.shutdown(id).await).await
    }

    pub(crate) async fn service_add_nodes(
        &self,
        user: UserId,
        id: ServiceId,
        add: NodesAdd,
    ) -> Result<Service> {
        let service = self.service_view(user, id).await?;
        let count = check_counts(known_type(&service.service_type)?, &add.nodes)?;
        let nodes = self.service_nodes(user, id).await?;
        let own = nodes.first().map(|node| node.cloud.as_str());
        let cloud = self.cloud_name(add.cloud.as_deref().or(own))?;
        self.check_credits(user, count).await?;
        if let Some(instance_type) = &add.instance_type {
            self.check_instance_type(&cloud, instance_type).await?;
        }
        let add = NodesAdd { cloud: Some(cloud), ..add };
        self.service_ask(user, id, async |manager| manager.add_nodes(id, &add).await).await
    }

    pub(crate) async fn service_remove_nodes(
        &self,
        user: UserId,
        id: ServiceId,
        remove: NodesRemove,
    ) -> Result<Service> {
        let service = self.service_view(user, id).await?;
        check_counts(known_type(&service.service_type)?, &remove.nodes)?;
        self.service_ask(user, id, async |manager| manager.remove_nodes(id, &remove).await).await
    }

    /// The service, once nothing of it is under way any more; given up when its application no
    /// longer runs.
    pub(crate) async fn service_settled(&self, user: UserId, id: ServiceId) -> Result<Service> {
        let mut events = self.events.subscribe();
        loop {
            let service = self.service_wanted(user, id).await?;
            let application = self.application_view(user, service.application).await?;
            manager::check_running(&application)?;
            if service.state.is_stable() {
                return Ok(service);
            }
            event::heard(&mut events, |published| {
                event::concerns_service(&published.event, id)
                    || event::concerns_application(&published.event, application.id)
            })
            .await;
        }
    }

    /// The service, unless it is being deleted.
    async fn service_wanted(&self, user: UserId, id: ServiceId) -> Result<Service> {
        let record = service_of(&mut *self.db.read().await?, user, id).await?;
        if record.deleting { Err(Error::not_found("service", id)) } else { Ok(record.service) }
    }

    /// Asks the manager for a change of the service, and stores what state that brought.
    async fn service_ask(
        &self,
        user: UserId,
        id: ServiceId,
        ask: impl AsyncFnOnce(&ManagerClient) -> Result<ServiceReport, protocol::ClientError>,
    ) -> Result<Service> {
        let id_of_application = self.service_wanted(user, id).await?.application;
        let application = self.application_view(user, id_of_application).await?;
        let manager = self.manager(&application).await?;
        let report = manager::call(id_of_application, PROMPT, ask(&manager)).await?;
        let mut tx = self.db.write().await?;
        // The answer of a manager that was stopped meanwhile says nothing of the next one.
        let present = application_of(&mut tx, user, id_of_application).await?;
        if present.state == State::Running && present.manager == application.manager {
            db::service::report(&mut tx, id, &report, self.now()).await?;
        }
        let service = service_of(&mut tx, user, id).await?.service;
        tx.commit().await?;
        self.publish_service(id).await;
        Ok(service)
    }

    /// Removes a service with its nodes, whatever state it is in and whether or not its manager
    /// answers; answers when it is gone.
    pub(crate) async fn service_delete(&self, user: UserId, id: ServiceId) -> Result<()> {
        let mut tx = self.db.write().await?;
        let service = service_of(&mut tx, user, id).await?.service;
        let begun =
            ServiceDelete::begin(&mut tx, user, service.application, id, self.now()).await?;
        tx.commit().await?;
        let operation = begun.run(self);
        self.operation_await(operation).await
    }

    pub(crate) async fn service_nodes(&self, user: UserId, id: ServiceId) -> Result<Vec<Node>> {
        let mut connection = self.db.read().await?;
        service_of(&mut connection, user, id).await?;
        Ok(db::node::list_of_service(&mut connection, id).await?)
    }

    pub(crate) async fn service_logs(
        &self,
        user: UserId,
        id: ServiceId,
        query: &LogQuery,
    ) -> Result<LogText> {
        let service = self.service_view(user, id).await?;
        let application = self.application_view(user, service.application).await?;
        let manager = self.manager(&application).await?;
        manager::call(application.id, PROMPT, manager.get_service_logs(id, query)).await
    }

    pub(crate) async fn application_logs(
        &self,
        user: UserId,
        id: ApplicationId,
        query: &LogQuery,
    ) -> Result<LogText> {
        let application = self.application_view(user, id).await?;
        let manager = self.manager(&application).await?;
        manager::call(id, PROMPT, manager.get_logs(query)).await
    }

    /// Tells that the service is gone.
    pub(crate) async fn service_gone(&self, user: UserId, id: ServiceId) {
        self.publish_deleted(user, Event::ServiceDeleted { id }).await;
    }
}

/// The service, when it is this user's; nobody learns of others'.
pub(super) async fn service_of(
    connection: &mut sqlx::SqliteConnection,
    user: UserId,
    id: ServiceId,
) -> Result<ServiceRecord> {
    match db::service::view(connection, id).await? {
        Some(record) if record.user == user => Ok(record),
        _ => Err(Error::not_found("service", id)),
    }
}

/// The name of a service whose user gave none.
pub(super) fn default_name(service_type: &ServiceType) -> String {
    format!("New {} service", service_type.name)
}

pub(super) fn known_type(name: &str) -> Result<&'static ServiceType> {
    services::service_type(name).ok_or_else(|| Error::NoSuchServiceType(name.to_owned()))
}

/// The role that stands for a service's default role.
const DEFAULT_ROLE: &str = "count";

/// How many nodes are meant; refuses roles that the service does not have.
fn check_counts(service_type: &ServiceType, nodes: &NodeCounts) -> Result<usize> {
    let roles: Vec<&str> = service_type.roles.iter().map(|role| role.name.as_str()).collect();
    if let Some(unknown) =
        nodes.keys().find(|role| *role != DEFAULT_ROLE && !roles.contains(&role.as_str()))
    {
        return Err(Error::Invalid(format!(
            "{} services have no role `{unknown}`; their roles are {}",
            service_type.name,
            roles.join(", ")
        )));
    }
    let count: u64 = nodes.values().map(|count| u64::from(*count)).sum();
    check_count(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many nodes may be asked for at once.
pub(super) const MOST_NODES: usize = 500;

pub(super) fn check_count(count: usize) -> Result<usize> {
    if (1..=MOST_NODES).contains(&count) {
        Ok(count)
    } else {
        Err(Error::Invalid(format!("the number of nodes must be between 1 and {MOST_NODES}")))
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::Role;

    use super::*;

    #[test]
    fn counts_name_known_roles_and_at_least_one_node() {
        let role = |name: &str| Role { name: name.to_owned(), initial: 1 };
        let service_type = ServiceType {
            name: "generic".to_owned(),
            title: String::new(),
            description: String::new(),
            roles: vec![role("master"), role("node")],
            ports: vec![],
            methods: vec![],
        };
        let count = |nodes: &[(&str, u32)]| {
            let nodes = nodes.iter().map(|(role, n)| ((*role).to_owned(), *n)).collect();
            check_counts(&service_type, &nodes)
        };
        assert_eq!(count(&[("node", 2)]).unwrap(), 2);
        assert_eq!(count(&[("count", 1), ("master", 2)]).unwrap(), 3);
        assert!(count(&[]).is_err());
        assert!(count(&[("node", 0)]).is_err());
        let refused = count(&[("backend", 1)]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "generic services have no role `backend`; their roles are master, node"
        );
        assert!(count(&[("node", u32::MAX), ("master", 1)]).is_err());
    }
}
