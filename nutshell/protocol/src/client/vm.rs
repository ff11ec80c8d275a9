//! The director's API for VMs: how they join, and what managers ask for.

use http::Method;
use serde_json::json;

use super::transport::{ClientError, Download, Transport, Upload};
use crate::api::backup::{Backup, BackupAnswer};
use crate::api::internal::{Nodes, NodesCreate, NodesDelete, ServiceReport, ServicesWanted};
use crate::api::{Cloud, Volume, VolumeCreate, Volumes};
use crate::boot::{CertificateGrant, CertificateRequest};
use crate::ids::{ServiceId, VolumeId};

/// A VM's connection to the director.
#[derive(Debug, Clone)]
pub struct VmClient(Transport);

impl VmClient {
    /// Speaks to the director at `url` with a client made by [`crate::tls::Trust::client`]; only
    /// [`Self::certificate`] works without credentials.
    #[must_use]
    pub fn new(client: reqwest::Client, url: &str) -> Self {
        Self(Transport::new(client, url.to_owned(), None))
    }

    /// `POST /v1/vm/certificate`: exchanges the single-use token, or renews.
    pub async fn certificate(
        &self,
        request: &CertificateRequest,
    ) -> Result<CertificateGrant, ClientError> {
        self.0.call(Method::POST, "/v1/vm/certificate", request).await
    }

    /// `POST /v1/vm/ready`: the manager or agent listens; to be said after every start of it.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.0.call(Method::POST, "/v1/vm/ready", &json!({})).await
    }

    /// `POST /v1/vm/alive`: the VM is there; to be said again and again.
    pub async fn alive(&self) -> Result<(), ClientError> {
        self.0.call_once(Method::POST, "/v1/vm/alive", &json!({})).await
    }

    /// `GET /v1/vm/services`: which services the application should have (managers only).
    pub async fn services_wanted(&self) -> Result<ServicesWanted, ClientError> {
        self.0.get("/v1/vm/services", &[("", ""); 0]).await
    }

    /// `GET /v1/vm/nodes`: the nodes of the application's services (managers only).
    pub async fn nodes(&self) -> Result<Nodes, ClientError> {
        self.0.get("/v1/vm/nodes", &[("", ""); 0]).await
    }

    /// `POST /v1/vm/nodes`: answers when the agents are ready; all nodes or none (managers only).
    pub async fn create_nodes(&self, create: &NodesCreate) -> Result<Nodes, ClientError> {
        self.0.call(Method::POST, "/v1/vm/nodes", create).await
    }

    /// `POST /v1/vm/nodes/delete`: answers when they are gone (managers only).
    pub async fn delete_nodes(&self, delete: &NodesDelete) -> Result<(), ClientError> {
        self.0.call(Method::POST, "/v1/vm/nodes/delete", delete).await
    }

    /// `GET /v1/vm/clouds/{cloud}`: what a cloud offers (managers only).
    pub async fn cloud(&self, name: &str) -> Result<Cloud, ClientError> {
        self.0.get(&format!("/v1/vm/clouds/{name}"), &[("", ""); 0]).await
    }

    /// `GET /v1/vm/backup`: what the last manager of the application left (managers only).
    pub async fn backup(&self) -> Result<Backup, ClientError> {
        self.0.get("/v1/vm/backup", &[("", ""); 0]).await
    }

    /// `PUT /v1/vm/backup`: replaces it, unless contents are missing (managers only).
    pub async fn keep_backup(&self, backup: &Backup) -> Result<BackupAnswer, ClientError> {
        self.0.call(Method::PUT, "/v1/vm/backup", backup).await
    }

    /// `GET /v1/vm/backup/files/{sha256}`: a content of it (managers only).
    pub async fn backup_file(&self, sha256: &str) -> Result<Download, ClientError> {
        self.0.download(&format!("/v1/vm/backup/files/{sha256}"), &[("", ""); 0]).await
    }

    /// `POST /v1/vm/backup/files/{sha256}`: a content for the next backup (managers only).
    pub async fn keep_backup_file(&self, sha256: &str, content: Upload) -> Result<(), ClientError> {
        let path = format!("/v1/vm/backup/files/{sha256}");
        self.0.upload(&path, &[("", ""); 0], content).await
    }

    /// `GET /v1/vm/volumes`: the volumes of the application's services (managers only).
    pub async fn volumes(&self) -> Result<Volumes, ClientError> {
        self.0.get("/v1/vm/volumes", &[("", ""); 0]).await
    }

    /// `POST /v1/vm/volumes`: answers when its node has the volume; or there is none (managers only).
    pub async fn create_volume(&self, create: &VolumeCreate) -> Result<Volume, ClientError> {
        self.0.call(Method::POST, "/v1/vm/volumes", create).await
    }

    /// `DELETE /v1/vm/volumes/{id}`: answers when it is gone; one that is still used stays
    /// (managers only).
    pub async fn delete_volume(&self, id: VolumeId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/vm/volumes/{id}"), &json!({})).await
    }

    /// `PUT /v1/vm/services/{id}`: a service came into another state (managers only).
    pub async fn report_service(
        &self,
        id: ServiceId,
        report: &ServiceReport,
    ) -> Result<(), ClientError> {
        self.0.call(Method::PUT, &format!("/v1/vm/services/{id}"), report).await
    }
}
