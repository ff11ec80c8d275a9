//! Who may ask: projects, users, roles and the tokens they were given.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha224};
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::{Error, Kind};
use super::quota::Quotas;
use super::table::Record;
use super::{Model, ProjectId, RoleId, TokenId, UserId};

/// The role that may see and do everything.
pub const ADMIN: &str = "admin";

/// Who owns things and whose quota they count against.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, unique in the cloud.
    pub name: String,
    /// What the API shows instead of the host's name to those who may not see it.
    pub host_id: String,
    /// Its own quotas, when they differ from the cloud's.
    pub quotas: Option<Quotas>,
}

/// A user and what they may do where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their name, unique in the cloud.
    pub name: String,
    /// The argon2 hash of their password, once it has been computed.
    pub password_hash: Option<String>,
    /// Their roles, a project and a role a line.
    pub grants: Vec<(ProjectId, RoleId)>,
}

/// A named set of rights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
}

/// What a token says of who bears it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Made from the token's hash: the token itself is known to its bearer only.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// The project it is for, none for an unscoped token.
    pub project_id: Option<ProjectId>,
    /// How its bearer proved who they are.
    pub methods: Vec<String>,
    /// Names this token in audits.
    pub audit_id: String,
    /// When it was issued.
    #[serde(with = "time::serde::rfc3339")]
    pub issued: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

/// Who makes a request, as far as the decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The project the token is for.
    pub project_id: Option<ProjectId>,
    /// Whether the user has the `admin` role there.
    pub is_admin: bool,
    /// The token itself, for who revokes or re-scopes it.
    pub token_id: TokenId,
}

/// The scope that someone asks a token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// No project.
    Unscoped,
    /// A project by its id.
    ProjectId(ProjectId),
    /// A project by its name.
    ProjectName(String),
}

impl Project {
    /// A new project.
    pub fn new(name: &str) -> Self {
        let id = ProjectId::random();
        let host_id = format!("{:x}", Sha224::digest(format!("{id}{}", super::HOST)));
        Self { id, name: name.to_owned(), host_id, quotas: None }
    }
}

impl Model {
    /// The user with this name.
    pub fn user_named(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The project with this name.
    pub fn project_named(&self, name: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.name == name)
    }

