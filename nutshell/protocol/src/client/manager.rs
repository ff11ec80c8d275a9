//! A manager's API, as the director speaks it.

use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::transport::{ClientError, Download, Transport, Upload};
use crate::api::internal::{NodesReplace, ProcessStatus, ServiceAdd, ServiceReport};
use crate::api::log::{LogQuery, LogText};
use crate::api::{NodesAdd, NodesRemove, ServiceStart};
use crate::ids::ServiceId;

/// The director's connection to one manager.
#[derive(Debug, Clone)]
pub struct ManagerClient(Transport);

impl ManagerClient {
    /// Speaks to the manager at `url` with a client made by [`crate::tls::Trust::client`].
    #[must_use]
    pub fn new(client: reqwest::Client, url: &str) -> Self {
        Self(Transport::new(client, url.to_owned(), None))
    }

    /// `GET /v1/check_process`
    pub async fn check_process(&self) -> Result<ProcessStatus, ClientError> {
        self.0.get("/v1/check_process", &[("", ""); 0]).await
    }

    /// `GET /v1/get_logs`: the manager's own log.
    pub async fn get_logs(&self, query: &LogQuery) -> Result<LogText, ClientError> {
        self.0.get("/v1/get_logs", query).await
    }

    /// `POST /v1/services`: the manager looks after it from now on; again changes nothing.
    pub async fn add_service(&self, add: &ServiceAdd) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, "/v1/services", add).await
    }

    /// `DELETE /v1/services/{id}`: answers when its nodes and code are gone.
    pub async fn remove_service(&self, id: ServiceId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/services/{id}"), &json!({})).await
    }

    /// `POST /v1/services/{id}/startup`: answers in PROLOGUE.
    pub async fn startup(
        &self,
        id: ServiceId,
        start: &ServiceStart,
    ) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/startup"), start).await
    }

    /// `POST /v1/services/{id}/shutdown`: answers in EPILOGUE.
    pub async fn shutdown(&self, id: ServiceId) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/shutdown"), &json!({})).await
    }

    /// `POST /v1/services/{id}/add_nodes`: answers in ADAPTING.
    pub async fn add_nodes(
        &self,
        id: ServiceId,
        add: &NodesAdd,
    ) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/add_nodes"), add).await
    }

    /// `POST /v1/services/{id}/remove_nodes`: answers in ADAPTING.
    pub async fn remove_nodes(
        &self,
        id: ServiceId,
        remove: &NodesRemove,
    ) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/remove_nodes"), remove).await
    }

    /// `POST /v1/services/{id}/replace_nodes`: the cloud lost these; answers in ADAPTING.
    pub async fn replace_nodes(
        &self,
        id: ServiceId,
        lost: &NodesReplace,
    ) -> Result<ServiceReport, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/replace_nodes"), lost).await
    }

    /// `GET /v1/services/{id}/get_logs`: the manager's log of the service, or a node's.
    pub async fn get_service_logs(
        &self,
        id: ServiceId,
        query: &LogQuery,
    ) -> Result<LogText, ClientError> {
        self.0.get(&format!("/v1/services/{id}/get_logs"), query).await
    }

    /// A method of kind `query`.
    pub async fn query(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Value, ClientError> {
        self.0.get(&method_path(id, method), parameters).await
    }

    /// A method of kind `command`.
    pub async fn command(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &Value,
    ) -> Result<Value, ClientError> {
        self.0.call(Method::POST, &method_path(id, method), parameters).await
    }

    /// A method of kind `upload`.
    pub async fn upload(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
        content: Upload,
    ) -> Result<Value, ClientError> {
        self.0.upload(&method_path(id, method), parameters, content).await
    }

    /// A method of kind `download`.
    pub async fn download(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Download, ClientError> {
        self.0.download(&method_path(id, method), parameters).await
    }
}

fn method_path(id: ServiceId, method: &str) -> String {
    format!("/v1/services/{id}/methods/{method}")
}
