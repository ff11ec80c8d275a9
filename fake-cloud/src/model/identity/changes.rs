//! What the administrator changes of who may ask.

use time::OffsetDateTime;

use super::{Domain, Group, Project, Role, User};
use crate::model::error::{Error, Kind};
use crate::model::{DomainId, GroupId, Model, ProjectId, RoleId, UserId};

/// What is wanted of a new user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their name.
    pub name: String,
    /// The domain they are in.
    pub domain_id: DomainId,
    /// The project they mean when they name none.
    pub default_project_id: Option<ProjectId>,
    /// The argon2 hash of their password; without one they cannot log in.
    pub password_hash: Option<String>,
}

/// Changes that projects, users, groups and domains share.
#[derive(Debug, Clone, Default)]
pub struct IdentityChanges {
    /// The name.
    pub name: Option<String>,
    /// What the administrator says of it.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
}

/// Who is given a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grantee {
    /// A user.
    User(UserId),
    /// All users of a group.
    Group(GroupId),
}

impl Model {
    /// Makes a domain.
    pub fn create_domain(&mut self, name: &str, description: &str) -> Result<DomainId, Error> {
        if self.domain_named(name).is_some() {
            return Err(duplicate("domain", name));
        }
        let id = DomainId::random();
        let (name, description) = (name.to_owned(), description.to_owned());
        self.domains.insert(Domain { id, name, description, enabled: true });
        Ok(id)
    }

    /// Changes a domain. One that may not be used any more takes its tokens with it.
    pub fn change_domain(&mut self, id: DomainId, changes: IdentityChanges) -> Result<(), Error> {
        let missing = || Error::not_found(Kind::Domain, id);
        if let Some(name) = &changes.name
            && self.domain_named(name).is_some_and(|other| other.id != id)
        {
            return Err(duplicate("domain", name));
        }
        let mut domain = self.domains.get_mut(id).ok_or_else(missing)?;
        let Domain { name, description, enabled, .. } = &mut *domain;
        apply(name, description, changes.name, changes.description);
        *enabled = changes.enabled.unwrap_or(*enabled);
        let enabled = *enabled;
        drop(domain);
        if !enabled {
            let of_domain = |user: &&User| user.domain_id == id;
            let users: Vec<UserId> = self.users.iter().filter(of_domain).map(|it| it.id).collect();
            self.revoke_tokens(|token| users.contains(&token.user_id));
        }
        Ok(())
    }

    /// Removes a domain that may not be used any more, with all that is in it.
    pub fn delete_domain(&mut self, id: DomainId) -> Result<(), Error> {
        let domain = self.domains.get(id).ok_or_else(|| Error::not_found(Kind::Domain, id))?;
        if domain.enabled {
            return Err(Error::Forbidden(
                "Cannot delete a domain that is enabled, please disable it first.".to_owned(),
            ));
        }
        let users: Vec<_> =
            self.users.iter().filter(|it| it.domain_id == id).map(|it| it.id).collect();
        let groups: Vec<_> =
            self.groups.iter().filter(|it| it.domain_id == id).map(|it| it.id).collect();
        let projects: Vec<_> =
            self.projects.iter().filter(|it| it.domain_id == id).map(|it| it.id).collect();
        users.into_iter().for_each(|user| self.remove_user(user));
        for group in groups {
            self.groups.remove(group);
        }
        projects.into_iter().for_each(|project| self.remove_project(project));
        self.domains.remove(id);
        Ok(())
    }

