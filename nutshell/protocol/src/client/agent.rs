//! An agent's API, as its manager speaks it.

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::transport::{ClientError, Transport, Upload};
use crate::api::internal::ProcessStatus;
use crate::api::log::{LogQuery, LogText};
use crate::api::usage::UsageHistory;

/// A manager's connection to one agent.
#[derive(Debug, Clone)]
pub struct AgentClient(Transport);

impl AgentClient {
    /// Speaks to the agent at `url` with a client made by [`crate::tls::Trust::client`].
    #[must_use]
    pub fn new(client: reqwest::Client, url: &str) -> Self {
        Self(Transport::new(client, url.to_owned(), None))
    }

    /// `GET /v1/check_agent_process`
    pub async fn check_agent_process(&self) -> Result<ProcessStatus, ClientError> {
        self.0.get("/v1/check_agent_process", &[("", ""); 0]).await
    }

    /// `GET /v1/get_logs`
    pub async fn get_logs(&self, query: &LogQuery) -> Result<LogText, ClientError> {
        self.0.get("/v1/get_logs", query).await
    }

    /// `GET /v1/get_usage`: what the agent measured of its VM.
    pub async fn get_usage(&self) -> Result<UsageHistory, ClientError> {
        self.0.get("/v1/get_usage", &[("", ""); 0]).await
    }

    /// A method of the agent half that changes nothing.
    pub async fn query<Out: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.0.get(&format!("/v1/methods/{method}"), parameters).await
    }

    /// A method of the agent half that does something.
    pub async fn command<Out: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.0.call(Method::POST, &format!("/v1/methods/{method}"), parameters).await
    }

    /// A method of the agent half that takes a file.
    pub async fn upload<Out: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &impl Serialize,
        content: Upload,
    ) -> Result<Out, ClientError> {
        self.0.upload(&format!("/v1/methods/{method}"), parameters, content).await
    }
}
