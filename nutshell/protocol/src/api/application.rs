//! Applications: sets of services with one manager.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::service::State;
use crate::ids::ApplicationId;

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Application {
    /// Id in the installation.
    pub id: ApplicationId,
    /// Name, unique among the user's applications.
    pub name: String,
    /// State of the application, which is that of its manager.
    pub state: State,
    /// Why it is in this state, where there is something to say (an error, above all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Address of the manager; `None` while there is none.
    #[schemars(with = "Option<String>")]
    pub manager: Option<Ipv4Addr>,
    /// The cloud of the manager; `None` while there is none.
    pub cloud: Option<String>,
    /// Grows with every change of this object; see the `after` parameter of the view.
    pub revision: u64,
    /// When it was created, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: time::OffsetDateTime,
}

/// A request for a new application.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationCreate {
    /// Its name; `New Application` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A request for another name.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRename {
    /// The new name.
    pub name: String,
}
