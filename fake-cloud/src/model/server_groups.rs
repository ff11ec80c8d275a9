//! Groups of servers that are to be on the same machine, or on different ones. There is one
//! machine here, so that the rule "different ones" allows one server, as on any cloud of one host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::quota::{self, Demand};
use super::table::record;
use super::{Caller, Model, ProjectId, Server, ServerGroupId, UserId};

/// What holds for the servers of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// They must be on one machine.
    Affinity,
    /// Each must be on a machine of its own.
    AntiAffinity,
    /// They should be on one machine.
    SoftAffinity,
    /// Each should be on a machine of its own.
    SoftAntiAffinity,
}

/// A group of servers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerGroup {
    /// Its id.
    pub id: ServerGroupId,
    /// Whose quota it counts against.
    pub project_id: ProjectId,
    /// Who made it.
    pub user_id: UserId,
    /// Its name; several groups may share one.
    pub name: String,
    /// What holds for its servers.
    pub policy: Policy,
    /// How many servers of it a machine may have under [`Policy::AntiAffinity`], when not one.
    pub max_per_host: Option<u32>,
    /// Names and values that its owner gave it in EC2.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

impl Model {
    /// A server group that the caller may see.
    pub fn server_group(&self, caller: &Caller, id: &str) -> Result<&ServerGroup, Error> {
        let found = id.parse().ok().and_then(|id| self.server_groups.get(id));
        found
            .filter(|group| caller.sees(group.project_id))
            .ok_or_else(|| Error::not_found(Kind::ServerGroup, id))
    }

    /// The servers of a group.
    pub fn group_members(&self, group: ServerGroupId) -> impl Iterator<Item = &Server> {
        self.servers.at(self.servers.index().groups.of(group))
    }

    /// How many server groups a project has.
    pub fn server_groups_used(&self, project: ProjectId) -> u64 {
        self.server_groups.iter().filter(|group| group.project_id == project).count() as u64
    }

    /// Makes a server group.
    pub fn create_server_group(
        &mut self,
        caller: &Caller,
        project_id: ProjectId,
        name: String,
        policy: Policy,
        max_per_host: Option<u32>,
        now: OffsetDateTime,
    ) -> Result<ServerGroup, Error> {
        let (used, limit) = (self.server_groups_used(project_id), self.quotas(project_id));
        let limit = limit.server_groups;
        quota::check(&[Demand { resource: "server_groups", used, requested: 1, limit }])?;
        let group = ServerGroup {
            id: ServerGroupId::random(),
            project_id,
            user_id: caller.user_id,
            name,
            policy,
            max_per_host,
            tags: BTreeMap::new(),
            created: now,
        };
        self.server_groups.insert(group.clone());
        Ok(group)
    }

    /// Removes a server group; its servers stay.
    pub fn delete_server_group(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let id = self.server_group(caller, id)?.id;
        self.server_groups.remove(id);
        Ok(())
    }

    /// The group that new servers are to belong to, if its quota allows so many more, and whether
    /// its policy does.
    pub(super) fn join_group(
        &self,
        caller: &Caller,
        id: &str,
        count: u32,
    ) -> Result<(ServerGroupId, bool), Error> {
        let group = self
            .server_group(caller, id)
            .map_err(|_| Error::Invalid(format!("Instance group {id} could not be found.")))?;
        let (used, requested) = (self.group_members(group.id).count() as u64, u64::from(count));
        let limit = self.quotas(group.project_id).server_group_members;
        quota::check(&[Demand { resource: "server_group_members", used, requested, limit }])?;
        let room = match group.policy {
            Policy::AntiAffinity => u64::from(group.max_per_host.unwrap_or(1)),
            Policy::Affinity | Policy::SoftAffinity | Policy::SoftAntiAffinity => u64::MAX,
        };
        Ok((group.id, used + requested <= room))
    }
}

record!(ServerGroup, ServerGroupId, "server_group");
