//! Who may reach which VM: every node is guarded by two security groups of its cloud.
//!
//! One is its application's: whatever comes from VMs of the same application is let in. The other is
//! all the installation's managers', or all nodes' of one type of service: it lets in, from anywhere,
//! what that kind of VM is there for.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Admit, NewSecurityGroup, Protocol, SecurityGroup};
use protocol::api::{Node, NodeState, PortRange, ServiceType, Transport};
use protocol::{AGENT_PORT, ApplicationId, GIT_PORTS, MANAGER_PORT};

use super::{App, Error, Result};
use crate::db;
use crate::operations::{TAG_APPLICATION, TAG_INSTALLATION};

/// Where `cps shell` gets in, with a key that the cloud knows.
const SSH: PortRange = PortRange::tcp(22, 22);

/// One at a time in each cloud looks which groups there are and makes or deletes some.
#[derive(Debug)]
pub(crate) struct Turns(BTreeMap<String, tokio::sync::Mutex<()>>);

impl Turns {
    pub(crate) fn new<'a>(clouds: impl Iterator<Item = &'a String>) -> Self {
        Self(clouds.map(|name| (name.clone(), tokio::sync::Mutex::default())).collect())
    }

    async fn take(&self, cloud: &str) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.0.get(cloud) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// The names of an installation's groups, and so what they are for.
#[derive(Debug, Clone, Copy)]
struct Names<'a> {
    /// The installation's id: its name may be another installation's too.
    tag: &'a str,
}

impl Names<'_> {
    fn application(self, id: ApplicationId) -> String {
        format!("nutshell-{}-application-{id}", self.tag)
    }

    fn managers(self) -> String {
        format!("nutshell-{}-managers", self.tag)
    }

    fn service_type(self, name: &str) -> String {
        format!("nutshell-{}-service-{name}", self.tag)
    }

    fn is_application(self, name: &str) -> bool {
        name.starts_with(&format!("nutshell-{}-application-", self.tag))
    }
}

fn anyone(ports: &PortRange) -> Admit {
    let protocol = match ports.transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
    };
    Admit::Anyone { protocol, first: ports.first, last: ports.last }
}

fn tcp(port: u16) -> PortRange {
    PortRange::tcp(port, port)
}

/// The group of an application. Where the manager comes from another cloud it is nobody's member;
/// which address it comes from nobody can know, so the agents' certificates alone must do.
fn of_application(tag: &str, id: ApplicationId, manager_elsewhere: bool) -> NewSecurityGroup {
    let agents = manager_elsewhere.then(|| anyone(&tcp(AGENT_PORT)));
    NewSecurityGroup {
        name: Names { tag }.application(id),
        tags: BTreeMap::from([
            (TAG_INSTALLATION.to_owned(), tag.to_owned()),
            (TAG_APPLICATION.to_owned(), id.to_string()),
        ]),
        admits: [Admit::Members].into_iter().chain(agents).collect(),
    }
}

/// The group of managers, or of the nodes of a type of service.
fn of_kind(tag: &str, service_type: Option<&ServiceType>) -> NewSecurityGroup {
    let names = Names { tag };
    let (name, ports) = match service_type {
        None => {
            let ports = GIT_PORTS.into_iter().chain([MANAGER_PORT]).map(tcp).collect();
            (names.managers(), ports)
        }
        Some(service_type) => (names.service_type(&service_type.name), service_type.ports.clone()),
    };
    let admits = ports.iter().chain([&SSH]).map(anyone).collect();
    let tags = BTreeMap::from([(TAG_INSTALLATION.to_owned(), tag.to_owned())]);
    NewSecurityGroup { name, tags, admits }
}

/// The groups of a cloud that guard no node that is recorded, and those that came to be twice.
fn unwanted<'a>(
    tag: &str,
    groups: &'a [SecurityGroup],
    nodes: &BTreeSet<ApplicationId>,
) -> Vec<&'a SecurityGroup> {
    let names = Names { tag };
    let applications: BTreeSet<String> = nodes.iter().map(|id| names.application(*id)).collect();
    let wanted = |group: &SecurityGroup| match names.is_application(&group.name) {
        true => applications.contains(&group.name),
        false => !nodes.is_empty(),
    };
    // The same that a driver takes for the one that is meant.
    let is_twin = |group: &SecurityGroup| {
        groups.iter().any(|other| other.name == group.name && other.id < group.id)
    };
    groups.iter().filter(|group| !wanted(group) || is_twin(group)).collect()
}

