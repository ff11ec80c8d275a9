//! What a service went through.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::service::State;

/// A moment at which a service came into a state, or there was something new to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StateChange {
    /// When, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub time: OffsetDateTime,
    /// The state from then on.
    pub state: State,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A service's history, oldest first; of a long one the latest part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceHistory {
    /// The changes.
    pub state_log: Vec<StateChange>,
}
