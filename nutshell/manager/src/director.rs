//! What the manager asks of the director, also while that is away for a while.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use protocol::api::backup::Backup;
use protocol::api::internal::{NodesCreate, NodesDelete, ServiceReport, ServicesWanted};
use protocol::api::{Cloud, Node, Volume, VolumeCreate};
use protocol::client::{Upload, VmClient, is_absence, is_passing, persist};
use protocol::{ApiError, ClientError, ErrorCode, NodeId, ServiceId, VolumeId};
use services::ServiceError;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::io::{ReaderStream, StreamReader};

/// How long users wait for nodes that a director who is away cannot give.
const PATIENCE: Duration = Duration::from_secs(60);

/// The director, who may come and go.
#[derive(Debug, Clone)]
pub(crate) struct Director(VmClient);

impl Director {
    pub(crate) fn new(client: VmClient) -> Self {
        Self(client)
    }

    /// Says that the manager listens, until it is heard.
    pub(crate) async fn ready(&self) {
        protocol::vm::tell_ready(&self.0).await;
    }

    /// The services the application should have.
    pub(crate) async fn services_wanted(&self) -> Result<ServicesWanted, ApiError> {
        persist(None, is_passing, || self.0.services_wanted()).await.map_err(refusal)
    }

    /// What the last manager of the application left.
    pub(crate) async fn backup(&self) -> Result<Backup, ApiError> {
        persist(None, is_passing, || self.0.backup()).await.map_err(refusal)
    }

    /// A content of that, written to this file.
    pub(crate) async fn backup_file(&self, sha256: &str, path: &Path) -> Result<(), ServiceError> {
        let download = persist(None, is_passing, || self.0.backup_file(sha256)).await;
        let mut content = StreamReader::new(download.map_err(refusal)?.content);
        let mut file = tokio::fs::File::create(path).await.map_err(ServiceError::file(path))?;
        tokio::io::copy(&mut content, &mut file).await.map_err(ServiceError::file(path))?;
        file.sync_all().await.map_err(ServiceError::file(path))
    }

    /// Replaces what the next manager will find; says which contents are missing for that.
    pub(crate) async fn keep_backup(&self, backup: &Backup) -> Result<Vec<String>, ApiError> {
        let kept = persist(None, is_passing, || self.0.keep_backup(backup)).await;
        Ok(kept.map_err(refusal)?.missing)
    }

    /// Sends a content for that.
    pub(crate) async fn keep_backup_file(
        &self,
        sha256: &str,
        path: &Path,
    ) -> Result<(), ServiceError> {
        let send = async || {
            // Gone when it was deleted meanwhile: the director sees that it is not the content.
            let file = tokio::fs::File::open(path).await.ok();
            let content = futures::stream::iter(file).flat_map(ReaderStream::new);
            self.0.keep_backup_file(sha256, Upload::wrap_stream(content)).await
        };
        Ok(persist(None, is_passing, send).await.map_err(refusal)?)
    }

    /// The nodes that the director has for a service, asked once.
    pub(crate) async fn nodes(&self, service: ServiceId) -> Result<Vec<Node>, ApiError> {
        let mut nodes = self.0.nodes().await.map_err(refusal)?.nodes;
        nodes.retain(|node| node.service == Some(service));
        Ok(nodes)
    }

    /// Nodes for a service, all or none. `known` are those it has.
    pub(crate) async fn create_nodes(
        &self,
        create: &NodesCreate,
        known: &[NodeId],
    ) -> Result<Vec<Node>, ApiError> {
        let deadline = Instant::now() + PATIENCE;
        let mut first = true;
        let attempt = || {
            let again = !std::mem::take(&mut first);
            async move {
                // An answer that was lost may have been a yes.
                if again {
                    self.delete_strays(create.service, known).await?;
                }
                self.0.create_nodes(create).await
            }
        };
        Ok(persist(Some(deadline), is_absence, attempt).await.map_err(refusal)?.nodes)
    }

    async fn delete_strays(&self, service: ServiceId, known: &[NodeId]) -> Result<(), ClientError> {
        let there = self.0.nodes().await?.nodes;
        let strays = there
            .iter()
            .filter(|node| node.service == Some(service) && !known.contains(&node.id))
            .map(|node| node.id)
            .collect();
        self.0.delete_nodes(&NodesDelete { nodes: strays }).await
    }

    /// What a cloud offers, asked once.
    pub(crate) async fn cloud(&self, name: &str) -> Result<Cloud, ApiError> {
        self.0.cloud(name).await.map_err(refusal)
    }

    /// The volumes of the application's services.
    pub(crate) async fn volumes(&self) -> Result<Vec<Volume>, ApiError> {
        let deadline = Instant::now() + PATIENCE;
        let volumes = persist(Some(deadline), is_absence, || self.0.volumes()).await;
        Ok(volumes.map_err(refusal)?.volumes)
    }

    /// A volume for a node, asked for once: an answer that is lost may have been a yes.
    pub(crate) async fn create_volume(&self, create: &VolumeCreate) -> Result<Volume, ApiError> {
        self.0.create_volume(create).await.map_err(refusal)
    }

    /// Gives a volume back.
    pub(crate) async fn delete_volume(&self, id: VolumeId) -> Result<(), ApiError> {
        let deadline = Instant::now() + PATIENCE;
        persist(Some(deadline), is_absence, || self.0.delete_volume(id)).await.map_err(refusal)
    }

    /// Gives nodes back, however long the director is away.
    pub(crate) async fn delete_nodes(&self, nodes: Vec<NodeId>) -> Result<(), ApiError> {
        if nodes.is_empty() {
            return Ok(());
        }
        let delete = NodesDelete { nodes };
        persist(None, is_absence, || self.0.delete_nodes(&delete)).await.map_err(refusal)
    }

    /// Gives back all nodes of a service.
    pub(crate) async fn delete_all_nodes(&self, service: ServiceId) -> Result<(), ApiError> {
        persist(None, is_absence, || self.delete_strays(service, &[])).await.map_err(refusal)
    }

    /// Reports every state that lasts, the newest first of all, as long as the service is there.
    pub(crate) async fn report(self, id: ServiceId, mut reports: watch::Receiver<ServiceReport>) {
        loop {
            let newest = || {
                let report = reports.borrow_and_update().clone();
                let director = &self.0;
                async move { director.report_service(id, &report).await }
            };
            if let Err(error) = persist(None, is_passing, newest).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(service = %id, error, "a report is not wanted");
            }
            if reports.changed().await.is_err() {
                return;
            }
        }
    }
}

fn refusal(error: ClientError) -> ApiError {
    match error {
        ClientError::Api(refusal) => refusal,
        other => {
            tracing::warn!(error = &other as &dyn std::error::Error, "the director failed");
            ApiError::new(ErrorCode::Unavailable, "the director does not answer")
        }
    }
}
