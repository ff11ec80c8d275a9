//! Tokens: what says of a request who makes it.

use serde::{Deserialize, Serialize};
use sha2::Digest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ADMIN, Role, User};
use crate::model::error::{Error, Kind};
use crate::model::table::record;
use crate::model::{ApplicationCredentialId, DomainId, Model, ProjectId, TokenId, UserId};

/// What a token says of who bears it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    /// Made from the token's hash: the token itself is known to its bearer only.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub scope: TokenScope,
    /// The application credential it was given for, which bounds its roles.
    pub application_credential: Option<ApplicationCredentialId>,
    /// How its bearer proved who they are.
    pub methods: Vec<String>,
    /// Names this token in audits, and before it the one it was given for.
    pub audit_ids: Vec<String>,
    /// When it was issued.
    #[serde(with = "time::serde::rfc3339")]
    pub issued: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenScope {
    /// Nothing but getting another token.
    Unscoped,
    /// A project.
    Project(ProjectId),
    /// The cloud as a whole.
    System,
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
    /// None named: the user's default project, if they have one.
    Unnamed,
    /// No project.
    Unscoped,
    /// The cloud as a whole.
    System,
    /// A project by its id.
    ProjectId(ProjectId),
    /// A project by its name.
    ProjectName(DomainId, String),
}

impl TokenScope {
    /// The project, if it is one.
    pub fn project(self) -> Option<ProjectId> {
        match self {
            Self::Project(id) => Some(id),
            Self::Unscoped | Self::System => None,
        }
    }
}

impl Model {
    /// What a scope means for this user; refused when they have no role there.
    pub fn resolve_scope(&self, user: UserId, scope: &Scope) -> Result<TokenScope, Error> {
        let refused = || Error::Forbidden("the user has no role in the project".to_owned());
        let user = self.users.get(user).ok_or_else(refused)?;
        let project = match scope {
            Scope::Unscoped => return Ok(TokenScope::Unscoped),
            Scope::Unnamed => {
                let usable = user.default_project_id.filter(|id| self.may_use(user, *id));
                return Ok(usable.map_or(TokenScope::Unscoped, TokenScope::Project));
            }
            Scope::System if self.is_cloud_admin(user) => return Ok(TokenScope::System),
            Scope::System => None,
            Scope::ProjectId(id) => Some(*id),
            Scope::ProjectName(domain, name) => self.project_in(*domain, name).map(|it| it.id),
        };
        let usable = project.filter(|id| self.may_use(user, *id));
        usable.map(TokenScope::Project).ok_or_else(refused)
    }

    /// Whether a user has a role in a project that may be used.
    fn may_use(&self, user: &User, project: ProjectId) -> bool {
        let enabled = |it: &super::Project| it.enabled && self.is_enabled(it.domain_id);
        self.projects.get(project).is_some_and(enabled)
            && self.grants_of(user).any(|(at, _)| at == project)
    }

    /// Whether a user may ask for the cloud as a whole: who is an administrator anywhere.
    fn is_cloud_admin(&self, user: &User) -> bool {
        let admin = self.role_named(ADMIN).map(|role| role.id);
        self.grants_of(user).any(|(_, role)| Some(role) == admin)
    }

    /// The roles that a token gives its bearer.
    pub fn roles_by(&self, token: &Token) -> Vec<&Role> {
        let Some(user) = self.users.get(token.user_id) else { return Vec::new() };
        let mut roles = match token.scope {
            TokenScope::Unscoped => Vec::new(),
            TokenScope::System if self.is_cloud_admin(user) => {
                self.role_named(ADMIN).into_iter().collect()
            }
            TokenScope::System => Vec::new(),
            TokenScope::Project(id) if self.may_use(user, id) => self.roles_of(user, id),
            TokenScope::Project(_) => Vec::new(),
        };
        if let Some(id) = token.application_credential {
            let bounds = self.application_credentials.get(id).map(|it| it.roles.as_slice());
            roles.retain(|role| bounds.unwrap_or_default().contains(&role.id));
        }
        roles
    }

