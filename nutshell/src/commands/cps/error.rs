//! Why a client's command did not succeed.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use protocol::tls::TrustError;
use protocol::{ApiError, ClientError, ErrorCode};

use crate::diagnostics::{Advice, Exit};
use crate::stack::StateError;

/// Why a client's command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CpsError {
    /// The director refused.
    #[error(transparent)]
    Refused(ApiError),
    /// There is no director where one should be.
    #[error("cannot reach the director at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why, in the words of the system.
        reason: String,
    },
    /// The connection is of no use.
    #[error("failed to speak with the director")]
    Connection(#[source] ClientError),
    /// Nobody said where the director is, and none runs here.
    #[error("no director is known")]
    NoDirector,
    /// What is sent there could be read on the way.
    #[error("the director at {url} would not be spoken to over HTTPS")]
    NotHttps {
        /// Where the director is said to be.
        url: String,
    },
    /// It is known where the director is, and not how to recognise it.
    #[error("there is no certificate to recognise the director at {url} by")]
    NoAuthority {
        /// Where the director is.
        url: String,
    },
    /// The certificate is not a director's.
    #[error("{} is not the certificate of a director's authority", path.display())]
    NotAnAuthority {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be used.
    #[error("failed to set up the connection to the director")]
    Trust(#[source] TrustError),
    /// There is no session, and nothing to begin one with.
    #[error("not logged in at {url}")]
    NotLoggedIn {
        /// Where the director is.
        url: String,
    },
    /// The password is not known and nobody can be asked.
    #[error("no password for the user {username}")]
    NoPassword {
        /// Who wants to log in.
        username: String,
    },
    /// A file cannot be used.
    #[error("failed to {action} {}", path.display())]
    File {
        /// What was to be done with it.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory where a file should be.
    #[error("{} is a directory, not an archive", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
    },
    /// No application has that name.
    #[error("there is no application `{0}`")]
    UnknownApplication(String),
    /// No service has that name.
    #[error("there is no service `{0}`")]
    UnknownService(String),
    /// No user has that name.
    #[error("there is no user `{0}`")]
    UnknownUser(String),
    /// No API token has that name.
    #[error("there is no API token `{0}`")]
    UnknownToken(String),
    /// A user cannot begin with that.
    #[error("Cannot create a user with {0} credits.")]
    NoCreditToBegin(i64),
    /// There is no such type of service.
    #[error("there is no type of service `{0}`")]
    UnknownType(String),
    /// No director has that name.
    #[error("there is no director `{0}`")]
    UnknownDirector(String),
    /// A director of that name is written down already.
    #[error("there is a director `{0}` in cps.toml already")]
    DirectorExists(String),
    /// A director cannot be called that.
    #[error("`{0}` is no name for a director: letters, digits, - and _, and not `local`")]
    DirectorName(String),
    /// There is nowhere to write the configuration.
    #[error("there is no home directory to write the configuration to")]
    NoHome,
    /// The user's configuration cannot be understood.
    #[error("failed to understand {}: {problem}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The service has no such node.
    #[error("service {service} has no node {node}")]
    UnknownNode {
        /// The node.
        node: protocol::NodeId,
        /// The service.
        service: protocol::ServiceId,
    },
    /// The node is no VM at work.
    #[error("node {0} is not at work")]
    NodeNotReady(protocol::NodeId),
    /// Another program that is needed cannot be run.
    #[error("failed to run {program}")]
    Program {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The director has no such manifest.
    #[error("there is no manifest `{0}`")]
    UnknownManifest(String),
    /// A manifest that is none.
    #[error("{} is not JSON", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Several have it.
    #[error("{count} {kind} have the name `{name}`")]
    Ambiguous {
        /// What they are.
        kind: &'static str,
        /// Their name.
        name: String,
        /// How many they are.
        count: usize,
    },
    /// The service is of another type than the command is for.
    #[error("service {id} is of type {found}, not {expected}")]
    OtherType {
        /// The service.
        id: protocol::ServiceId,
        /// Its type.
        found: String,
        /// The type the command is for.
        expected: String,
    },
    /// Numbers of nodes that fit no roles.
    #[error(transparent)]
    Counts(#[from] crate::args::WrongNumberOfCounts),
    /// No code version is at work.
    #[error("no code version of service {0} is at work")]
    NoCode(protocol::ServiceId),
    /// The service is in the wrong state for a command of `cpsclient`.
    #[error("service {id} is in state {state}, it cannot be {action}")]
    WrongState {
        /// The service.
        id: protocol::ServiceId,
        /// Its state.
        state: protocol::api::State,
        /// What was asked.
        action: &'static str,
    },
    /// The stack on this machine cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

impl CpsError {
    /// For `map_err`: what was to be done with which file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl From<ClientError> for CpsError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => Self::Refused(error),
            ClientError::Unreachable { url, source } => {
                Self::Unreachable { url, reason: root_cause(&source) }
            }
            broken => Self::Connection(broken),
        }
    }
}

/// The last message of the chain, without the system's error number.
fn root_cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

impl Advice for CpsError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused(error) => match (&error.hint, error.code) {
                (Some(hint), _) => hint,
                (None, ErrorCode::Unauthenticated) => {
                    "`nutshell env` shows those of the stack on this machine"
                }
                (None, _) => return None,
            },
            Self::Unreachable { .. } => "start it: `nutshell up`",
            Self::NoDirector => {
                "start one here: `nutshell up`, or name one: `cps login --director-url URL`"
            }
            Self::NotHttps { .. } => "give its URL as https://HOST:PORT",
            Self::NoAuthority { .. } => {
                "give the file ca.pem of the director: --ca-certificate FILE, or CPS_CA_CERTIFICATE"
            }
            Self::NotLoggedIn { .. } => "log in: `cps login`",
            Self::NoPassword { .. } => "give it with -p PASS or CPS_PASSWORD",
            Self::Directory { .. } => "pack it first: `tar -czf app.tar.gz -C DIRECTORY .`",
            Self::UnknownApplication(_) => "`cps application list` shows yours",
            Self::UnknownService(_) | Self::OtherType { .. } => "`cps service list` shows yours",
            Self::UnknownUser(_) => "`cps user list` shows them all to administrators",
            Self::UnknownToken(_) => "`cps token list` shows yours",
            Self::UnknownType(_) => "`cps service get-types` lists them",
            Self::UnknownNode { .. } | Self::NodeNotReady(_) => {
                "`cps service list-nodes` shows the nodes of a service"
            }
            Self::UnknownDirector(_) => {
                "`cps director list` shows those of ~/.config/nutshell/cps.toml; `local` is the stack \
                 of this machine"
            }
            Self::DirectorExists(_) => {
                "choose another name, or change that one in ~/.config/nutshell/cps.toml"
            }
            Self::NoHome => "set HOME, or XDG_CONFIG_HOME",
            Self::Configuration { .. } => "it holds tables as [directors.NAME], each with a url",
            Self::Program { .. } => "is it installed? `cps shell` needs nsenter or ssh",
            Self::UnknownManifest(_) => {
                "`cps manifest list` shows those that come with the director; a file's name has a `/` \
                 or ends in .json"
            }
            Self::Ambiguous { .. } => "use the id",
            Self::Counts(_) => "`ROLE=NUMBER` names the role",
            Self::NoCode(_) => "name the version: `cps generic list-uploads` shows them",
            Self::WrongState { action: "removed", .. } => "stop it first",
            Self::State(error) => return error.hint(),
            Self::Connection(_) => "are `cps` and the director of the same version?",
            Self::DirectorName(_)
            | Self::File { .. }
            | Self::NotJson { .. }
            | Self::NotAnAuthority { .. }
            | Self::NoCreditToBegin(_)
            | Self::Trust(_)
            | Self::WrongState { .. } => return None,
        };
        Some(hint.to_owned())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Connection(_) | Self::Trust(_) => Exit::Unexpected,
            Self::Refused(error) if error.code == ErrorCode::Internal => Exit::Unexpected,
            _ => Exit::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("error sending request")]
    struct Request(#[source] io::Error);

    #[test]
    fn of_a_failed_request_only_the_last_cause_is_told() {
        let refused = Request(io::Error::from_raw_os_error(111));
        assert_eq!(root_cause(&refused), "connection refused");
    }

    #[test]
    fn every_refusal_keeps_its_own_hint() {
        let own = ApiError::not_found("there is no service 7").hint("look");
        assert_eq!(CpsError::Refused(own).hint().as_deref(), Some("look"));
        let wrong = ApiError::new(ErrorCode::Unauthenticated, "wrong user name or password");
        assert!(CpsError::Refused(wrong).hint().is_some());
        let internal = CpsError::Refused(ApiError::internal());
        assert_eq!((internal.hint(), internal.exit()), (None, Exit::Unexpected));
    }
}
