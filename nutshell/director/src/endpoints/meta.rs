//! The director itself: is it there, which version, its API, and the executable for new VMs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use protocol::ApiError;
use protocol::api::{Cloud, ServiceType};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::openapi;
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::{App, Error};

const BINARY: &str = "application/octet-stream";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::new(Verb::Get, "/v1/healthz", "healthz", Role::Public, "Is the director there?")
            .output::<Health>(),
        healthz,
    );
    api.add(
        Endpoint::new(Verb::Get, "/v1/version", "version", Role::Public, "Which director is it?")
            .output::<Version>(),
        version,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/service-types",
            "service_type_list",
            "The kinds of service there are.",
        )
        .output::<Vec<ServiceType>>(),
        service_type_list,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/clouds",
            "cloud_list",
            "Names of the clouds, the default one first.",
        )
        .output::<Vec<String>>(),
        cloud_list,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/clouds/details",
            "cloud_details",
            "The clouds with what they offer, and whether they can be used now.",
        )
        .output::<Vec<Cloud>>(),
        cloud_details,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/openapi.json",
            "openapi",
            Role::Public,
            "This description of the API.",
        )
        .output::<Value>(),
        openapi_document,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/download/nutshell",
            "executable_download",
            Role::Public,
            "The executable that new VMs run.",
        )
        .media(BINARY),
        executable_download,
    );
}

/// The director answers.
#[derive(Serialize, JsonSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Which director it is.
#[derive(Serialize, JsonSchema)]
struct Version {
    /// Its version.
    version: &'static str,
    /// Its installation.
    installation: String,
}

async fn version(State(app): State<App>) -> Json<Version> {
    let installation = app.installation.clone();
    Json(Version { version: env!("CARGO_PKG_VERSION"), installation })
}

async fn service_type_list() -> Json<&'static [ServiceType]> {
    Json(services::service_types())
}

async fn cloud_list(State(app): State<App>) -> Json<Vec<String>> {
    Json(app.cloud_list())
}

async fn cloud_details(State(app): State<App>) -> Json<Vec<Cloud>> {
    Json(app.cloud_details().await)
}

async fn openapi_document() -> Json<Value> {
    Json(openapi::document(super::api().endpoints()))
}

async fn executable_download(State(app): State<App>) -> Result<Response, ApiError> {
    let file = tokio::fs::File::open(&app.executable.path).await.map_err(Error::Executable)?;
    let length = file.metadata().await.map_err(Error::Executable)?.len();
    let headers = [(CONTENT_TYPE, BINARY.to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 256 * 1024))).into_response())
}
