//! Collects what the nodes say.

use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::manager_half::{Remark, at, no_such_method};
use crate::state::Request;
use crate::{ManagerContext, ManagerHalf, ServiceError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Manager;

#[async_trait]
impl ManagerHalf for Manager {
    async fn settle(&self, _context: &ManagerContext) -> Result<Remark, ServiceError> {
        Ok(None)
    }

    fn request(&self, _method: &str) -> Request {
        Request::Reach
    }

    async fn query(
        &self,
        context: &ManagerContext,
        method: &str,
        _parameters: Value,
    ) -> Result<Value, ServiceError> {
        if method != "get_helloworld" {
            return Err(no_such_method(method));
        }
        let said = try_join_all(context.nodes.iter().map(async |node| {
            let agent = context.agents.agent(node)?;
            agent.query::<String>(method, &[("", ""); 0]).await.map_err(at(node.id))
        }))
        .await?;
        let lines: String = said.iter().map(|line| format!("Received {line}\n")).collect();
        Ok(json!({ "helloworld": lines }))
    }
}
