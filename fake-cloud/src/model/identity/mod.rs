//! Who may ask: domains, projects, users, groups, roles and the tokens they were given.

mod application_credential;
mod changes;
mod token;

use serde::{Deserialize, Serialize};

use super::table::record;
use super::{DomainId, GroupId, Model, ProjectId, RoleId, UserId};

pub use application_credential::{ApplicationCredential, NewApplicationCredential};
pub use changes::{Grantee, IdentityChanges, NewUser};
pub use token::{Caller, Scope, Token, TokenScope, token_id};

/// The role that may see and do everything.
pub const ADMIN: &str = "admin";

/// The name of the domain that is always there.
pub const DEFAULT_DOMAIN: &str = "Default";

/// Where names of projects, users and groups are unique.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: String,
    /// What the administrator says of it.
    pub description: String,
    /// Whether its users may log in, and its projects be used.
    pub enabled: bool,
}

/// Who owns things and whose quota they count against.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain it is in.
    pub domain_id: DomainId,
    /// What the administrator says of it.
    pub description: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// Free-form labels.
    pub tags: Vec<String>,
}

/// A user and what they may do where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their name, unique in their domain.
    pub name: String,
    /// The domain they are in.
    pub domain_id: DomainId,
    /// What the administrator says of them.
    pub description: Option<String>,
    /// Where letters reach them.
    pub email: Option<String>,
    /// Whether they may log in.
    pub enabled: bool,
    /// The project they mean when they name none.
    pub default_project_id: Option<ProjectId>,
    /// The argon2 hash of their password, once it has been computed.
    pub password_hash: Option<String>,
    /// Their roles, a project and a role a line.
    pub grants: Vec<(ProjectId, RoleId)>,
}

/// Users who have roles together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique in its domain.
    pub name: String,
    /// The domain it is in.
    pub domain_id: DomainId,
    /// What the administrator says of it.
    pub description: String,
    /// Who is in it.
    pub members: Vec<UserId>,
    /// Its roles, a project and a role a line.
    pub grants: Vec<(ProjectId, RoleId)>,
}

/// A named set of rights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What the administrator says of it.
    pub description: Option<String>,
}

impl Project {
    /// A new project.
    pub fn new(name: &str) -> Self {
        Self {
            id: ProjectId::random(),
            name: name.to_owned(),
            domain_id: DomainId::DEFAULT,
            description: String::new(),
            enabled: true,
            tags: Vec::new(),
        }
    }
}

impl User {
    /// A new user without a password, and without any role.
    pub fn new(name: &str) -> Self {
        Self {
            id: UserId::random(),
            name: name.to_owned(),
            domain_id: DomainId::DEFAULT,
            description: None,
            email: None,
            enabled: true,
            default_project_id: None,
            password_hash: None,
            grants: Vec::new(),
        }
    }
}

impl Model {
    /// The domain with this name.
    pub fn domain_named(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// The user with this name in the default domain.
    pub fn user_named(&self, name: &str) -> Option<&User> {
        self.user_in(DomainId::DEFAULT, name)
    }

    /// The user with this name in a domain.
    pub fn user_in(&self, domain: DomainId, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name && user.domain_id == domain)
    }

    /// The project with this name in the default domain.
    pub fn project_named(&self, name: &str) -> Option<&Project> {
        self.project_in(DomainId::DEFAULT, name)
    }

    /// The project with this name in a domain.
    pub fn project_in(&self, domain: DomainId, name: &str) -> Option<&Project> {
        self.projects.iter().find(|it| it.name == name && it.domain_id == domain)
    }

    /// The role with this name.
    pub fn role_named(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Whether a domain is one of which things may be used.
    pub(super) fn is_enabled(&self, domain: DomainId) -> bool {
        self.domains.get(domain).is_none_or(|domain| domain.enabled)
    }

    /// All grants of a user: their own and those of their groups.
    pub(super) fn grants_of(&self, user: &User) -> impl Iterator<Item = (ProjectId, RoleId)> {
        let id = user.id;
        let groups = self.groups.iter().filter(move |group| group.members.contains(&id));
        user.grants.iter().copied().chain(groups.flat_map(|group| group.grants.iter().copied()))
    }

    /// The roles of a user in a project, each once.
    pub fn roles_of(&self, user: &User, project: ProjectId) -> Vec<&Role> {
        let granted = self.grants_of(user).filter(|(at, _)| *at == project);
        let mut roles: Vec<RoleId> = Vec::new();
        for (_, role) in granted {
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles.into_iter().filter_map(|role| self.roles.get(role)).collect()
    }

    /// The projects in which a user has a role.
    pub fn projects_of(&self, user_id: UserId) -> Vec<&Project> {
        let Some(user) = self.users.get(user_id) else { return Vec::new() };
        let granted: Vec<ProjectId> = self.grants_of(user).map(|(project, _)| project).collect();
        self.projects.iter().filter(|project| granted.contains(&project.id)).collect()
    }
}

record!(Domain, DomainId, "domain");
record!(Project, ProjectId, "project");
record!(User, UserId, "user");
record!(Group, GroupId, "group");
record!(Role, RoleId, "role");
