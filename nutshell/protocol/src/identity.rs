//! Who is at the other end of a TLS connection, and who may call whom.
//!
//! Every certificate of an installation names its holder by one URI in its subject alternative
//! name: `spiffe://<installation>/director`, `…/application/<aid>/manager` or
//! `…/application/<aid>/service/<sid>/agent/<node>`. Users hold no certificate: they carry a token.

use std::fmt;
use std::str::FromStr;

use crate::ids::{ApplicationId, NodeId, ServiceId};

/// The holder of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The director of the installation.
    Director,
    /// The manager of an application.
    Manager {
        /// The application it manages.
        application: ApplicationId,
    },
    /// The agent in a node of a service.
    Agent {
        /// The application of the service.
        application: ApplicationId,
        /// The service it works for.
        service: ServiceId,
        /// The node it runs in.
        node: NodeId,
    },
}

impl Identity {
    /// The URI that names this holder in its certificate.
    #[must_use]
    pub fn uri(&self, installation: &str) -> String {
        format!("spiffe://{installation}/{self}")
    }

    /// Reads the URI of a certificate; `None` when it is not one of this installation.
    #[must_use]
    pub fn from_uri(uri: &str, installation: &str) -> Option<Self> {
        let rest = uri.strip_prefix("spiffe://")?.strip_prefix(installation)?;
        rest.strip_prefix('/')?.parse().ok()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Director => f.write_str("director"),
            Self::Manager { application } => write!(f, "application/{application}/manager"),
            Self::Agent { application, service, node } => {
                write!(f, "application/{application}/service/{service}/agent/{node}")
            }
        }
    }
}

/// The text names no holder that an installation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no director, manager or agent")]
pub struct UnknownIdentity(String);

impl FromStr for Identity {
    type Err = UnknownIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let parsed = match parts[..] {
            ["director"] => Some(Self::Director),
            ["application", application, "manager"] => {
                application.parse().ok().map(|application| Self::Manager { application })
            }
            ["application", application, "service", service, "agent", node] => {
                match (application.parse(), service.parse(), node.parse()) {
                    (Ok(application), Ok(service), Ok(node)) => {
                        Some(Self::Agent { application, service, node })
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        parsed.ok_or_else(|| UnknownIdentity(text.to_owned()))
    }
}

/// The one rule of who may call whom by certificate.
///
/// The director is called by managers and agents (each endpoint says which, and on what); a manager
/// by the director and by its own agents; an agent by the manager of its application alone.
#[must_use]
pub fn may_call(caller: Identity, callee: Identity) -> bool {
    use Identity::{Agent, Director, Manager};
    match (caller, callee) {
        (Manager { .. } | Agent { .. }, Director) | (Director, Manager { .. }) => true,
        (Agent { application: from, .. }, Manager { application: to })
        | (Manager { application: from }, Agent { application: to, .. }) => from == to,
        (Director, Director | Agent { .. })
        | (Manager { .. }, Manager { .. })
        | (Agent { .. }, Agent { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: Identity = Identity::Manager { application: ApplicationId(1) };
    const OTHER_MANAGER: Identity = Identity::Manager { application: ApplicationId(2) };
    const AGENT: Identity =
        Identity::Agent { application: ApplicationId(1), service: ServiceId(3), node: NodeId(9) };

    #[test]
    fn uris_round_trip_within_one_installation() {
        for identity in [Identity::Director, MANAGER, AGENT] {
            let uri = identity.uri("home-1");
            assert_eq!(Identity::from_uri(&uri, "home-1"), Some(identity));
            assert_eq!(Identity::from_uri(&uri, "home"), None);
            assert_eq!(Identity::from_uri(&uri, "other"), None);
        }
        assert_eq!(AGENT.uri("x"), "spiffe://x/application/1/service/3/agent/9");
    }

    #[test]
    fn malformed_uris_name_nobody() {
        for uri in [
            "https://x/director",
            "spiffe://x/",
            "spiffe://x/director/",
            "spiffe://x/application/a/manager",
            "spiffe://x/application/1/manager/2",
            "spiffe://x/user/1",
        ] {
            assert_eq!(Identity::from_uri(uri, "x"), None, "{uri}");
        }
    }

    #[test]
    fn every_pair_of_caller_and_callee() {
        let parties = [Identity::Director, MANAGER, OTHER_MANAGER, AGENT];
        let allowed = [
            (MANAGER, Identity::Director),
            (OTHER_MANAGER, Identity::Director),
            (AGENT, Identity::Director),
            (Identity::Director, MANAGER),
            (Identity::Director, OTHER_MANAGER),
            (AGENT, MANAGER),
            (MANAGER, AGENT),
        ];
        for caller in parties {
            for callee in parties {
                assert_eq!(
                    may_call(caller, callee),
                    allowed.contains(&(caller, callee)),
                    "{caller} → {callee}"
                );
            }
        }
    }
}