    /// The role with this name.
    pub fn role_named(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The roles of a user in a project.
    pub fn roles_of(&self, user: &User, project: ProjectId) -> Vec<&Role> {
        let granted = user.grants.iter().filter(|(at, _)| *at == project);
        granted.filter_map(|(_, role)| self.roles.get(*role)).collect()
    }

    /// The projects in which a user has a role.
    pub fn projects_of(&self, user_id: UserId) -> Vec<&Project> {
        let Some(user) = self.users.get(user_id) else { return Vec::new() };
        let granted = |project: &&Project| user.grants.iter().any(|(at, _)| *at == project.id);
        self.projects.iter().filter(granted).collect()
    }

    /// The project that a scope means for this user; refused when they have no role there.
    pub fn resolve_scope(&self, user: UserId, scope: &Scope) -> Result<Option<ProjectId>, Error> {
        let project = match scope {
            Scope::Unscoped => return Ok(None),
            Scope::ProjectId(id) => self.projects.get(*id),
            Scope::ProjectName(name) => self.project_named(name),
        };
        let user = self.users.get(user);
        match (user, project) {
            (Some(user), Some(project)) if !self.roles_of(user, project.id).is_empty() => {
                Ok(Some(project.id))
            }
            _ => Err(Error::Forbidden("the user has no role in the project".to_owned())),
        }
    }

    /// The caller that a token stands for, while it is valid.
    pub fn caller(&self, token: TokenId, now: OffsetDateTime) -> Option<Caller> {
        let token = self.tokens.get(token).filter(|token| token.expires > now)?;
        let user = self.users.get(token.user_id)?;
        let is_admin = token.project_id.is_some_and(|project| {
            self.roles_of(user, project).iter().any(|role| role.name == ADMIN)
        });
        Some(Caller {
            user_id: user.id,
            project_id: token.project_id,
            is_admin,
            token_id: token.id,
        })
    }

    /// Records a token; those that have ended are forgotten on the way.
    pub fn issue_token(&mut self, token: Token) {
        let ended = self.tokens.iter().take_while(|old| old.expires <= token.issued);
        let ended: Vec<TokenId> = ended.map(|old| old.id).collect();
        for id in ended {
            self.tokens.remove(id);
        }
        self.tokens.insert(token);
    }

    /// Ends a token before its time.
    pub fn revoke_token(&mut self, token: TokenId) -> Result<(), Error> {
        self.tokens.remove(token).map(drop).ok_or_else(|| Error::not_found(Kind::Token, ""))
    }
}

impl Record for Project {
    const KIND: &'static str = "project";
    type Id = ProjectId;
    fn id(&self) -> ProjectId {
        self.id
    }
}

impl Record for User {
    const KIND: &'static str = "user";
    type Id = UserId;
    fn id(&self) -> UserId {
        self.id
    }
}

impl Record for Role {
    const KIND: &'static str = "role";
    type Id = RoleId;
    fn id(&self) -> RoleId {
        self.id
    }
}

impl Record for Token {
    const KIND: &'static str = "token";
    type Id = TokenId;
    fn id(&self) -> TokenId {
        self.id
    }
}

/// The id under which a token is recorded: the first half of its SHA-256.
pub fn token_id(token: &str) -> TokenId {
    let digest = sha2::Sha256::digest(token.as_bytes());
    let half = digest.first_chunk::<16>().expect("SHA-256 has 32 bytes");
    TokenId(Uuid::from_bytes(*half))
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn model() -> (Model, UserId, ProjectId) {
        let mut model = Model::default();
        let project = Project::new("demo");
        let role = Role { id: RoleId::random(), name: ADMIN.to_owned() };
        let user = User {
            id: UserId::random(),
            name: "ada".to_owned(),
            password_hash: None,
            grants: vec![(project.id, role.id)],
        };
        let ids = (user.id, project.id);
        model.projects.insert(project);
        model.roles.insert(role);
        model.users.insert(user);
        (model, ids.0, ids.1)
    }

    fn token(user_id: UserId, project_id: Option<ProjectId>, text: &str) -> Token {
        let issued = OffsetDateTime::UNIX_EPOCH;
        Token {
            id: token_id(text),
            user_id,
            project_id,
            methods: vec!["password".to_owned()],
            audit_id: String::new(),
            issued,
            expires: issued + Duration::HOUR,
        }
    }

    #[test]
    fn a_scope_needs_a_role_in_the_project() {
        let (mut model, user, project) = model();
        let other = Project::new("other");
        model.projects.insert(other.clone());
        let named = |name: &str| Scope::ProjectName(name.to_owned());
        assert_eq!(model.resolve_scope(user, &Scope::Unscoped), Ok(None));
        assert_eq!(model.resolve_scope(user, &named("demo")), Ok(Some(project)));
        assert!(model.resolve_scope(user, &named("other")).is_err());
        assert!(model.resolve_scope(user, &Scope::ProjectId(other.id)).is_err());
    }

    #[test]
    fn a_token_ends_when_it_expires_or_is_revoked() {
        let (mut model, user, project) = model();
        let start = OffsetDateTime::UNIX_EPOCH;
        model.issue_token(token(user, Some(project), "one"));
        let caller = model.caller(token_id("one"), start).unwrap();
        assert!(caller.is_admin && caller.project_id == Some(project));
        assert_eq!(model.caller(token_id("one"), start + Duration::HOUR), None);

        model.issue_token(token(user, None, "two"));
        assert!(!model.caller(token_id("two"), start).unwrap().is_admin, "no project, no role");
        model.revoke_token(token_id("two")).unwrap();
        assert_eq!(model.caller(token_id("two"), start), None);
        assert!(model.revoke_token(token_id("two")).is_err());
    }

    #[test]
    fn ended_tokens_are_forgotten() {
        let (mut model, user, _) = model();
        model.issue_token(token(user, None, "old"));
        let mut new = token(user, None, "new");
        new.issued += Duration::HOUR;
        model.issue_token(new);
        assert_eq!(model.tokens.len(), 1);
    }
}
