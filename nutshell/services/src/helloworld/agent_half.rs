//! Says hello.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::manager_half::no_such_method;
use crate::{AgentContext, AgentHalf, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Agent {
    context: AgentContext,
}

impl Agent {
    /// There is nothing to take up.
    pub(crate) fn adopt(context: AgentContext) -> Result<Self, ServiceError> {
        Ok(Self { context })
    }
}

#[async_trait]
impl AgentHalf for Agent {
    async fn query(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        match method {
            "get_helloworld" => Ok(json!(format!("helloworld from node {}", self.context.node))),
            _ => Err(no_such_method(method)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::NodeId;

    use super::*;

    #[tokio::test]
    async fn a_node_says_which_it_is() {
        let agent = Agent::adopt(AgentContext::new(NodeId(7), Path::new("/nowhere"))).unwrap();
        let said = agent.query("get_helloworld", json!({})).await.unwrap();
        assert_eq!(said, json!("helloworld from node 7"));
        assert!(agent.query("other", json!({})).await.is_err());
    }
}
