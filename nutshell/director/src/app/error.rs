//! Everything the director may refuse or fail to do, in one enum; and the one place where it
//! becomes what a user reads. What only the log may hold is a source and never a part of a message.

use cloud::CloudError;
use protocol::api::Application;
use protocol::{ApiError, ApplicationId, ClientError, ErrorCode, ServiceId};

use super::identity_provider::ProviderError;
use crate::ca::AuthorityError;
use crate::db::DbError;
use crate::fetch::FetchError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("wrong user name or password")]
    WrongPassword,
    #[error("too many failed logins")]
    TooManyLogins,
    #[error("this director takes no registrations")]
    RegistrationClosed,
    #[error("the account of `{0}` is disabled")]
    Disabled(String),
    #[error("there is another user named `{0}`")]
    UsernameTaken(String),
    #[error("`{0}` is the only administrator")]
    LastAdministrator(String),
    #[error("the password of `{0}` is set in the director's settings")]
    PasswordInSettings(String),
    #[error("`{0}` has no password: an identity provider vouches for this user")]
    NoPassword(String),
    #[error("there is another token named `{0}`")]
    TokenNameTaken(String),
    #[error("the API token is unknown, revoked or has expired")]
    TokenEnded,
    #[error("this API token may only read")]
    ReadOnlyToken,
    #[error("this takes a session; API tokens may not do it")]
    SessionNeeded,
    #[error("logging in by `{name}` failed")]
    Provider {
        name: String,
        #[source]
        source: ProviderError,
    },
    #[error("this browser did not begin to log in here, or too long ago")]
    NotBegunHere,
    #[error("nobody is logged in")]
    NotLoggedIn,
    #[error("the session has ended")]
    SessionEnded,
    #[error("only administrators may do this")]
    NotAdministrator,
    #[error("only VMs of this installation may do this")]
    NoCertificate,
    #[error("this certificate is not, or no longer, that of a VM at work")]
    CertificateRefused,
    #[error("only managers may do this")]
    NotManager,
    #[error("the token is unknown or was used before")]
    TokenRefused,
    #[error("there is no {what} {name}")]
    NotFound { what: &'static str, name: String },
    #[error("there is no service type `{0}`")]
    NoSuchServiceType(String),
    #[error("there is no method `{method}` of {service_type} services")]
    NoSuchMethod { method: String, service_type: String, known: String },
    #[error("there is another application named `{0}`")]
    NameTaken(String),
    #[error("there is another volume named `{0}` in this application")]
    VolumeNameTaken(String),
    #[error("application {application} is {state}")]
    WrongState { application: ApplicationId, state: String, hint: String },
    #[error("not enough credits: {needed} needed, {balance} left")]
    InsufficientCredits { balance: i64, needed: i64 },
    #[error("it is no longer wanted: it was stopped meanwhile")]
    Cancelled,
    #[error("{what} did not report within {seconds} s")]
    NotReady { what: String, seconds: u64 },
    #[error("the manager of application {application} does not answer")]
    ManagerUnreachable {
        application: ApplicationId,
        #[source]
        source: Option<ClientError>,
    },
    #[error("the manager of application {application} did not answer within {seconds} s")]
    ManagerTimeout { application: ApplicationId, seconds: u64 },
    #[error("the upload is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// A service did not become what it was asked to be.
    #[error("service {service}: {reason}")]
    ServiceFailed { service: ServiceId, reason: String },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("a manager gave an answer that is not understood")]
    NotUnderstood(#[source] serde_json::Error),
    #[error("failed to keep the files of a deployment")]
    Files(#[source] std::io::Error),
    #[error("cloud `{cloud}` failed")]
    Cloud {
        cloud: String,
        #[source]
        source: CloudError,
    },
    /// In the words of the API already: a manager's refusal, or what an operation ended with.
    #[error(transparent)]
    Passed(ApiError),
    #[error("the database failed")]
    Database(#[source] DbError),
    #[error("the certificate authority failed")]
    Authority(#[source] AuthorityError),
    #[error("failed to set up TLS")]
    Trust(#[source] protocol::tls::TrustError),
    #[error("failed to read the executable")]
    Executable(#[source] std::io::Error),
    #[error("failed to keep or read the backup of a manager")]
    Backup(#[source] std::io::Error),
    #[error("failed to hash a password")]
    Password(#[source] argon2::password_hash::Error),
    #[error("the director is shutting down")]
    ShuttingDown,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The application's present state does not allow it.
    pub(crate) fn wrong_state(application: &Application, hint: impl Into<String>) -> Self {
        let state = match &application.reason {
            Some(reason) => format!("{} ({reason})", application.state),
            None => application.state.to_string(),
        };
        Self::WrongState { application: application.id, state, hint: hint.into() }
    }

    pub(crate) fn not_found(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { what, name: id.to_string() }
    }
}

impl From<DbError> for Error {
    fn from(source: DbError) -> Self {
        Self::Database(source)
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source.into())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let code = match &error {
            Error::Invalid(_) | Error::NoSuchServiceType(_) => ErrorCode::InvalidRequest,
            Error::WrongPassword
            | Error::NotLoggedIn
            | Error::SessionEnded
            | Error::TokenEnded
            | Error::NotBegunHere
            | Error::NoCertificate
            | Error::CertificateRefused
            | Error::TokenRefused => ErrorCode::Unauthenticated,
            Error::TooManyLogins => ErrorCode::TooManyRequests,
            Error::NotAdministrator
            | Error::NotManager
            | Error::RegistrationClosed
            | Error::Disabled(_)
            | Error::ReadOnlyToken
            | Error::SessionNeeded => ErrorCode::Forbidden,
            Error::NotFound { .. } | Error::NoSuchMethod { .. } => ErrorCode::NotFound,
            Error::NameTaken(_)
            | Error::ServiceFailed { .. }
            | Error::VolumeNameTaken(_)
            | Error::UsernameTaken(_)
            | Error::TokenNameTaken(_)
            | Error::LastAdministrator(_)
            | Error::PasswordInSettings(_)
            | Error::NoPassword(_)
            | Error::WrongState { .. }
            | Error::Cancelled => ErrorCode::Conflict,
            Error::InsufficientCredits { .. } => ErrorCode::InsufficientCredits,
            Error::NotReady { .. } | Error::ManagerTimeout { .. } => ErrorCode::Timeout,
            Error::ManagerUnreachable { .. } | Error::ShuttingDown => ErrorCode::Unavailable,
            Error::TooLarge { .. } | Error::Fetch(FetchError::TooLarge { .. }) => {
                ErrorCode::TooLarge
            }
            Error::Fetch(FetchError::Timeout { .. }) => ErrorCode::Timeout,
            Error::Fetch(FetchError::Setup(_) | FetchError::Write { .. }) => {
                log(&error);
                return Self::internal();
            }
            Error::Fetch(_) => ErrorCode::InvalidRequest,
            Error::Cloud { cloud, source } => {
                log(&error);
                return Self::new(ErrorCode::CloudFailed, cloud_message(cloud, source));
            }
            Error::Provider { .. } => {
                log(&error);
                return Self::new(ErrorCode::Unauthenticated, message)
                    .hint("try again; the director's log has the details");
            }
            Error::Passed(told) => return told.clone(),
            Error::Database(_)
            | Error::Authority(_)
            | Error::Trust(_)
            | Error::Executable(_)
            | Error::Backup(_)
            | Error::Files(_)
            | Error::NotUnderstood(_)
            | Error::Password(_) => {
                log(&error);
                return Self::internal();
            }
        };
        let told = Self::new(code, message);
        match hint(error) {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }
}

/// The next step to take, where there is one.
fn hint(error: Error) -> Option<String> {
    match error {
        Error::TooManyLogins => Some("wait a minute and try again".to_owned()),
        Error::NotLoggedIn | Error::SessionEnded => Some("log in: `cps login`".to_owned()),
        Error::RegistrationClosed | Error::Disabled(_) => {
            Some("ask an administrator of the installation".to_owned())
        }
        Error::LastAdministrator(_) => Some("make another one first".to_owned()),
        Error::PasswordInSettings(username) => Some(format!(
            "change it there; with `nutshell up`: `nutshell user password {username}`"
        )),
        Error::NotBegunHere => Some("begin again on the login page".to_owned()),
        Error::TokenEnded => Some("make another: `cps token create NAME`".to_owned()),
        Error::SessionNeeded => Some("log in: `cps login`".to_owned()),
        Error::NoSuchServiceType(_) => {
            Some("`cps service get-types` lists the service types".to_owned())
        }
        Error::NoSuchMethod { known, .. } => Some(format!("its methods are {known}")),
        Error::WrongState { hint, .. } => Some(hint),
        Error::InsufficientCredits { .. } => {
            let ask = "ask an administrator for more: `cps user add-credit NAME AMOUNT`";
            Some(format!("stop what you do not need, or {ask}"))
        }
        Error::ManagerUnreachable { application, .. }
        | Error::ManagerTimeout { application, .. } => Some(format!(
            "try again in a moment; `cps application get-log {application}` may say more"
        )),
        _ => None,
    }
}

/// What of a cloud's failure helps a user; how and where the cloud is reached does not.
fn cloud_message(cloud: &str, error: &CloudError) -> String {
    match error {
        CloudError::NotFound { .. }
        | CloudError::Refused { .. }
        | CloudError::Quota { .. }
        | CloudError::Capacity { .. }
        | CloudError::AddressesExhausted { .. }
        | CloudError::Conflict { .. }
        | CloudError::ServerFailed { .. }
        | CloudError::VolumeFailed { .. }
        | CloudError::Timeout { .. } => format!("cloud `{cloud}`: {error}"),
        CloudError::Unreachable { .. } => format!("cloud `{cloud}` does not answer"),
        CloudError::Settings { .. }
        | CloudError::Unauthorized { .. }
        | CloudError::Ambiguous { .. }
        | CloudError::Unexpected { .. } => {
            format!("cloud `{cloud}` failed; the director's log has the details")
        }
    }
}

/// Logs an error with all its causes.
pub(crate) fn log(error: &Error) {
    tracing::error!(error = chain(error), "failed");
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "https://keystone.internal:5000";

    #[test]
    fn what_only_the_log_may_hold_never_leaves() {
        let inner = || -> Box<dyn std::error::Error + Send + Sync> { SECRET.into() };
        let errors = [
            Error::Database(DbError::Meaningless(SECRET.to_owned())),
            Error::Database(sqlx::Error::Protocol(SECRET.to_owned()).into()),
            Error::Executable(std::io::Error::other(SECRET)),
            Error::ManagerUnreachable {
                application: ApplicationId(1),
                source: Some(ClientError::NotUnderstood { url: SECRET.to_owned(), status: 500 }),
            },
        ]
        .into_iter()
        .chain(
            [
                CloudError::Unreachable { url: SECRET.to_owned(), source: inner() },
                CloudError::Settings { problem: SECRET.to_owned() },
                CloudError::Unauthorized { message: SECRET.to_owned() },
                CloudError::Unexpected {
                    operation: "list servers".to_owned(),
                    status: 500,
                    excerpt: SECRET.to_owned(),
                },
            ]
            .map(|source| Error::Cloud { cloud: "default".to_owned(), source }),
        );
        for error in errors {
            let debug = format!("{error:?}");
            let told = serde_json::to_string(&ApiError::from(error)).unwrap();
            assert!(!told.contains(SECRET), "{debug} told the user {told}");
        }
    }

    #[test]
    fn a_full_address_pool_is_told_as_such() {
        let source = CloudError::AddressesExhausted { pool: "public".to_owned() };
        let told = ApiError::from(Error::Cloud { cloud: "default".to_owned(), source });
        assert_eq!(told.code, ErrorCode::CloudFailed);
        assert!(told.message.contains("no free public address in the pool public"));
    }

    #[test]
    fn the_log_has_the_whole_chain() {
        let error = Error::Database(sqlx::Error::Protocol("torn page".to_owned()).into());
        assert!(chain(&error).ends_with("torn page"), "{}", chain(&error));
    }
}
