//! The table of endpoints: what is not in it is not served, and nothing gets in without a role.

use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};
use futures::FutureExt;
use protocol::ApiError;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::access;
use crate::app::App;

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Anybody.
    Public,
    /// A user, by a session or an API token.
    User,
    /// A user who has logged in: no script does this.
    Session,
    /// A user who may administer the installation.
    Administrator,
    /// The manager of an application, by its certificate.
    Manager,
    /// A manager or an agent, by its certificate.
    Vm,
}

/// The verbs that the API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// How a type is described in the API's document.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// What comes out of an endpoint.
#[derive(Clone, Copy)]
pub(super) enum Output {
    /// Nothing: JSON's `null`.
    Nothing,
    /// JSON of that type.
    Json(Describe),
    /// Something else, of that media type.
    Media(&'static str),
}

/// One endpoint.
pub(crate) struct Endpoint {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) operation: &'static str,
    pub(super) role: Role,
    pub(super) summary: &'static str,
    pub(super) query: Option<Describe>,
    pub(super) input: Option<Describe>,
    pub(super) output: Output,
}

impl Endpoint {
    pub(super) const fn new(
        verb: Verb,
        path: &'static str,
        operation: &'static str,
        role: Role,
        summary: &'static str,
    ) -> Self {
        let output = Output::Nothing;
        Self { verb, path, operation, role, summary, query: None, input: None, output }
    }

    /// One for users, as most are.
    pub(super) const fn user(
        verb: Verb,
        path: &'static str,
        operation: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(verb, path, operation, Role::User, summary)
    }

    /// It reads a query of that type.
    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It reads a JSON body of that type.
    pub(super) fn input<T: JsonSchema>(mut self) -> Self {
        self.input = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It answers JSON of that type.
    pub(super) fn output<T: JsonSchema>(mut self) -> Self {
        self.output = Output::Json(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It answers something that is not JSON.
    pub(super) fn media(mut self, media_type: &'static str) -> Self {
        self.output = Output::Media(media_type);
        self
    }
}

/// The endpoints and their handlers.
#[derive(Default)]
pub(crate) struct Api {
    endpoints: Vec<Endpoint>,
    routes: Vec<(&'static str, MethodRouter<App>)>,
}

impl Api {
    /// Adds an endpoint; its handler is reached by those alone who have the role.
    pub(super) fn add<H, T>(&mut self, endpoint: Endpoint, handler: H)
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let (role, reads) = (endpoint.role, endpoint.verb == Verb::Get);
        let guard = from_fn(move |request: Request, next: Next| {
            access::check(role, reads, request, next).boxed()
        });
        self.routes.push((endpoint.path, on(endpoint.verb.filter(), handler).layer(guard)));
        self.endpoints.push(endpoint);
    }

    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    pub(super) fn into_router(self, app: App) -> Router {
        let mut router = Router::new();
        for (path, route) in self.routes {
            router = router.route(path, route);
        }
        router
            .method_not_allowed_fallback(async |request: Request| no_such_endpoint(&request))
            .layer(Extension(app.clone()))
            .with_state(app)
    }
}

/// What is said of a path or a verb that the API does not have.
pub(super) fn no_such_endpoint(request: &Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::not_found(format!("there is no {method} {path} in this API"))
        .hint("GET /openapi.json describes it")
}
