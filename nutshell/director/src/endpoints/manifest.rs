//! Manifests: whole applications as documents, and their deployments.

use axum::extract::{Request, State};
use axum::{Extension, Json};
use protocol::api::manifest::MANIFEST_LIMIT;
use protocol::api::{Deployment, Manifest, ReadyManifest};
use protocol::{ApiError, ApplicationId, OperationId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Answer, Changed, Path, Query, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::manifest::ready_manifests;
use crate::app::user::UserRecord;
use crate::app::{App, Error};

const ALL: &str = "/v1/manifests";

fn endpoint(
    verb: Verb,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
) -> Endpoint {
    Endpoint::new(verb, path, operation, Role::User, summary)
}

pub(super) fn register(api: &mut Api) {
    api.add(
        endpoint(Verb::Get, ALL, "manifest_list", "The manifests that come with the director.")
            .output::<Vec<ReadyManifest>>(),
        manifest_list,
    );
    api.add(
        endpoint(
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
        endpoint(
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
        endpoint(
            Verb::Get,
            "/v1/applications/{id}/manifest",
            "application_manifest",
            "A manifest that restores to the same application, its code within it.",
        )
        .output::<Manifest>(),
        application_manifest,
    );
}

async fn manifest_list() -> Json<Vec<ReadyManifest>> {
    Json(ready_manifests())
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
    let limit = usize::try_from(MANIFEST_LIMIT).unwrap_or(usize::MAX);
    let text = axum::body::to_bytes(request.into_body(), limit)
        .await
        .map_err(|_| ApiError::from(Error::TooLarge { limit: MANIFEST_LIMIT }))?;
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
