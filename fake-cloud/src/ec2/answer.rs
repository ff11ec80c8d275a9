//! From a request to its answer: who has signed it, which operation they ask for, what comes of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header, request};
use uuid::Uuid;

use super::errors::Fault;
use super::operation::{Answer, Call, Operation};
use super::params::Params;
use super::service::Service;
use super::signature::{Claim, Doubt, NoClaim, Signed};
use super::xml::Xml;
use super::{PATH, find};
use crate::cloud::Cloud;
use crate::control::{self, Struck, points};
use crate::model::{Caller, ProjectId};
use crate::query;
use crate::regions::Regions;

/// The largest request that is read.
const BODY_MAX: usize = 1 << 20;

/// Answers at the API's addresses.
pub(crate) fn router(regions: Regions) -> Router {
    Router::new()
        .route("/", post(answer))
        .route("/ec2", get(answer).post(answer))
        .route(PATH, get(answer).post(answer))
        .with_state(regions)
}

async fn answer(State(regions): State<Regions>, request: Request) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let received = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| {
        Fault::new("RequestEntityTooLarge", "The request is too large.")
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
    });
    let body = received.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let mut pairs = query::parse(parts.uri.query().unwrap_or_default());
    pairs.extend(query::parse(&String::from_utf8_lossy(body)));
    let params = Params::of(pairs.clone());
    let service = Service::of(&params);
    let served = match &received {
        Ok(body) => {
            let signed = authenticate(&regions, service, &parts, &pairs, body);
            serve(service, signed, params, &request_id).await
        }
        Err(fault) => Err(fault.clone()),
    };
    let (status, text) = match served {
        Ok(Some(text)) => (StatusCode::OK, text),
        Ok(None) => return control::dropped(),
        Err(fault) => (fault.status, service.fault(&fault, &request_id)),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/xml;charset=UTF-8"),
        (header::HeaderName::from_static("x-amzn-requestid"), request_id.as_str()),
    ];
    (status, headers, text).into_response()
}

/// Answers one request of who has signed it: for what, what do they get.
/// Nothing when its connection is to be closed instead.
async fn serve(
    service: Service,
    signed: Result<(Arc<Cloud>, Caller, ProjectId), Fault>,
    params: Params,
    request_id: &str,
) -> Result<Option<String>, Fault> {
    let (cloud, caller, project) = signed?;
    cloud.welcome(project).await?;
    let name = params.text("Action").ok_or_else(|| Fault::missing_parameter("Action"))?;
    let operation = find(name)?;
    let namespace = service.namespace(&params)?;
    let request_id = request_id.to_owned();
    let call = Call { cloud: Arc::clone(&cloud), caller, project, params, request_id };
    let request_id = call.request_id.clone();
    match cloud.strike(&points::ec2(operation.name), work(operation, call)).await {
        Struck::Answered(content) => {
            Ok(Some(service.document(operation.name, content?, &namespace, &request_id)))
        }
        Struck::Error(error) => Err(Fault::injected(error)),
        Struck::Dropped => Ok(None),
    }
}

/// Works out an answer. What may change something does so in a task of its own: a client that
/// goes away must not leave half of it done.
async fn work(operation: &'static Operation, call: Call) -> Result<Xml, Fault> {
    let change = match operation.answer {
        Answer::Reads(read) => {
            call.check_dry_run()?;
            return read(&call);
        }
        Answer::Changes(change) => {
            call.check_dry_run()?;
            change
        }
        Answer::ChecksFirst(change) => change,
    };
    let cloud = Arc::clone(&call.cloud);
    cloud.spawn(change(call)).await.unwrap_or_else(|error| {
        tracing::error!(%error, operation = operation.name, "failed");
        Err(Fault::internal())
    })
}

fn refused(status: StatusCode, code: &'static str, message: &str) -> Fault {
    Fault::new(code, message).with_status(status)
}

/// What is answered to who does not say who has signed.
fn unclaimed(none: NoClaim) -> Fault {
    match none {
        NoClaim::Missing => refused(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Request must contain a signature, in the header Authorization or in its parameters",
        ),
        NoClaim::Malformed => refused(
            StatusCode::BAD_REQUEST,
            "IncompleteSignature",
            "The signature is incomplete, or neither AWS4-HMAC-SHA256 nor of version 2",
        ),
    }
}

/// Who has signed the request, for which region's cloud and for which project.
fn authenticate(
    regions: &Regions,
    service: Service,
    parts: &request::Parts,
    parameters: &[(String, String)],
    body: &[u8],
) -> Result<(Arc<Cloud>, Caller, ProjectId), Fault> {
    let claim = Claim::find(&parts.headers, parameters).map_err(unclaimed)?;
    // Clients have one address for all regions; where they name none of ours, they mean that one.
    let there = claim.region().and_then(|region| regions.seen_from(region));
    let cloud = Arc::clone(there.as_ref().unwrap_or(regions).here());
    let unknown = || {
        let message = "AWS was not able to validate the provided access credentials";
        refused(StatusCode::UNAUTHORIZED, "AuthFailure", message)
    };
    let (caller, project, secret) = {
        let model = cloud.identity().read();
        let key = model.access_key(claim.access()).ok_or_else(unknown)?;
        let caller = model.bearer(key).ok_or_else(unknown)?;
        (caller, key.project_id, key.pair.secret.clone())
    };
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let checked = claim.verify(signed, parameters, &secret, service.name(), cloud.now());
    checked.map_err(|doubt| match doubt {
        Doubt::NoTime => refused(
            StatusCode::BAD_REQUEST,
            "IncompleteSignature",
            "Date must be in ISO-8601 'basic format' in the header X-Amz-Date",
        ),
        Doubt::Expired => {
            refused(StatusCode::BAD_REQUEST, "RequestExpired", "Request has expired.")
        }
        Doubt::Service => refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            &format!("Credential should be scoped to correct service: '{}'.", service.name()),
        ),
        Doubt::Mismatch => refused(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method.",
        ),
    })?;
    Ok((cloud, caller, project))
}
