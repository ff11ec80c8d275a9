//! What the director tells those who watch: `GET /v1/events`, as server-sent events.

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::service::Service;
use crate::ids::{ApplicationId, ServiceId};

/// Something of the user's changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An application is new or other than before.
    Application {
        /// As it is now.
        application: Application,
    },
    /// An application is gone.
    ApplicationDeleted {
        /// Which.
        id: ApplicationId,
    },
    /// A service is new or other than before.
    Service {
        /// As it is now.
        service: Service,
    },
    /// A service is gone.
    ServiceDeleted {
        /// Which.
        id: ServiceId,
    },
    /// The user's credits changed.
    Credits {
        /// What is left.
        credits: i64,
    },
}
