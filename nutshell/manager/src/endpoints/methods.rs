//! The methods that each type of service has of its own.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use protocol::api::MethodKind;
use protocol::{ApiError, ErrorCode, ServiceId};
use serde_json::{Map, Value};
use services::state::Request as Asked;
use services::web::autoscaling::{GET_AUTOSCALING, OFF_AUTOSCALING, ON_AUTOSCALING};
use tokio_util::io::ReaderStream;

use super::incoming::Incoming;
use super::{Manager, usage};
use crate::service::Service;

/// Commands carry names and parameters; files are streamed.
const LONGEST_COMMAND: usize = 1 << 20;

type Parameters = Query<Map<String, Value>>;

/// Methods of the kinds `query` and `download`.
pub(super) async fn read(
    State(manager): State<Arc<Manager>>,
    Path((id, method)): Path<(ServiceId, String)>,
    Query(mut parameters): Parameters,
) -> Result<Response, ApiError> {
    // How a query without parameters is written.
    parameters.remove("");
    let service = manager.application.service(id)?;
    match kind(&service, &method)? {
        // What every type of service has.
        _ if method == "get_usage" => {
            Ok(Json(usage::of_service(&manager, &service).await).into_response())
        }
        _ if method == GET_AUTOSCALING => Ok(Json(service.autoscaling()).into_response()),
        _ if method == "get_metrics" => Ok(usage::metrics(&manager, &service).await),
        MethodKind::Query => {
            service.check(service.half.request(&method), &format!("`{method}`"))?;
            let context = service.context();
            Ok(Json(service.half.query(&context, &method, parameters.into()).await?)
                .into_response())
        }
        MethodKind::Download => {
            service.check(service.half.request(&method), &format!("`{method}`"))?;
            let context = service.context();
            let file = service.half.download(&context, &method, parameters.into()).await?;
            let disposition = format!("attachment; filename=\"{}\"", file.filename);
            let disposition = HeaderValue::from_str(&disposition)
                .unwrap_or(HeaderValue::from_static("attachment"));
            let mut response = Body::from_stream(ReaderStream::new(file.content)).into_response();
            response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            Ok(response)
        }
        MethodKind::Command | MethodKind::Upload => Err(wrong_verb(&method, "POST")),
    }
}

/// Methods of the kinds `command` and `upload`.
pub(super) async fn write(
    State(manager): State<Arc<Manager>>,
    Path((id, method)): Path<(ServiceId, String)>,
    Query(parameters): Parameters,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let body = Incoming::new(request.into_body());
    match call(&manager, id, &method, parameters, &body).await {
        Ok(answer) => {
            // Who has the answer to a change has nothing to lose with this VM.
            if changes_files(&manager, id, &method) {
                manager.application.kept().await?;
            }
            Ok(answer)
        }
        Err(refusal) => {
            body.discard().await;
            Err(refusal)
        }
    }
}

/// Whether a method may change what the manager keeps; others have the nodes do something.
fn changes_files(manager: &Manager, id: ServiceId, method: &str) -> bool {
    let request = manager.application.service(id).map(|service| service.half.request(method));
    !matches!(request, Ok(Asked::Use | Asked::Reach))
}

async fn call(
    manager: &Manager,
    id: ServiceId,
    method: &str,
    parameters: Map<String, Value>,
    body: &Incoming,
) -> Result<Json<Value>, ApiError> {
    let service = manager.application.service(id)?;
    match kind(&service, method)? {
        MethodKind::Command => {
            let body = to_bytes(Body::from_stream(body.content()), LONGEST_COMMAND)
                .await
                .map_err(|_| ApiError::new(ErrorCode::TooLarge, "the parameters are too long"))?;
            let parameters = serde_json::from_slice(&body).map_err(|error| {
                ApiError::invalid(format!("the parameters are no JSON: {error}"))
            })?;
            // How nodes come and go is no half's business.
            match method {
                ON_AUTOSCALING => service.on_autoscaling(parameters),
                OFF_AUTOSCALING => service.off_autoscaling(),
                _ => Ok(service.command(method, parameters).await?),
            }
            .map(Json)
        }
        MethodKind::Upload => {
            service.check(service.half.request(method), &format!("`{method}`"))?;
            let context = service.context();
            let content = body.content();
            Ok(Json(service.half.upload(&context, method, parameters.into(), content).await?))
        }
        MethodKind::Query | MethodKind::Download => Err(wrong_verb(method, "GET")),
    }
}

fn kind(service: &Service, method: &str) -> Result<MethodKind, ApiError> {
    let methods = &service.service_type.methods;
    let found = methods.iter().find(|summary| summary.name == method);
    found.map(|summary| summary.kind).ok_or_else(|| {
        let names: Vec<_> = methods.iter().map(|summary| summary.name.as_str()).collect();
        ApiError::not_found(format!(
            "a {} service has no method `{method}`",
            service.service_type.name
        ))
        .hint(format!("it has {}", names.join(", ")))
    })
}

fn wrong_verb(method: &str, verb: &str) -> ApiError {
    ApiError::invalid(format!("`{method}` is called by {verb}"))
}
