//! Users, their sessions, and the tokens they make for scripts.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{TokenId, UserId};

/// Who a person is, as far as somebody cared to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Profile {
    /// Address for mail.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// First name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fname: String,
    /// Last name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lname: String,
    /// Organisation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub affiliation: String,
}

/// A user, as the user and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct User {
    /// Id in the installation.
    pub id: UserId,
    /// Name to log in with.
    pub username: String,
    /// Whether the user may administer the installation.
    pub administrator: bool,
    /// Whether an administrator has shut the user out.
    #[serde(default)]
    pub disabled: bool,
    /// Credits left; one is a started hour of one VM.
    pub credits: i64,
    /// Who it is.
    #[serde(flatten)]
    pub profile: Profile,
}

/// A request to become a user.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UserRegister {
    /// Name to log in with.
    pub username: String,
    /// Password to log in with.
    pub password: String,
    /// Who it is.
    #[serde(flatten)]
    pub profile: Profile,
}

/// A user that an administrator makes.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UserCreate {
    /// Name to log in with.
    pub username: String,
    /// Password to log in with.
    pub password: String,
    /// Whether the user may administer the installation.
    #[serde(default)]
    pub administrator: bool,
    /// Credits to begin with; the installation's default when absent.
    #[serde(default)]
    pub credits: Option<i64>,
    /// Who it is.
    #[serde(flatten)]
    pub profile: Profile,
}

/// What an administrator changes about a user; what is absent stays.
#[derive(Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserChange {
    /// Whether the user may administer the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator: Option<bool>,
    /// Shuts the user out, or lets the user in again. Who is shut out has nothing running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Another password; it ends the user's sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A request for another password of one's own.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PasswordChange {
    /// The password until now.
    pub old_password: String,
    /// The password from now on.
    pub new_password: String,
}

/// A request to log in.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// How people come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoginOptions {
    /// Whether people may make themselves users.
    pub registration: bool,
    /// Names of the identity providers that users may come from.
    pub providers: Vec<String>,
}

/// The beginning of a login by an identity provider.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OidcBegun {
    /// Where the browser is to go.
    pub url: String,
    /// What the browser is to keep, and to hand over when it comes back.
    pub flow: String,
}

/// The end of a login by an identity provider.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OidcFinish {
    /// What the browser brings from the provider.
    pub code: String,
    /// What else it brings: the beginning it belongs to.
    pub state: String,
    /// What the browser kept.
    pub flow: String,
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
    pub expires: OffsetDateTime,
}

/// A token for scripts, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Token {
    /// Id in the installation.
    pub id: TokenId,
    /// What its user calls it.
    pub name: String,
    /// Whether it opens what only reads.
    pub read_only: bool,
    /// When it was made, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: OffsetDateTime,
    /// When it ends, RFC 3339; never when absent.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<OffsetDateTime>,
    /// When it was last used, RFC 3339, to the minute.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub last_used: Option<OffsetDateTime>,
}

/// A request for a token.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenCreate {
    /// What to call it.
    pub name: String,
    /// Whether it shall open what only reads.
    #[serde(default)]
    pub read_only: bool,
    /// How many days it lasts; for good when absent.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A token that was just made: the only time its secret is told.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenGrant {
    /// The secret: it goes into `Authorization: Bearer …`.
    pub secret: String,
    /// What is known of it.
    pub token: Token,
}

/// What must not come into a log by accident shows its name alone.
macro_rules! secretive {
    ($($name:ident { $($field:ident)? }),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &self.$field))?
                    .finish_non_exhaustive()
            }
        }
    )*};
}

secretive!(
    UserRegister { username },
    UserCreate { username },
    UserChange { disabled },
    Login { username },
    LoginGrant { user },
    OidcBegun {},
    OidcFinish {},
    TokenGrant { token }
);

impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordChange(..)")
    }
}
