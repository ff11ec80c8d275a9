//! The way to the agents of the application.

use protocol::api::Node;
use protocol::client::AgentClient;
use protocol::membership::Membership;
use protocol::{AGENT_PORT, ApiError, Identity};
use services::{AgentConnections, ServiceError};

/// Connects with the manager's own certificate. Connections are not kept: calls are rare, and
/// a hundred idle ones would take more memory than all the rest.
pub(crate) struct Agents {
    membership: Membership,
}

impl Agents {
    pub(crate) fn new(membership: Membership) -> Self {
        Self { membership }
    }
}

impl AgentConnections for Agents {
    fn agent(&self, node: &Node) -> Result<AgentClient, ServiceError> {
        let address = node.address_from(&self.membership.boot.cloud);
        let (Some(address), Some(service)) = (address, node.service) else {
            let refusal = ApiError::conflict(format!("node {} has no address yet", node.id));
            return Err(refusal.into());
        };
        let callee = Identity::Agent { application: node.application, service, node: node.id };
        let client = self.membership.client_of(callee).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "no connection can be made");
            ApiError::internal()
        })?;
        Ok(AgentClient::new(client, &format!("https://{address}:{AGENT_PORT}")))
    }
}
