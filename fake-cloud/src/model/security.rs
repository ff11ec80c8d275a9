//! Security groups and their rules: kept for the network that enforces them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::index::{Index, Places, Step, Totals};
use super::quota::{self, Demand};
use super::table::record;
use super::{
    Caller, GroupOfVpc, Model, ProjectId, SecurityGroupId, SecurityGroupRuleId, ServerId,
    StandardAttributes,
};

/// The group that every project has and that guards servers for which none is named.
pub const DEFAULT_GROUP: &str = "default";

/// A set of rules.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// Whether answers to what it lets pass may pass too.
    pub stateful: bool,
    /// The VPC that it is of, when that is not the default one.
    #[serde(default)]
    pub vpc: Option<GroupOfVpc>,
    /// Names and values that its owner gave it.
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// Which way the traffic of a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the server.
    Ingress,
    /// From the server.
    Egress,
}

/// Which internet protocol a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EtherType {
    /// Version 4.
    IPv4,
    /// Version 6.
    IPv6,
}

/// What a rule lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Which way.
    pub direction: Direction,
    /// Which internet protocol.
    pub ethertype: EtherType,
    /// Which transport protocol, any when not given.
    pub protocol: Option<String>,
    /// The lowest port, or the ICMP type.
    pub port_range_min: Option<u16>,
    /// The highest port, or the ICMP code.
    pub port_range_max: Option<u16>,
    /// From or to which block of addresses.
    pub remote_ip_prefix: Option<String>,
    /// From or to members of which group.
    pub remote_group_id: Option<SecurityGroupId>,
}

/// A rule of a security group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// The group it belongs to.
    pub group_id: SecurityGroupId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// What it lets pass.
    pub filter: Filter,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

impl Filter {
    /// Lets everything pass in a direction.
    fn all(direction: Direction, ethertype: EtherType) -> Self {
        Self {
            direction,
            ethertype,
            protocol: None,
            port_range_min: None,
            port_range_max: None,
            remote_ip_prefix: None,
            remote_group_id: None,
        }
    }

