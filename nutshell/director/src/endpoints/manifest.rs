//! Manifests: whole applications as documents, and their deployments.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use protocol::api::manifest::MANIFEST_LIMIT;
use protocol::api::{Deployment, Manifest, ReadyManifest};
use protocol::{ApiError, ApplicationId, OperationId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Answer, Changed, Path, Query, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::manifest::REGISTER_LIMIT;
use crate::app::user::UserRecord;
use crate::app::{App, Error};

const ALL: &str = "/v1/manifests";
const ONE: &str = "/v1/manifests/{name}";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            ALL,
            "manifest_list",
            "The manifests for everybody: those that come with the director, then those registered.",
        )
        .output::<Vec<ReadyManifest>>(),
        manifest_list,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            ALL,
            "manifest_deploy",
            "Makes an application of a manifest: all of it, or nothing. Answers once it is recorded.",
        )
        .query::<Where>()
        .input::<Manifest>()
        .output::<Deployment>(),
        manifest_deploy,
    );
    api.add(
        Endpoint::new(
            Verb::Put,
            ONE,
            "manifest_register",
            Role::Administrator,
            "Keeps a manifest for everybody, instead of one that was registered under the name.",
        )
        .input::<Manifest>()
        .output::<ReadyManifest>(),
        manifest_register,
    );
    api.add(
        Endpoint::new(
            Verb::Delete,
            ONE,
            "manifest_unregister",
            Role::Administrator,
            "Forgets a registered manifest.",
        ),
        manifest_unregister,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/deployments/{id}",
            "deployment_view",
            "What became of a deployment; waits for a change if asked.",
        )
        .query::<Changed>()
        .output::<Deployment>(),
        deployment_view,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/applications/{id}/manifest",
            "application_manifest",
            "A manifest that restores to the same application, its code within it.",
        )
        .output::<Manifest>(),
        application_manifest,
    );
}

async fn manifest_list(State(app): State<App>) -> Answer<Vec<ReadyManifest>> {
    answer(app.manifest_list().await)
}

async fn manifest_register(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Answer<ReadyManifest> {
    let text = whole(request, REGISTER_LIMIT).await?;
    answer(app.manifest_register(&name, &text).await)
}

async fn manifest_unregister(State(app): State<App>, Path(name): Path<String>) -> Answer<()> {
    answer(app.manifest_unregister(&name).await)
}

async fn whole(request: Request, limit: u64) -> Result<Bytes, ApiError> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let read = axum::body::to_bytes(request.into_body(), most).await;
    read.map_err(|_| Error::TooLarge { limit }.into())
}

/// Where what is deployed is to run.
#[derive(Debug, Deserialize, JsonSchema)]
struct Where {
    /// Cloud of the manager, and of services that name none; the default cloud when absent.
    cloud: Option<String>,
}

async fn manifest_deploy(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Query(place): Query<Where>,
    request: Request,
) -> Answer<Deployment> {
    let text = whole(request, MANIFEST_LIMIT).await?;
    answer(app.manifest_deploy(user.id, &text, place.cloud.as_deref()).await)
}

async fn deployment_view(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<OperationId>,
    Query(changed): Query<Changed>,
) -> Answer<Deployment> {
    answer(match changed.wish() {
        None => app.deployment_view(user.id, id).await,
        Some((after, wait)) => app.deployment_changed(user.id, id, after, wait).await,
    })
}

async fn application_manifest(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
) -> Answer<Manifest> {
    answer(app.application_manifest(user.id, id).await)
}
