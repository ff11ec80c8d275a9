//! Methods of one kind of service: passed on to its manager, files as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::StreamExt;
use protocol::api::MethodKind;
use protocol::api::usage::METRICS_TYPE;
use protocol::client::{Download, Upload};
use protocol::{ApiError, ServiceId};
use serde_json::Value;

use super::extract::{Path, Query, json};
use super::registry::{Api, Endpoint, Verb};
use crate::app::service_method::{Call, Query as Parameters};
use crate::app::user::UserRecord;
use crate::app::{App, Error};

const METHOD: &str = "/v1/services/{id}/methods/{method}";
/// The longest JSON body of a command.
const COMMAND_LIMIT: usize = 2 << 20;
/// The longest upload.
const UPLOAD_LIMIT: u64 = 1 << 30;

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            METHOD,
            "service_query",
            "Asks a service something that its type knows (query), or fetches a file (download).",
        )
        .output::<Value>(),
        get,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            METHOD,
            "service_command",
            "Has a service do something that its type knows (command), or sends a file (upload).",
        )
        .input::<Value>()
        .output::<Value>(),
        post,
    );
}

async fn get(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path((id, name)): Path<(ServiceId, String)>,
    Query(query): Query<Parameters>,
) -> Result<Response, ApiError> {
    let method = app.service_method(user.id, id, &name, Call::Get).await?;
    match method.kind() {
        MethodKind::Download => {
            let file = app.service_download(&method, &query).await?;
            Ok(match name.as_str() {
                "get_metrics" => metrics(file),
                _ => attachment(file),
            })
        }
        MethodKind::Query | MethodKind::Command | MethodKind::Upload => {
            Ok(Json(app.service_query(&method, &query).await?).into_response())
        }
    }
}

async fn post(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path((id, name)): Path<(ServiceId, String)>,
    Query(query): Query<Parameters>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let method = app.service_method(user.id, id, &name, Call::Post).await?;
    let (parts, body) = request.into_parts();
    match method.kind() {
        MethodKind::Upload => {
            let announced = length(&parts.headers);
            if announced.is_some_and(|length| length > UPLOAD_LIMIT) {
                return Err(Error::TooLarge { limit: UPLOAD_LIMIT }.into());
            }
            let (upload, exceeded) = limited(body, UPLOAD_LIMIT);
            let answer = app.service_upload(&method, &query, upload).await;
            if exceeded.load(Ordering::Relaxed) {
                return Err(Error::TooLarge { limit: UPLOAD_LIMIT }.into());
            }
            Ok(Json(answer?))
        }
        MethodKind::Command | MethodKind::Query | MethodKind::Download => {
            let limit = COMMAND_LIMIT as u64;
            let bytes = axum::body::to_bytes(body, COMMAND_LIMIT)
                .await
                .map_err(|_| Error::TooLarge { limit })?;
            Ok(Json(app.service_command(&method, &json(&bytes)?).await?))
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body as an upload that breaks off, and says so, when it is longer than the limit.
fn limited(body: Body, limit: u64) -> (Upload, Arc<AtomicBool>) {
    let exceeded = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&exceeded);
    let mut left = limit;
    let content = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        match left.checked_sub(chunk.len() as u64) {
            Some(rest) => left = rest,
            None => {
                flag.store(true, Ordering::Relaxed);
                return Err(std::io::Error::other("the upload is too large"));
            }
        }
        Ok(chunk)
    });
    (Upload::wrap_stream(content), exceeded)
}

/// For Prometheus, which reads what is text alone.
fn metrics(download: Download) -> Response {
    ([(CONTENT_TYPE, METRICS_TYPE)], Body::from_stream(download.content)).into_response()
}

/// Never anything that a browser would show: its content is whatever a user made.
fn attachment(download: Download) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", download.filename);
    let disposition = HeaderValue::from_str(&disposition)
        .unwrap_or(HeaderValue::from_static("attachment; filename=\"download\""));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, Body::from_stream(download.content)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_breaks_off_at_the_limit() {
        for (length, fits) in [(9, true), (10, true), (11, false)] {
            let (upload, exceeded) = limited(Body::from(vec![0; length]), 10);
            let stream = Body::new(upload).into_data_stream();
            let chunks: Vec<_> = stream.collect().await;
            assert_eq!(chunks.iter().all(Result::is_ok), fits, "{length}");
            assert_eq!(exceeded.load(Ordering::Relaxed), !fits, "{length}");
        }
    }
}