    /// Refuses what no packet can match.
    fn check(&self) -> Result<(), Error> {
        let transport = matches!(self.protocol.as_deref(), Some("tcp" | "udp" | "6" | "17"));
        match (self.port_range_min, self.port_range_max) {
            (Some(_), _) | (_, Some(_)) if self.protocol.is_none() => {
                Err(Error::Invalid("Must also specify protocol if port range is given.".to_owned()))
            }
            (Some(min), Some(max)) if transport && min > max => Err(Error::Invalid(
                "For TCP/UDP protocols, port_range_min must be <= port_range_max".to_owned(),
            )),
            _ if self.remote_ip_prefix.is_some() && self.remote_group_id.is_some() => {
                Err(Error::Invalid(
                    "Only remote_ip_prefix or remote_group_id may be provided.".to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Model {
    /// A security group that the caller may see.
    pub fn security_group(&self, caller: &Caller, id: &str) -> Result<&SecurityGroup, Error> {
        let found = id.parse().ok().and_then(|id| self.security_groups.get(id));
        found
            .filter(|group| caller.sees(group.project_id))
            .ok_or_else(|| Error::not_found(Kind::SecurityGroup, id))
    }

    /// A rule that the caller may see.
    pub fn security_group_rule(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<&SecurityGroupRule, Error> {
        let found = id.parse().ok().and_then(|id| self.security_group_rules.get(id));
        found
            .filter(|rule| caller.sees(rule.project_id))
            .ok_or_else(|| Error::not_found(Kind::SecurityGroupRule, id))
    }

    /// The project's group with this name or id.
    pub fn find_security_group(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<&SecurityGroup, Error> {
        let id = name.parse().ok();
        self.security_groups
            .iter()
            .find(|group| {
                group.project_id == project && (group.name == name || Some(group.id) == id)
            })
            .ok_or_else(|| Error::not_found(Kind::SecurityGroup, name))
    }

    /// The rules of a group.
    pub fn rules_of(&self, group: SecurityGroupId) -> impl Iterator<Item = &SecurityGroupRule> {
        self.security_group_rules.at(self.security_group_rules.index().groups.of(group))
    }

    /// Makes a group that lets everything out and nothing in.
    pub fn create_security_group(
        &mut self,
        project: ProjectId,
        name: &str,
        description: &str,
        now: OffsetDateTime,
    ) -> Result<SecurityGroupId, Error> {
        if name == DEFAULT_GROUP && self.find_security_group(project, name).is_ok() {
            return Err(Error::Conflict("Default security group already exists.".to_owned()));
        }
        self.check_security_groups(project)?;
        let id = SecurityGroupId::random();
        self.security_groups.insert(SecurityGroup {
            id,
            project_id: project,
            name: name.to_owned(),
            stateful: true,
            vpc: None,
            tags: BTreeMap::new(),
            standard: StandardAttributes {
                revision: 1,
                ..StandardAttributes::new(description, now)
            },
        });
        for ethertype in [EtherType::IPv4, EtherType::IPv6] {
            self.add_rule(
                id,
                project,
                Filter::all(Direction::Egress, ethertype),
                String::new(),
                now,
            );
        }
        Ok(id)
    }

    /// Refuses one more group than the project's quota allows.
    pub(super) fn check_security_groups(&self, project: ProjectId) -> Result<(), Error> {
        let used = self.security_groups_used(project);
        let limit = self.quotas(project).security_groups;
        quota::check(&[Demand { resource: "security_group", used, requested: 1, limit }])
    }

    /// Makes the group that every project has.
    pub fn create_default_group(&mut self, project: ProjectId, now: OffsetDateTime) {
        // Where the quota allows none, the project has none.
        let _ = self.create_members_group(project, DEFAULT_GROUP, "Default security group", now);
    }

    /// Makes a group whose members reach each other.
    pub(super) fn create_members_group(
        &mut self,
        project: ProjectId,
        name: &str,
        description: &str,
        now: OffsetDateTime,
    ) -> Result<SecurityGroupId, Error> {
        let id = self.create_security_group(project, name, description, now)?;
        for ethertype in [EtherType::IPv4, EtherType::IPv6] {
            let mut filter = Filter::all(Direction::Ingress, ethertype);
            filter.remote_group_id = Some(id);
            self.add_rule(id, project, filter, String::new(), now);
        }
        Ok(id)
    }

    /// Removes a group that no port uses.
    pub fn delete_security_group(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let group = self.security_group(caller, id)?;
        if group.name == DEFAULT_GROUP && !caller.is_admin {
            return Err(Error::Conflict(
                "Insufficient rights for removing default security group.".to_owned(),
            ));
        }
        let group = group.id;
        if self.ports.index().groups.has(group) {
            return Err(Error::Conflict(format!("Security Group {group} in use.")));
        }
        self.remove_security_group(group);
        Ok(())
    }

    /// Removes a group with its rules, and those of others that speak of it.
    pub fn remove_security_group(&mut self, group: SecurityGroupId) {
        let concerns = |rule: &&SecurityGroupRule| {
            rule.group_id == group || rule.filter.remote_group_id == Some(group)
        };
        let rules = self.security_group_rules.iter().filter(concerns);
        let rules: Vec<SecurityGroupRuleId> = rules.map(|rule| rule.id).collect();
        for rule in rules {
            self.security_group_rules.remove(rule);
        }
        self.security_groups.remove(group);
    }

    /// Adds a rule to a group.
    pub fn create_rule(
        &mut self,
        caller: &Caller,
        group: &str,
        filter: Filter,
        description: String,
        now: OffsetDateTime,
    ) -> Result<SecurityGroupRuleId, Error> {
        filter.check()?;
        let group = self.security_group(caller, group)?;
        let (group, project) = (group.id, group.project_id);
        if let Some(twin) = self.rules_of(group).find(|rule| rule.filter == filter) {
            return Err(Error::Conflict(format!(
                "Security group rule already exists. Rule id is {}.",
                twin.id
            )));
        }
        let used = self.security_group_rules.index().projects.of(project);
        let limit = self.quotas(project).security_group_rules;
        quota::check(&[Demand { resource: "security_group_rule", used, requested: 1, limit }])?;
        self.touch_group(group, now);
        Ok(self.add_rule(group, project, filter, description, now))
    }

    /// Removes a rule from its group.
    pub fn delete_rule(
        &mut self,
        caller: &Caller,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let rule = self.security_group_rule(caller, id)?;
        let (rule, group) = (rule.id, rule.group_id);
        self.security_group_rules.remove(rule);
        self.touch_group(group, now);
        Ok(())
    }

    fn add_rule(
        &mut self,
        group_id: SecurityGroupId,
        project_id: ProjectId,
        filter: Filter,
        description: String,
        now: OffsetDateTime,
    ) -> SecurityGroupRuleId {
        let id = SecurityGroupRuleId::random();
        self.security_group_rules.insert(SecurityGroupRule {
            id,
            group_id,
            project_id,
            filter,
            tags: BTreeMap::new(),
            standard: StandardAttributes::new(&description, now),
        });
        id
    }

    /// Gives a server one more group, at all its ports.
    pub fn join_security_group(
        &mut self,
        caller: &Caller,
        server: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let (server, group) = self.server_and_group(caller, server, name)?;
        self.change_groups(server, now, |groups| {
            if !groups.contains(&group) {
                groups.push(group);
            }
        });
        Ok(())
    }

    /// Takes a group from a server.
    pub fn leave_security_group(
        &mut self,
        caller: &Caller,
        server: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let (id, group) = self.server_and_group(caller, server, name)?;
        let has = self.servers.get(id).is_some_and(|it| it.security_groups.contains(&group));
        if !has {
            return Err(Error::not_found(Kind::SecurityGroup, name));
        }
        self.change_groups(id, now, |groups| groups.retain(|known| *known != group));
        Ok(())
    }

    fn server_and_group(
        &self,
        caller: &Caller,
        server: &str,
        name: &str,
    ) -> Result<(ServerId, SecurityGroupId), Error> {
        let server = self.server(caller, server)?;
        let project = server.project_id;
        Ok((server.id, self.find_security_group(project, name)?.id))
    }

    fn change_groups(
        &mut self,
        server: ServerId,
        now: OffsetDateTime,
        change: impl Fn(&mut Vec<SecurityGroupId>),
    ) {
        if let Some(mut server) = self.servers.get_mut(server) {
            change(&mut server.security_groups);
            server.updated = now;
        }
        let ports = self.servers.get(server).map(|server| server.ports.clone());
        for port in ports.into_iter().flatten() {
            if let Some(mut port) = self.ports.get_mut(port) {
                change(&mut port.security_groups);
                port.standard.touch(now);
            }
        }
    }

    fn touch_group(&mut self, group: SecurityGroupId, now: OffsetDateTime) {
        if let Some(mut group) = self.security_groups.get_mut(group) {
            group.standard.touch(now);
        }
    }
}

record!(SecurityGroup, SecurityGroupId, "security_group");

record!(SecurityGroupRule, SecurityGroupRuleId, "security_group_rule", RuleIndex);

/// What is known of all rules together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RuleIndex {
    /// How many each project has.
    pub projects: Totals<ProjectId>,
    /// Them by group.
    groups: Places<SecurityGroupId>,
}

impl Index<SecurityGroupRule> for RuleIndex {
    fn take(&mut self, step: Step, place: u64, rule: &SecurityGroupRule) {
        self.projects.take(step, rule.project_id, 1);
        self.groups.take(step, place, rule.group_id);
    }
}
