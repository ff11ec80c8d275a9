//! Services of applications.

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::node::NodeCounts;
use crate::ids::{ApplicationId, ServiceId};

/// State of a service or of an application, in the original's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Created, never started.
    Init,
    /// Starting.
    Prologue,
    /// At work.
    Running,
    /// At work, and changing.
    Adapting,
    /// Stopping.
    Epilogue,
    /// Was started, is no more.
    Stopped,
    /// A change failed; the reason says how. Stopping is always allowed.
    Error,
}

impl State {
    /// Whether nothing is under way: the state stays until somebody acts.
    #[must_use]
    pub fn is_stable(self) -> bool {
        match self {
            Self::Init | Self::Running | Self::Stopped | Self::Error => true,
            Self::Prologue | Self::Adapting | Self::Epilogue => false,
        }
    }

    /// The word for it, as users and the wire know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Prologue => "PROLOGUE",
            Self::Running => "RUNNING",
            Self::Adapting => "ADAPTING",
            Self::Epilogue => "EPILOGUE",
            Self::Stopped => "STOPPED",
            Self::Error => "ERROR",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Service {
    /// Id, unique in the installation.
    pub id: ServiceId,
    /// The application it belongs to.
    pub application: ApplicationId,
    /// Its type, one of the service types.
    pub service_type: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Why it is in this state, where there is something to say (an error, above all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it came into this state, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub since: time::OffsetDateTime,
    /// Number of its nodes.
    pub nodes: u32,
    /// Grows with every change of this object; see the `after` parameter of the view.
    pub revision: u64,
    /// When it was created, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: time::OffsetDateTime,
}

/// A request for a new service.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCreate {
    /// The type of service.
    pub service_type: String,
    /// Where to put it; the user's first application, made when there is none, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// Its name; `New <type> service` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Cloud of the manager, should one be needed; the default cloud when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
}

/// The answer to [`ServiceCreate`]: the service exists; its manager may still be starting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceCreated {
    /// The new service.
    pub service: Service,
    /// Its application; PROLOGUE when a manager is being created for it.
    pub application: Application,
}

/// A request for another name.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRename {
    /// The new name.
    pub name: String,
}

/// The script that new nodes of a service run before their agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartupScript {
    /// Its text; empty when there is none. At most 8192 bytes: clouds hand over no more.
    pub script: String,
}

/// A request to start a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceStart {
    /// Cloud of its first nodes; the default cloud when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
}

/// A request for more nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodesAdd {
    /// How many of each role; the role `count` means the service's default role.
    pub nodes: NodeCounts,
    /// Where they come from; the cloud that the service was started in when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// What kind of VM they are; the cloud's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
}

/// A request for fewer nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodesRemove {
    /// How many of each role; the role `count` means the service's default role.
    pub nodes: NodeCounts,
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn the_word_of_a_state_is_the_same_everywhere() {
        for state in [
            State::Init,
            State::Prologue,
            State::Running,
            State::Adapting,
            State::Epilogue,
            State::Stopped,
            State::Error,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
