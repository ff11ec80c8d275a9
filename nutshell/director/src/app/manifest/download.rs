//! An application as a manifest that restores to the same: services, code, scripts, nodes.

use std::collections::BTreeMap;

use futures::StreamExt;
use protocol::api::code::CodeVersions;
use protocol::api::manifest::MANIFEST_LIMIT;
use protocol::api::{
    Application, InlineFile, Manifest, ManifestService, ManifestVolume, Node, Service, State,
    Volume, VolumeState, php,
};
use protocol::client::Download;
use protocol::{ApplicationId, CodeVersionId, UserId};

use super::super::manager::check_running;
use super::super::service_method::{Call, Query};
use super::super::{App, Error, Result};
use super::read::CHANGED_BY;
use crate::db;

impl App {
    /// The manifest of an application. Code is on its manager: of one that has stopped there is none.
    pub(crate) async fn application_manifest(
        &self,
        user: UserId,
        id: ApplicationId,
    ) -> Result<Manifest> {
        let application = self.application_view(user, id).await?;
        let records = {
            let mut connection = self.db.read().await?;
            db::service::list_of_application(&mut connection, id).await?
        };
        let mut room = MANIFEST_LIMIT;
        let mut services = Vec::new();
        for record in records.into_iter().filter(|record| !record.deleting) {
            services
                .push(self.service_manifest(user, &application, record.service, &mut room).await?);
        }
        Ok(Manifest { application: Some(application.name), description: None, services })
    }

    async fn service_manifest(
        &self,
        user: UserId,
        application: &Application,
        service: Service,
        room: &mut u64,
    ) -> Result<ManifestService> {
        let nodes = self.service_nodes(user, service.id).await?;
        let (archive, settings) = match check_running(application) {
            Ok(()) => (
                self.active_code(user, &service, room).await?,
                self.changed_settings(user, &service).await?,
            ),
            Err(_) => (None, BTreeMap::new()),
        };
        let script = self.service_startup_script(user, service.id).await?.script;
        let script = (!script.is_empty())
            .then(|| InlineFile { name: "startup.sh".to_owned(), content: script.into() }.to_url());
        let started = matches!(service.state, State::Running | State::Adapting);
        Ok(ManifestService {
            r#type: service.service_type,
            service_name: Some(service.name),
            cloud: nodes.first().map(|node| node.cloud.clone()),
            start: started.into(),
            startup_instances: if started { counts(&nodes) } else { BTreeMap::new() },
            startup_script: script,
            archive,
            settings,
            volumes: if started {
                volumes(&nodes, &self.service_volumes(user, service.id).await?)
            } else {
                vec![]
            },
            start_role: None,
        })
    }

    /// The settings that are not as by default.
    async fn changed_settings(
        &self,
        user: UserId,
        service: &Service,
    ) -> Result<BTreeMap<String, String>> {
        let service_type = super::super::service::known_type(&service.service_type)?;
        if !service_type.methods.iter().any(|method| method.name == CHANGED_BY) {
            return Ok(BTreeMap::new());
        }
        let method = self.service_method(user, service.id, "get_configuration", Call::Get).await?;
        let configuration = self.service_query(&method, &Query::new()).await?;
        let configuration: php::Configuration =
            serde_json::from_value(configuration).map_err(Error::NotUnderstood)?;
        let mut settings = configuration.phpconf;
        for setting in php::SETTINGS {
            settings.retain(|name, value| name != setting.name || value != setting.default);
        }
        Ok(settings)
    }

    /// The code version at work, when the user brought it.
    async fn active_code(
        &self,
        user: UserId,
        service: &Service,
        room: &mut u64,
    ) -> Result<Option<String>> {
        let service_type = super::super::service::known_type(&service.service_type)?;
        if !service_type.methods.iter().any(|method| method.name == "download_code") {
            return Ok(None);
        }
        let list = self.service_method(user, service.id, "list_code", Call::Get).await?;
        let listed = self.service_query(&list, &Query::new()).await?;
        let listed: CodeVersions = serde_json::from_value(listed).map_err(Error::NotUnderstood)?;
        let active = listed.code_versions.into_iter().find(|version| version.current);
        let Some(active) = active.filter(|one| one.id.as_str() != CodeVersionId::DEFAULT) else {
            return Ok(None);
        };
        let method = self.service_method(user, service.id, "download_code", Call::Get).await?;
        let query = Query::from([("code_version".to_owned(), active.id.to_string())]);
        let download = self.service_download(&method, &query).await?;
        Ok(Some(whole(download, service, room).await?.to_url()))
    }
}

/// The file, when there is room for it.
async fn whole(mut download: Download, service: &Service, room: &mut u64) -> Result<InlineFile> {
    let mut content = Vec::new();
    while let Some(chunk) = download.content.next().await {
        let chunk = chunk.map_err(|source| Error::Passed(broken(service, &source)))?;
        content.extend_from_slice(&chunk);
        // As a URL it is longer by a third.
        if content.len() as u64 > *room / 4 * 3 {
            return Err(Error::Invalid(format!(
                "the code of service {} does not fit in a manifest, which holds {} MiB; download it \
                 by `cps generic download-code {}`",
                service.id,
                MANIFEST_LIMIT >> 20,
                service.id
            )));
        }
    }
    *room -= content.len() as u64 * 4 / 3;
    Ok(InlineFile { name: download.filename, content })
}

fn broken(service: &Service, source: &std::io::Error) -> protocol::ApiError {
    tracing::warn!(service = %service.id, error = %source, "a download broke off");
    protocol::ApiError::new(
        protocol::ErrorCode::Unavailable,
        format!("the code of service {} could not be read to its end", service.id),
    )
    .hint("try again")
}

/// The volumes that the nodes have, each by its node's place among those of its role.
fn volumes(nodes: &[Node], volumes: &[Volume]) -> Vec<ManifestVolume> {
    let manifest = |volume: &Volume| {
        let node = nodes.iter().find(|node| node.id == volume.node)?;
        let older = |other: &&Node| other.role == node.role && other.id < node.id;
        let before = u32::try_from(nodes.iter().filter(older).count()).ok()?;
        Some(ManifestVolume {
            name: volume.name.clone(),
            size: volume.size_mib,
            role: Some(node.role.clone()),
            node: Some(before + 1),
        })
    };
    volumes.iter().filter(|one| one.state == VolumeState::Attached).filter_map(manifest).collect()
}

/// How many nodes of each role there are.
fn counts(nodes: &[Node]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for node in nodes {
        *counts.entry(node.role.clone()).or_insert(0) += 1;
    }
    counts
}