    /// Makes a project, which the home region knows at once.
    pub fn create_project(
        &mut self,
        domain: DomainId,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<ProjectId, Error> {
        if self.domains.get(domain).is_none() {
            return Err(Error::not_found(Kind::Domain, domain));
        }
        if self.project_in(domain, name).is_some() {
            return Err(duplicate("project", name));
        }
        let project = Project { domain_id: domain, ..Project::new(name) };
        let id = project.id;
        self.projects.insert(project);
        self.welcome(id, now);
        Ok(id)
    }

    /// Changes a project. One that may not be used any more takes its tokens with it.
    pub fn change_project(&mut self, id: ProjectId, changes: IdentityChanges) -> Result<(), Error> {
        let missing = || Error::not_found(Kind::Project, id);
        let domain = self.projects.get(id).ok_or_else(missing)?.domain_id;
        if let Some(name) = &changes.name
            && self.project_in(domain, name).is_some_and(|other| other.id != id)
        {
            return Err(duplicate("project", name));
        }
        let mut project = self.projects.get_mut(id).ok_or_else(missing)?;
        let Project { name, description, enabled, .. } = &mut *project;
        apply(name, description, changes.name, changes.description);
        *enabled = changes.enabled.unwrap_or(*enabled);
        let enabled = *enabled;
        drop(project);
        if !enabled {
            self.revoke_tokens(|token| token.scope.project() == Some(id));
        }
        Ok(())
    }

    /// Removes a project with its roles, tokens and keys. What other services hold for it stays,
    /// as in a real cloud.
    pub fn delete_project(&mut self, id: ProjectId) -> Result<(), Error> {
        self.projects.get(id).ok_or_else(|| Error::not_found(Kind::Project, id))?;
        self.remove_project(id);
        Ok(())
    }

    fn remove_project(&mut self, id: ProjectId) {
        self.projects.remove(id);
        let users: Vec<UserId> = self.users.iter().map(|user| user.id).collect();
        for user in users {
            if self.users.get(user).is_some_and(|it| it.grants.iter().any(|(at, _)| *at == id))
                && let Some(mut user) = self.users.get_mut(user)
            {
                user.grants.retain(|(at, _)| *at != id);
            }
        }
        let groups: Vec<GroupId> = self.groups.iter().map(|group| group.id).collect();
        for group in groups {
            if let Some(mut group) = self.groups.get_mut(group) {
                group.grants.retain(|(at, _)| *at != id);
            }
        }
        self.revoke_tokens(|token| token.scope.project() == Some(id));
        self.remove_keys(|_, project| project == id);
    }

    /// Makes a user.
    pub fn create_user(&mut self, wanted: NewUser) -> Result<UserId, Error> {
        if self.domains.get(wanted.domain_id).is_none() {
            return Err(Error::not_found(Kind::Domain, wanted.domain_id));
        }
        if self.user_in(wanted.domain_id, &wanted.name).is_some() {
            return Err(duplicate("user", &wanted.name));
        }
        let user = User {
            domain_id: wanted.domain_id,
            default_project_id: wanted.default_project_id,
            password_hash: wanted.password_hash,
            ..User::new(&wanted.name)
        };
        let id = user.id;
        self.users.insert(user);
        Ok(id)
    }

    /// Changes a user. One who may not log in any more loses their tokens.
    pub fn change_user(&mut self, id: UserId, changes: IdentityChanges) -> Result<(), Error> {
        let missing = || Error::not_found(Kind::User, id);
        let domain = self.users.get(id).ok_or_else(missing)?.domain_id;
        if let Some(name) = &changes.name
            && self.user_in(domain, name).is_some_and(|other| other.id != id)
        {
            return Err(duplicate("user", name));
        }
        let mut user = self.users.get_mut(id).ok_or_else(missing)?;
        let User { name, description, enabled, .. } = &mut *user;
        *name = changes.name.unwrap_or_else(|| std::mem::take(name));
        *description = changes.description.or(description.take());
        *enabled = changes.enabled.unwrap_or(*enabled);
        let enabled = *enabled;
        drop(user);
        if !enabled {
            self.revoke_tokens(|token| token.user_id == id);
        }
        Ok(())
    }

    /// Gives a user another password: who knew the old one is out at once.
    pub fn set_password(&mut self, id: UserId, hash: String) -> Result<(), Error> {
        let mut user = self.users.get_mut(id).ok_or_else(|| Error::not_found(Kind::User, id))?;
        user.password_hash = Some(hash);
        drop(user);
        self.revoke_tokens(|token| token.user_id == id && token.application_credential.is_none());
        Ok(())
    }

    /// Removes a user with their tokens and keys.
    pub fn delete_user(&mut self, id: UserId) -> Result<(), Error> {
        self.users.get(id).ok_or_else(|| Error::not_found(Kind::User, id))?;
        self.remove_user(id);
        Ok(())
    }

    fn remove_user(&mut self, id: UserId) {
        self.users.remove(id);
        let groups: Vec<GroupId> = self.groups.iter().map(|group| group.id).collect();
        for group in groups {
            if let Some(mut group) = self.groups.get_mut(group) {
                group.members.retain(|member| *member != id);
            }
        }
        self.revoke_tokens(|token| token.user_id == id);
        self.remove_keys(|user, _| user == id);
    }

    /// Removes keys and application credentials by their user and project.
    fn remove_keys(&mut self, gone: impl Fn(UserId, ProjectId) -> bool) {
        let keys = self.access_keys.iter().filter(|key| gone(key.user_id, key.project_id));
        for id in keys.map(|key| key.id).collect::<Vec<_>>() {
            self.access_keys.remove(id);
        }
        let credentials = self.application_credentials.iter();
        let credentials = credentials.filter(|it| gone(it.user_id, it.project_id));
        for id in credentials.map(|it| it.id).collect::<Vec<_>>() {
            self.application_credentials.remove(id);
        }
    }

    /// Makes a role, which means nothing by itself.
    pub fn create_role(&mut self, name: &str, about: Option<String>) -> Result<RoleId, Error> {
        if self.role_named(name).is_some() {
            return Err(duplicate("role", name));
        }
        let id = RoleId::random();
        self.roles.insert(Role { id, name: name.to_owned(), description: about });
        Ok(id)
    }

    /// Removes a role from the cloud and from everyone who has it.
    pub fn delete_role(&mut self, id: RoleId) -> Result<(), Error> {
        self.roles.remove(id).ok_or_else(|| Error::not_found(Kind::Role, id))?;
        for user in self.users.iter().map(|user| user.id).collect::<Vec<_>>() {
            if let Some(mut user) = self.users.get_mut(user) {
                user.grants.retain(|(_, role)| *role != id);
            }
        }
        for group in self.groups.iter().map(|group| group.id).collect::<Vec<_>>() {
            if let Some(mut group) = self.groups.get_mut(group) {
                group.grants.retain(|(_, role)| *role != id);
            }
        }
        Ok(())
    }

    /// Makes a group without members.
    pub fn create_group(
        &mut self,
        domain: DomainId,
        name: &str,
        description: &str,
    ) -> Result<GroupId, Error> {
        if self.domains.get(domain).is_none() {
            return Err(Error::not_found(Kind::Domain, domain));
        }
        if self.groups.iter().any(|group| group.name == name && group.domain_id == domain) {
            return Err(duplicate("group", name));
        }
        let id = GroupId::random();
        self.groups.insert(Group {
            id,
            name: name.to_owned(),
            domain_id: domain,
            description: description.to_owned(),
            members: Vec::new(),
            grants: Vec::new(),
        });
        Ok(id)
    }

    /// What someone has been given, a project and a role a line.
    pub fn grants(&self, grantee: Grantee) -> Result<&[(ProjectId, RoleId)], Error> {
        match grantee {
            Grantee::User(id) => {
                self.users.get(id).map(|it| &*it.grants).ok_or(Error::not_found(Kind::User, id))
            }
            Grantee::Group(id) => {
                self.groups.get(id).map(|it| &*it.grants).ok_or(Error::not_found(Kind::Group, id))
            }
        }
    }

    /// Gives someone a role in a project.
    pub fn grant(&mut self, to: Grantee, project: ProjectId, role: RoleId) -> Result<(), Error> {
        self.projects.get(project).ok_or_else(|| Error::not_found(Kind::Project, project))?;
        self.roles.get(role).ok_or_else(|| Error::not_found(Kind::Role, role))?;
        if !self.grants(to)?.contains(&(project, role)) {
            self.change_grants(to, |grants| grants.push((project, role)));
        }
        Ok(())
    }

    /// Takes a role in a project from someone, and the tokens for it.
    pub fn revoke(&mut self, from: Grantee, project: ProjectId, role: RoleId) -> Result<(), Error> {
        if !self.grants(from)?.contains(&(project, role)) {
            return Err(Error::not_found(Kind::RoleAssignment, role));
        }
        self.change_grants(from, |grants| grants.retain(|grant| *grant != (project, role)));
        let losers = match from {
            Grantee::User(id) => vec![id],
            Grantee::Group(id) => self.groups.get(id).map_or(Vec::new(), |it| it.members.clone()),
        };
        self.revoke_tokens(|token| {
            token.scope.project() == Some(project) && losers.contains(&token.user_id)
        });
        Ok(())
    }

    fn change_grants(&mut self, of: Grantee, change: impl FnOnce(&mut Vec<(ProjectId, RoleId)>)) {
        match of {
            Grantee::User(id) => self.users.get_mut(id).map(|mut it| change(&mut it.grants)),
            Grantee::Group(id) => self.groups.get_mut(id).map(|mut it| change(&mut it.grants)),
        };
    }
}

fn apply(
    name: &mut String,
    description: &mut String,
    new_name: Option<String>,
    new_description: Option<String>,
) {
    if let Some(new) = new_name {
        *name = new;
    }
    if let Some(new) = new_description {
        *description = new;
    }
}

fn duplicate(kind: &str, name: &str) -> Error {
    Error::Conflict(format!(
        "Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}."
    ))
}
