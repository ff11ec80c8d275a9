//! Users and their sessions.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// A user, as the user may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct User {
    /// Id in the installation.
    pub id: UserId,
    /// Name to log in with.
    pub username: String,
    /// Whether the user may administer the installation.
    pub administrator: bool,
    /// Credits left; one is a started hour of one VM.
    pub credits: i64,
}

/// A request to log in.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A session: the token goes into `Authorization: Bearer …`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoginGrant {
    /// The secret that stands for the session.
    pub token: String,
    /// Who logged in.
    pub user: User,
    /// When the token ends, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub expires: time::OffsetDateTime,
}