    /// The caller that a token stands for, while it is valid: a user who may log in, with a role
    /// in what it is for.
    pub fn caller(&self, token: TokenId, now: OffsetDateTime) -> Option<Caller> {
        let token = self.tokens.get(token).filter(|token| token.expires > now)?;
        let user = self.users.get(token.user_id)?;
        let roles = self.roles_by(token);
        let stands = token.scope == TokenScope::Unscoped || !roles.is_empty();
        (stands && user.enabled && self.is_enabled(user.domain_id)).then(|| Caller {
            user_id: user.id,
            project_id: token.scope.project(),
            is_admin: roles.iter().any(|role| role.name == ADMIN),
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

    /// Ends all tokens of which something is true.
    pub(super) fn revoke_tokens(&mut self, ended: impl Fn(&Token) -> bool) {
        let ended: Vec<TokenId> =
            self.tokens.iter().filter(|token| ended(token)).map(|token| token.id).collect();
        for id in ended {
            self.tokens.remove(id);
        }
    }
}

record!(Token, TokenId, "token");

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
    use crate::model::{Project, RoleId};

    fn model() -> (Model, UserId, ProjectId) {
        let mut model = Model::default();
        let project = Project::new("demo");
        let role = Role { id: RoleId::random(), name: ADMIN.to_owned(), description: None };
        let user = User { grants: vec![(project.id, role.id)], ..User::new("ada") };
        let ids = (user.id, project.id);
        model.projects.insert(project);
        model.roles.insert(role);
        model.users.insert(user);
        (model, ids.0, ids.1)
    }

    fn token(user_id: UserId, scope: TokenScope, text: &str) -> Token {
        let issued = OffsetDateTime::UNIX_EPOCH;
        Token {
            id: token_id(text),
            user_id,
            scope,
            application_credential: None,
            methods: vec!["password".to_owned()],
            audit_ids: Vec::new(),
            issued,
            expires: issued + Duration::HOUR,
        }
    }

    #[test]
    fn a_scope_needs_a_role_in_the_project() {
        let (mut model, user, project) = model();
        let other = Project::new("other");
        model.projects.insert(other.clone());
        let named = |name: &str| Scope::ProjectName(DomainId::DEFAULT, name.to_owned());
        assert_eq!(model.resolve_scope(user, &Scope::Unscoped), Ok(TokenScope::Unscoped));
        assert_eq!(model.resolve_scope(user, &Scope::Unnamed), Ok(TokenScope::Unscoped));
        assert_eq!(model.resolve_scope(user, &named("demo")), Ok(TokenScope::Project(project)));
        assert_eq!(model.resolve_scope(user, &Scope::System), Ok(TokenScope::System));
        assert!(model.resolve_scope(user, &named("other")).is_err());
        assert!(model.resolve_scope(user, &Scope::ProjectId(other.id)).is_err());
        model.projects.get_mut(project).unwrap().enabled = false;
        assert!(model.resolve_scope(user, &named("demo")).is_err(), "it may not be used");
    }

    #[test]
    fn a_token_ends_when_it_expires_or_is_revoked_or_stands_for_nothing() {
        let (mut model, user, project) = model();
        let start = OffsetDateTime::UNIX_EPOCH;
        model.issue_token(token(user, TokenScope::Project(project), "one"));
        let caller = model.caller(token_id("one"), start).unwrap();
        assert!(caller.is_admin && caller.project_id == Some(project));
        assert_eq!(model.caller(token_id("one"), start + Duration::HOUR), None);

        model.issue_token(token(user, TokenScope::Unscoped, "two"));
        assert!(!model.caller(token_id("two"), start).unwrap().is_admin, "no project, no role");
        model.users.get_mut(user).unwrap().grants.clear();
        assert_eq!(model.caller(token_id("one"), start), None, "no role is left");
        model.revoke_token(token_id("two")).unwrap();
        assert_eq!(model.caller(token_id("two"), start), None);
        assert!(model.revoke_token(token_id("two")).is_err());
    }

    #[test]
    fn ended_tokens_are_forgotten() {
        let (mut model, user, _) = model();
        model.issue_token(token(user, TokenScope::Unscoped, "old"));
        let mut new = token(user, TokenScope::Unscoped, "new");
        new.issued += Duration::HOUR;
        model.issue_token(new);
        assert_eq!(model.tokens.len(), 1);
    }
}