impl App {
    /// Sees to it that the groups of a node are in its cloud; their ids. None where the cloud's
    /// settings name groups.
    pub(crate) async fn security_groups_ensure(
        &self,
        node: &Node,
        service_type: Option<&str>,
    ) -> Result<Vec<String>> {
        let service_type = service_type.map(super::service::known_type).transpose()?;
        let mut nodes = {
            let mut connection = self.db.read().await?;
            db::node::list_of_application(&mut connection, node.application).await?
        };
        nodes.retain(|node| node.state != NodeState::Stopping);
        let manager = nodes.iter().find(|node| node.service.is_none());
        let elsewhere = |cloud: &str| manager.is_some_and(|manager| manager.cloud != cloud);
        if node.service.is_none() {
            // The manager's coming changes who must be let in where its agents are already.
            let others: BTreeSet<&String> = nodes.iter().map(|node| &node.cloud).collect();
            for other in others.into_iter().filter(|other| **other != node.cloud) {
                let group = of_application(&self.tag, node.application, elsewhere(other));
                self.security_group_ensure(other, &[group]).await?;
            }
        }
        let application = of_application(&self.tag, node.application, elsewhere(&node.cloud));
        let kind = of_kind(&self.tag, service_type);
        self.security_group_ensure(&node.cloud, &[application, kind]).await
    }

    async fn security_group_ensure(
        &self,
        name: &str,
        wanted: &[NewSecurityGroup],
    ) -> Result<Vec<String>> {
        let cloud = self.cloud(name)?;
        if cloud.guarded_by_settings() {
            return Ok(Vec::new());
        }
        let _turn = self.security_groups.take(name).await;
        let ensured = wanted.iter().map(|group| cloud.security_group_ensure(group));
        let failed = |source| Error::Cloud { cloud: name.to_owned(), source };
        futures::future::try_join_all(ensured).await.map_err(failed)
    }

    /// Deletes those of our groups in a cloud that no node needs. A node is recorded before its
    /// groups are looked for, so what is unwanted in this turn stays so until it is over.
    pub(crate) async fn security_groups_tidy(&self, name: &str) -> Result<()> {
        let cloud = self.cloud(name)?;
        if cloud.guarded_by_settings() {
            return Ok(());
        }
        let failed = |source| Error::Cloud { cloud: name.to_owned(), source };
        let _turn = self.security_groups.take(name).await;
        let groups = cloud.security_groups(TAG_INSTALLATION, &self.tag).await.map_err(failed)?;
        if groups.is_empty() {
            return Ok(());
        }
        let nodes = db::node::list(&mut *self.db.read().await?).await?;
        let here = nodes.iter().filter(|record| record.node.cloud == name);
        let applications = here.map(|record| record.node.application).collect();
        for group in unwanted(&self.tag, &groups, &applications) {
            match cloud.security_group_delete(&group.id).await {
                // A server that goes slowly; the reconciler comes again.
                Err(cloud::CloudError::Conflict { .. }) => {}
                deleted => deleted.map_err(failed)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "0f";

    fn service_type(ports: Vec<PortRange>) -> ServiceType {
        ServiceType {
            name: "web".to_owned(),
            title: String::new(),
            description: String::new(),
            roles: vec![],
            ports,
            methods: vec![],
        }
    }

    #[test]
    fn a_manager_is_reached_by_director_and_git_and_nothing_else() {
        let group = of_kind(TAG, None);
        assert_eq!(group.name, "nutshell-0f-managers");
        let expected = [22, 2222, 5443].map(|port| anyone(&tcp(port)));
        assert_eq!(group.admits, BTreeSet::from(expected));
    }

    #[test]
    fn nodes_are_reached_at_what_their_service_offers() {
        let admits = |ports| of_kind(TAG, Some(&service_type(ports))).admits;
        assert_eq!(admits(vec![]), BTreeSet::from([anyone(&SSH)]));
        let web = [tcp(22), tcp(80)].map(|ports| anyone(&ports));
        assert_eq!(admits(vec![tcp(80)]), BTreeSet::from(web));
    }

    #[test]
    fn an_agent_is_reached_from_outside_only_by_a_manager_in_another_cloud() {
        let admits = |elsewhere| of_application(TAG, ApplicationId(3), elsewhere).admits;
        assert_eq!(admits(false), BTreeSet::from([Admit::Members]));
        let agents = anyone(&tcp(AGENT_PORT));
        assert_eq!(admits(true), BTreeSet::from([Admit::Members, agents]));
    }

    #[test]
    fn groups_go_with_the_last_node_that_needs_them() {
        let names = Names { tag: TAG };
        let group = |id: &str, name: String| SecurityGroup { id: id.to_owned(), name };
        let groups = [
            group("1", names.application(ApplicationId(1))),
            group("2", names.application(ApplicationId(11))),
            group("m", names.managers()),
            group("s", names.service_type("generic")),
            group("t", names.managers()),
        ];
        let go = |nodes: &[i64]| -> String {
            let nodes = nodes.iter().copied().map(ApplicationId).collect();
            unwanted(TAG, &groups, &nodes).iter().map(|group| group.id.as_str()).collect()
        };
        assert_eq!(go(&[1, 11]), "t", "a twin");
        assert_eq!(go(&[11]), "1t");
        assert_eq!(go(&[]), "12mst");
    }
}
