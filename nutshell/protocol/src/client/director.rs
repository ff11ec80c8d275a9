//! The public API, as users' programs speak it.

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::events::EventStream;
use super::transport::{ClientError, Download, LONG_POLL, Transport, Upload, segment};
use crate::api::internal::Nodes;
use crate::api::log::{LogQuery, LogText};
use crate::api::{
    Application, ApplicationCreate, ApplicationRename, Cloud, Deployment, Manifest, NodesAdd,
    NodesRemove, ReadyManifest, Service, ServiceCreate, ServiceCreated, ServiceHistory,
    ServiceRename, ServiceStart, ServiceType, StartupScript, State, Volumes,
};
use crate::ids::{ApplicationId, OperationId, ServiceId};

/// A user's connection to the director.
#[derive(Debug, Clone)]
pub struct DirectorClient(pub(super) Transport);

/// Nothing to say in the query.
pub(super) const NO_QUERY: [(&str, &str); 0] = [];

impl DirectorClient {
    /// Speaks to the director at `url` with a client made by [`crate::tls::Trust::client`].
    #[must_use]
    pub fn new(client: reqwest::Client, url: &str, token: Option<String>) -> Self {
        Self(Transport::new(client, url.to_owned(), token))
    }

    /// Where the director is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.base()
    }

    /// The same director, as the holder of another token.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self(self.0.with_token(token))
    }

    /// `GET /v1/service-types`
    pub async fn service_type_list(&self) -> Result<Vec<ServiceType>, ClientError> {
        self.0.get("/v1/service-types", &NO_QUERY).await
    }

    /// `GET /v1/clouds/details`: what every cloud offers, and whether it can be used now.
    pub async fn cloud_details(&self) -> Result<Vec<Cloud>, ClientError> {
        self.0.get("/v1/clouds/details", &NO_QUERY).await
    }

    /// `GET /v1/clouds`: names, the default one first.
    pub async fn cloud_list(&self) -> Result<Vec<String>, ClientError> {
        self.0.get("/v1/clouds", &NO_QUERY).await
    }

    /// `GET /v1/nodes`: every VM of the user.
    pub async fn node_list(&self) -> Result<Nodes, ClientError> {
        self.0.get("/v1/nodes", &NO_QUERY).await
    }

    /// `GET /v1/applications`
    pub async fn application_list(&self) -> Result<Vec<Application>, ClientError> {
        self.0.get("/v1/applications", &NO_QUERY).await
    }

    /// `POST /v1/applications`
    pub async fn application_create(
        &self,
        create: &ApplicationCreate,
    ) -> Result<Application, ClientError> {
        self.0.call(Method::POST, "/v1/applications", create).await
    }

    /// `GET /v1/applications/{id}`
    pub async fn application_view(&self, id: ApplicationId) -> Result<Application, ClientError> {
        self.0.get(&format!("/v1/applications/{id}"), &NO_QUERY).await
    }

    /// Long poll: answers when the application's revision is above `after`, or after a while.
    pub async fn application_changed(
        &self,
        id: ApplicationId,
        after: u64,
    ) -> Result<Application, ClientError> {
        self.0.get(&format!("/v1/applications/{id}"), &after_query(after)).await
    }

    /// Waits until `done` holds.
    pub async fn application_await(
        &self,
        mut application: Application,
        done: impl Fn(&Application) -> bool,
    ) -> Result<Application, ClientError> {
        while !done(&application) {
            application = self.application_changed(application.id, application.revision).await?;
        }
        Ok(application)
    }

    /// `PATCH /v1/applications/{id}`
    pub async fn application_rename(
        &self,
        id: ApplicationId,
        name: &str,
    ) -> Result<Application, ClientError> {
        let rename = ApplicationRename { name: name.to_owned() };
        self.0.call(Method::PATCH, &format!("/v1/applications/{id}"), &rename).await
    }

    /// `DELETE /v1/applications/{id}`: with its services and all their VMs.
    pub async fn application_delete(&self, id: ApplicationId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/applications/{id}"), &json!({})).await
    }

    /// `POST /v1/applications/{id}/start`: creates the manager's VM.
    pub async fn application_start(
        &self,
        id: ApplicationId,
        cloud: Option<String>,
    ) -> Result<Application, ClientError> {
        let start = ServiceStart { cloud };
        self.0.call(Method::POST, &format!("/v1/applications/{id}/start"), &start).await
    }

    /// `POST /v1/applications/{id}/stop`: removes all its VMs; its services stay, stopped,
    /// with their code.
    pub async fn application_stop(&self, id: ApplicationId) -> Result<Application, ClientError> {
        self.0.call(Method::POST, &format!("/v1/applications/{id}/stop"), &json!({})).await
    }

    /// `GET /v1/applications/{id}/logs`: the manager's log.
    pub async fn application_logs(
        &self,
        id: ApplicationId,
        query: &LogQuery,
    ) -> Result<LogText, ClientError> {
        self.0.get(&format!("/v1/applications/{id}/logs"), query).await
    }

    /// `GET /v1/applications/{id}/manifest`: what restores to the same application.
    pub async fn application_manifest(&self, id: ApplicationId) -> Result<Manifest, ClientError> {
        self.0.get(&format!("/v1/applications/{id}/manifest"), &NO_QUERY).await
    }

    /// `GET /v1/manifests`: those that come with the director.
    pub async fn manifest_list(&self) -> Result<Vec<ReadyManifest>, ClientError> {
        self.0.get("/v1/manifests", &NO_QUERY).await
    }

    /// `PUT /v1/manifests/{name}`: for everybody from then on.
    pub async fn manifest_register(
        &self,
        name: &str,
        manifest: &Value,
    ) -> Result<ReadyManifest, ClientError> {
        let path = format!("/v1/manifests/{}", segment(name));
        self.0.call(Method::PUT, &path, manifest).await
    }

    /// `DELETE /v1/manifests/{name}`
    pub async fn manifest_unregister(&self, name: &str) -> Result<(), ClientError> {
        let path = format!("/v1/manifests/{}", segment(name));
        self.0.call(Method::DELETE, &path, &json!({})).await
    }

    /// `POST /v1/manifests`: answers when everything is recorded; the work goes on.
    pub async fn manifest_deploy(
        &self,
        manifest: &Value,
        cloud: Option<&str>,
    ) -> Result<Deployment, ClientError> {
        let query: Vec<_> = cloud.map(|cloud| ("cloud", cloud)).into_iter().collect();
        self.0.upload("/v1/manifests", &query, manifest.to_string().into()).await
    }

    /// `GET /v1/deployments/{id}`
    pub async fn deployment_view(&self, id: OperationId) -> Result<Deployment, ClientError> {
        self.0.get(&format!("/v1/deployments/{id}"), &NO_QUERY).await
    }

    /// Long poll: answers when the deployment's revision is above `after`, or after a while.
    pub async fn deployment_changed(
        &self,
        id: OperationId,
        after: u64,
    ) -> Result<Deployment, ClientError> {
        self.0.get(&format!("/v1/deployments/{id}"), &after_query(after)).await
    }

    /// `GET /v1/services`
    pub async fn service_list(&self) -> Result<Vec<Service>, ClientError> {
        self.0.get("/v1/services", &NO_QUERY).await
    }

    /// `POST /v1/services`: answers when the service exists; its manager may still be starting.
    pub async fn service_create(
        &self,
        create: &ServiceCreate,
    ) -> Result<ServiceCreated, ClientError> {
        self.0.call(Method::POST, "/v1/services", create).await
    }

    /// `GET /v1/services/{id}`
    pub async fn service_view(&self, id: ServiceId) -> Result<Service, ClientError> {
        self.0.get(&format!("/v1/services/{id}"), &NO_QUERY).await
    }

    /// Long poll: answers when the service's revision is above `after`, or after a while.
    pub async fn service_changed(&self, id: ServiceId, after: u64) -> Result<Service, ClientError> {
        self.0.get(&format!("/v1/services/{id}"), &after_query(after)).await
    }

    /// Waits until the service is in a state where nothing is under way.
    pub async fn service_await_stable(&self, mut service: Service) -> Result<Service, ClientError> {
        while !service.state.is_stable() {
            service = self.service_changed(service.id, service.revision).await?;
        }
        Ok(service)
    }

    /// Waits until the service is in that state, or in ERROR.
    pub async fn service_await(
        &self,
        mut service: Service,
        state: State,
    ) -> Result<Service, ClientError> {
        while service.state != state && service.state != State::Error {
            service = self.service_changed(service.id, service.revision).await?;
        }
        Ok(service)
    }

    /// `PATCH /v1/services/{id}`
    pub async fn service_rename(&self, id: ServiceId, name: &str) -> Result<Service, ClientError> {
        let rename = ServiceRename { name: name.to_owned() };
        self.0.call(Method::PATCH, &format!("/v1/services/{id}"), &rename).await
    }

    /// `DELETE /v1/services/{id}`: stops it first when it runs.
    pub async fn service_delete(&self, id: ServiceId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/services/{id}"), &json!({})).await
    }

    /// `POST /v1/services/{id}/start`: answers in PROLOGUE.
    pub async fn service_start(
        &self,
        id: ServiceId,
        start: &ServiceStart,
    ) -> Result<Service, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/start"), start).await
    }

    /// `POST /v1/services/{id}/stop`: answers in EPILOGUE.
    pub async fn service_stop(&self, id: ServiceId) -> Result<Service, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/stop"), &json!({})).await
    }

    /// `GET /v1/services/{id}/nodes`
    pub async fn service_nodes(&self, id: ServiceId) -> Result<Nodes, ClientError> {
        self.0.get(&format!("/v1/services/{id}/nodes"), &NO_QUERY).await
    }

    /// `GET /v1/services/{id}/volumes`
    pub async fn service_volumes(&self, id: ServiceId) -> Result<Volumes, ClientError> {
        self.0.get(&format!("/v1/services/{id}/volumes"), &NO_QUERY).await
    }

    /// `POST /v1/services/{id}/add-nodes`: answers in ADAPTING.
    pub async fn service_add_nodes(
        &self,
        id: ServiceId,
        add: &NodesAdd,
    ) -> Result<Service, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/add-nodes"), add).await
    }

    /// `POST /v1/services/{id}/remove-nodes`: answers in ADAPTING.
    pub async fn service_remove_nodes(
        &self,
        id: ServiceId,
        remove: &NodesRemove,
    ) -> Result<Service, ClientError> {
        self.0.call(Method::POST, &format!("/v1/services/{id}/remove-nodes"), remove).await
    }

    /// `GET /v1/services/{id}/logs`
    pub async fn service_logs(
        &self,
        id: ServiceId,
        query: &LogQuery,
    ) -> Result<LogText, ClientError> {
        self.0.get(&format!("/v1/services/{id}/logs"), query).await
    }

    /// `GET /v1/services/{id}/history`
    pub async fn service_history(&self, id: ServiceId) -> Result<ServiceHistory, ClientError> {
        self.0.get(&format!("/v1/services/{id}/history"), &NO_QUERY).await
    }

    /// `GET /v1/services/{id}/startup-script`
    pub async fn service_startup_script(
        &self,
        id: ServiceId,
    ) -> Result<StartupScript, ClientError> {
        self.0.get(&format!("/v1/services/{id}/startup-script"), &NO_QUERY).await
    }

    /// `PUT /v1/services/{id}/startup-script`: for nodes that come from now on.
    pub async fn service_set_startup_script(
        &self,
        id: ServiceId,
        script: &StartupScript,
    ) -> Result<StartupScript, ClientError> {
        self.0.call(Method::PUT, &format!("/v1/services/{id}/startup-script"), script).await
    }

    /// A method of kind `query`.
    pub async fn service_query<Out: DeserializeOwned>(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.0.get(&method_path(id, method), parameters).await
    }

    /// A method of kind `command`.
    pub async fn service_command<Out: DeserializeOwned>(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.0.call(Method::POST, &method_path(id, method), parameters).await
    }

    /// A method of kind `upload`.
    pub async fn service_upload<Out: DeserializeOwned>(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
        content: Upload,
    ) -> Result<Out, ClientError> {
        self.0.upload(&method_path(id, method), parameters, content).await
    }

    /// A method of kind `download`.
    pub async fn service_download(
        &self,
        id: ServiceId,
        method: &str,
        parameters: &impl Serialize,
    ) -> Result<Download, ClientError> {
        self.0.download(&method_path(id, method), parameters).await
    }

    /// `GET /v1/events`: the user's, from now on.
    pub async fn events(&self) -> Result<EventStream, ClientError> {
        Ok(EventStream::new(self.0.stream("/v1/events").await?))
    }

    /// `GET /v1/version`
    pub async fn version(&self) -> Result<Value, ClientError> {
        self.0.get("/v1/version", &NO_QUERY).await
    }
}

fn after_query(after: u64) -> [(&'static str, u64); 2] {
    [("after", after), ("wait_seconds", LONG_POLL.as_secs())]
}

fn method_path(id: ServiceId, method: &str) -> String {
    format!("/v1/services/{id}/methods/{method}")
}
