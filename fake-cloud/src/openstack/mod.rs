//! The OpenStack APIs on one listener: a table of routes a service, and what they have in common.

mod compute;
pub mod coverage;
mod errors;
mod identity;
mod image;
mod microversion;
mod network;
mod placement;
mod policy;
mod quotas;
mod request;
mod response;
mod route;
mod volume;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use http::{Method, StatusCode};

use crate::cloud::Cloud;
use crate::control::{self, Struck};
use crate::regions::Regions;
use crate::{ec2, metadata};

use errors::{Fault, PlainError};
use request::Context;
use route::{Route, Service};

/// All services, in the order in which a path is looked for among them.
const SERVICES: [Service; 6] = [
    Service::Compute,
    Service::Image,
    Service::Network,
    Service::Volume,
    Service::Placement,
    Service::Identity,
];

/// The names of all operations.
pub(crate) fn operations() -> impl Iterator<Item = String> {
    SERVICES
        .into_iter()
        .flat_map(|service| service.routes().iter().map(move |route| route.operation(service)))
}

/// Everything that the listener answers.
pub(crate) fn router(regions: &Regions) -> Router {
    let mut router = Router::new();
    for service in SERVICES {
        let is_identity = service == Service::Identity;
        let cloud = if is_identity { regions.home() } else { regions.here() };
        for route in service.routes() {
            for path in route.paths(service) {
                let cloud = Arc::clone(cloud);
                let handler = move |params: RawPathParams, request: Request| {
                    answer(service, route, cloud, params, request)
                };
                let filter = MethodFilter::try_from(route.method.clone())
                    .expect("the tables name usual methods only");
                router = router.route(&path, on(filter, handler));
            }
        }
    }
    router
        .merge(metadata::router(Arc::clone(regions.here())))
        .merge(control::router(regions))
        .merge(ec2::router(regions.clone()))
        .fallback(|request: Request| async move { lost(&request, Fault::no_such_path()) })
        .method_not_allowed_fallback(|request: Request| async move {
            lost(&request, Fault::no_such_method())
        })
}

/// Answers one request: who asks, may they, what do they get.
async fn answer(
    service: Service,
    route: &'static Route,
    cloud: Arc<Cloud>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let id = request::request_id();
    let version = microversion::negotiate(service, request.headers());
    let answer = async {
        let version = version.clone()?;
        let context = Context::new(cloud, service, route, &id, version, params, request)?;
        let cloud = Arc::clone(&context.cloud);
        if let Some(project) = context.caller.and_then(|caller| caller.project_id) {
            cloud.welcome(project).await.map_err(PlainError::from)?;
        }
        let struck = cloud.strike(&route.operation(service), work(route, context)).await;
        Ok(struck)
    };
    let result = match answer.await {
        Ok(Struck::Answered(result)) => result,
        Ok(Struck::Error(error)) => Err(Fault::injected(error)),
        Ok(Struck::Dropped) => return control::dropped(),
        Err(fault) => Err(fault),
    };
    // Who has no token does not get as far as the service.
    let is_stranger = matches!(&result, Err(fault) if fault.status == StatusCode::UNAUTHORIZED);
    let version = version.ok().filter(|_| !is_stranger);
    let mut response = result.unwrap_or_else(|fault: Fault| fault.render(service, &id));
    response::finish(&mut response, service, version, &id);
    response
}

/// Works out an answer. What may change something does so in a task of its own: a client that
/// goes away must not leave half of it done.
async fn work(route: &Route, context: Context) -> Result<Response, Fault> {
    if route.method == Method::GET {
        return (route.handler)(context).await;
    }
    let cloud = Arc::clone(&context.cloud);
    cloud.spawn((route.handler)(context)).await.unwrap_or_else(|error| {
        tracing::error!(%error, operation = route.name, "failed");
        Err(Fault::internal())
    })
}

/// Answers a request for what is not there, as the service whose path it is would.
fn lost(request: &Request, fault: Fault) -> Response {
    let service = Service::of_path(request.uri().path());
    let id = request::request_id();
    let mut response = fault.render(service, &id);
    response::finish(&mut response, service, None, &id);
    response
}
