//! Application credentials: what a program logs in with instead of its user's password.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::model::error::{Error, Kind};
use crate::model::table::record;
use crate::model::{ApplicationCredentialId, Caller, Model, ProjectId, RoleId, UserId};

/// What a program logs in with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplicationCredential {
    /// Its id.
    pub id: ApplicationCredentialId,
    /// Its name, unique among the user's.
    pub name: String,
    /// What its user says of it.
    pub description: Option<String>,
    /// Whose rights it has.
    pub user_id: UserId,
    /// The project it is for.
    pub project_id: ProjectId,
    /// The roles it gives there, as far as its user has them.
    pub roles: Vec<RoleId>,
    /// The argon2 hash of its secret.
    pub secret_hash: String,
    /// Whether it may make others like it.
    pub unrestricted: bool,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
}

/// What is wanted of a new application credential.
#[derive(Debug, Clone)]
pub struct NewApplicationCredential {
    /// Its name.
    pub name: String,
    /// What its user says of it.
    pub description: Option<String>,
    /// Ids or names of roles, all that the user has when none are named.
    pub roles: Vec<String>,
    /// The argon2 hash of its secret.
    pub secret_hash: String,
    /// Whether it may make others like it.
    pub unrestricted: bool,
    /// When it ends.
    pub expires: Option<OffsetDateTime>,
}

impl Model {
    /// The application credentials of a user.
    pub fn application_credentials_of(
        &self,
        user: UserId,
    ) -> impl Iterator<Item = &ApplicationCredential> {
        self.application_credentials.iter().filter(move |it| it.user_id == user)
    }

    /// An application credential of a user.
    pub fn application_credential_of(
        &self,
        user: UserId,
        id: &str,
    ) -> Result<&ApplicationCredential, Error> {
        let found = id.parse().ok();
        let mut own = self.application_credentials_of(user);
        own.find(|it| Some(it.id) == found)
            .ok_or_else(|| Error::not_found(Kind::ApplicationCredential, id))
    }

    /// Refuses who is a program themselves and may not make or remove others.
    pub fn check_unrestricted(&self, caller: &Caller) -> Result<(), Error> {
        let token = self.tokens.get(caller.token_id);
        let used = token.and_then(|token| token.application_credential);
        match used.and_then(|id| self.application_credentials.get(id)) {
            Some(used) if !used.unrestricted => Err(Error::Forbidden(
                "Using method 'application_credential' is not allowed for managing additional \
                 application credentials."
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Makes an application credential for the project of the caller's token.
    pub fn create_application_credential(
        &mut self,
        caller: &Caller,
        wanted: NewApplicationCredential,
    ) -> Result<ApplicationCredentialId, Error> {
        self.check_unrestricted(caller)?;
        let project_id = caller
            .project_id
            .ok_or_else(|| Error::Invalid("The token is not scoped to a project.".to_owned()))?;
        let mut own = self.application_credentials_of(caller.user_id);
        if own.any(|it| it.name == wanted.name) {
            return Err(Error::Conflict(format!(
                "Conflict occurred attempting to store application_credential - Duplicate entry \
                 found with name {}.",
                wanted.name
            )));
        }
        drop(own);
        let token = self.tokens.get(caller.token_id);
        let held = token.map(|token| self.roles_by(token)).unwrap_or_default();
        let role = |text: &String| {
            let id = text.parse().ok();
            let found = held.iter().find(|role| Some(role.id) == id || role.name == *text);
            found.map(|role| role.id).ok_or_else(|| {
                Error::Invalid(format!(
                    "Invalid application credential: Could not find role assignment with role: \
                     {text}, user or group: {}, project, domain, or system: {project_id}.",
                    caller.user_id
                ))
            })
        };
        let roles = match wanted.roles.as_slice() {
            [] => held.iter().map(|role| role.id).collect(),
            named => named.iter().map(role).collect::<Result<_, _>>()?,
        };
        let id = ApplicationCredentialId::random();
        self.application_credentials.insert(ApplicationCredential {
            id,
            name: wanted.name,
            description: wanted.description,
            user_id: caller.user_id,
            project_id,
            roles,
            secret_hash: wanted.secret_hash,
            unrestricted: wanted.unrestricted,
            expires: wanted.expires,
        });
        Ok(id)
    }

    /// Removes an application credential, with the tokens that were given for it.
    pub fn delete_application_credential(
        &mut self,
        caller: &Caller,
        user: UserId,
        id: &str,
    ) -> Result<(), Error> {
        let id = self.application_credential_of(user, id)?.id;
        self.check_unrestricted(caller)?;
        self.application_credentials.remove(id);
        self.revoke_tokens(|token| token.application_credential == Some(id));
        Ok(())
    }
}

record!(ApplicationCredential, ApplicationCredentialId, "application_credential");
