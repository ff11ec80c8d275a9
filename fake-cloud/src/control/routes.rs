//! The steering API's routes, and who may ask: who has the token that the cloud tells at its start.

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{Control, ControlError, api};
use crate::cloud::{Cloud, chain};
use crate::query;
use crate::regions::Regions;
use crate::snapshot::SnapshotError;

/// What all paths begin with.
pub(crate) const PATH: &str = "/control";

/// The largest request that is read.
const BODY_MAX: usize = 1 << 16;

/// A request on its way.
pub(crate) struct Call {
    pub(crate) control: Control,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Why a request was refused.
pub(crate) struct Refusal(StatusCode, String);

type Answer = BoxFuture<'static, Result<Reply, Refusal>>;

/// What is answered.
pub(crate) enum Reply {
    Json(Value),
    /// Plain text, perhaps as it comes about.
    Text(Body),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Self::Text(body)
    }
}

/// One thing to ask for.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// What it does, in a few words.
    pub(crate) what: &'static str,
    handler: fn(Call) -> Answer,
}

macro_rules! routes {
    ($($method:ident $path:literal $handler:ident $what:literal;)*) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            what: $what,
            handler: |call| Box::pin(api::$handler(call).map_ok(Reply::from)),
        }),*]
    };
}

/// Everything that can be asked for.
pub(crate) const ROUTES: &[Route] = routes![
    GET "" overview "how the cloud is steered at the moment";
    DELETE "" clear "ends all faults, shortages and partitions";
    GET "/points" points "the operations and steps that faults can be at";
    POST "/faults" inject "makes something go wrong";
    DELETE "/faults/{fault}" remove "ends a fault; what it holds up goes on";
    PUT "/transitions" transitions "how long work takes: immediate, timed or manual";
    PUT "/latency" latency "how long the way to a region's APIs takes";
    POST "/step" step "lets work go on that waits";
    POST "/clock" advance "moves the cloud's clock forward";
    GET "/servers/{server}/console" console "what a server printed; with `follow`, as it comes";
    GET "/servers/{server}/usage" usage "what a server uses now";
    POST "/servers/{server}/kill" kill "a server dies by itself";
    POST "/servers/{server}/cut-off" cut_off "a server is cut off the network";
    POST "/servers/{server}/rejoin" rejoin "a server is back on the network";
    POST "/snapshot" snapshot "writes the whole cloud to a file";
    GET "/environment/{user}" environment "what a user's clients need to know, as variables";
    POST "/shutdown" shutdown "ends the cloud with all its servers, as Ctrl-C does";
    POST "/exhausted" exhaust "a pool of addresses or a quota has nothing left";
];

impl Call {
    /// A part of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What was sent.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        let status = match error {
            ControlError::Missing { .. } | ControlError::NoSuchPoint(_) => StatusCode::NOT_FOUND,
            ControlError::Unfit(_) => StatusCode::BAD_REQUEST,
            ControlError::Network(_) | ControlError::Cloud(_) | ControlError::Console(_) => {
                StatusCode::CONFLICT
            }
        };
        Self(status, chain(&error))
    }
}

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        Self(StatusCode::CONFLICT, chain(&error))
    }
}

/// Answers below [`PATH`].
pub(crate) fn router(regions: &Regions) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let regions = regions.clone();
        let handler = move |params: RawPathParams, request: Request| {
            answer(route, regions.clone(), params, request)
        };
        let filter = MethodFilter::try_from(route.method.clone());
        let filter = filter.expect("the table names usual methods only");
        router = router.route(&format!("{PATH}{}", route.path), on(filter, handler));
    }
    router
}

async fn answer(
    route: &'static Route,
    regions: Regions,
    params: RawPathParams,
    request: Request,
) -> Response {
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let result = async {
        let (parts, body) = request.into_parts();
        admit(regions.here(), parts.headers.get(header::AUTHORIZATION).map(|it| it.as_bytes()))?;
        let body = axum::body::to_bytes(body, BODY_MAX)
            .await
            .map_err(|_| Refusal(StatusCode::PAYLOAD_TOO_LARGE, "too much".to_owned()))?;
        let query = query::parse(parts.uri.query().unwrap_or_default());
        let control = Control::new(steered(regions, &query)?);
        (route.handler)(Call { control, params, query, body: body.to_vec() }).await
    };
    match result.await {
        Ok(Reply::Json(value)) => axum::Json(value).into_response(),
        Ok(Reply::Text(body)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
        }
        Err(Refusal(status, message)) => {
            (status, axum::Json(json!({"error": message}))).into_response()
        }
    }
}

/// The region that a query names, the one whose address was asked when it names none.
fn steered(regions: Regions, query: &[(String, String)]) -> Result<Regions, ControlError> {
    match query.iter().find(|(name, _)| name == "region") {
        None => Ok(regions),
        Some((_, name)) => regions.seen_from(name).ok_or_else(|| super::missing("region", name)),
    }
}

fn admit(cloud: &Cloud, authorization: Option<&[u8]>) -> Result<(), Refusal> {
    let given = authorization.and_then(|it| it.strip_prefix(b"Bearer ")).unwrap_or_default();
    if bool::from(given.ct_eq(cloud.control_token.as_bytes())) {
        return Ok(());
    }
    let message = "steering needs the header 'Authorization: Bearer TOKEN', with the token that \
                   the cloud told at its start";
    Err(Refusal(StatusCode::UNAUTHORIZED, message.to_owned()))
}
