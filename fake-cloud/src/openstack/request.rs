//! A request as handlers see it: who asks, for what, with which words.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::errors::Fault;
use super::microversion::Microversion;
use super::policy;
use super::route::{Access, Route, Service};
use crate::cloud::Cloud;
use crate::model::{Caller, ProjectId};
use crate::query;

/// The largest JSON that is read; the content of images is not JSON.
const BODY_MAX: usize = 1 << 20;

/// A request on its way to its handler.
#[derive(Debug)]
pub(crate) struct Context {
    /// The cloud.
    pub(crate) cloud: Arc<Cloud>,
    /// Who asks; nobody where everyone may.
    pub(crate) caller: Option<Caller>,
    /// The version of Nova's API that was asked for.
    pub(crate) version: Microversion,
    /// Names the request in logs and events.
    pub(crate) request_id: String,
    /// The operation that was asked for.
    pub(crate) route: &'static Route,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The query as it was sent.
    pub(crate) raw_query: String,
    /// The content; locked only because the trait of bodies lets nobody share one.
    body: Mutex<Body>,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

/// A new id for a request.
pub(crate) fn request_id() -> String {
    format!("req-{}", Uuid::new_v4())
}

impl Context {
    /// Finds out who asks and whether they may.
    pub(crate) fn new(
        cloud: Arc<Cloud>,
        service: Service,
        route: &'static Route,
        request_id: &str,
        version: Microversion,
        params: RawPathParams,
        request: Request,
    ) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        let token = parts.headers.get("x-auth-token").and_then(|token| token.to_str().ok());
        let caller = token.and_then(|token| cloud.bearer(token));
        admit(service, route, caller.as_ref())?;
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self {
            cloud,
            caller,
            version,
            request_id: request_id.to_owned(),
            route,
            headers: parts.headers,
            query: query::parse(&raw_query),
            raw_query,
            body: Mutex::new(body),
            params: params
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    /// Who asks. The route's [`Access`] has made sure that there is someone.
    pub(crate) fn caller(&self) -> Result<Caller, Fault> {
        self.caller.ok_or_else(Fault::unauthorized)
    }

    /// The project they ask for. The route's [`Access`] has made sure that there is one.
    pub(crate) fn project(&self) -> Result<ProjectId, Fault> {
        self.caller()?.project_id.ok_or_else(Fault::unauthorized)
    }

    /// Whether the version that was asked for is at least this one of its service.
    pub(crate) fn since(&self, minor: u16) -> bool {
        self.version >= Microversion(minor)
    }

    /// A part of the path; empty when the route has none of that name.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A word of the query.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.queries(name).next()
    }

    /// All words of the query with one name.
    pub(crate) fn queries(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All words of the query.
    pub(crate) fn all_queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A word of the query that must be of a kind.
    pub(crate) fn parsed_query<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Fault::bad_request(format!(
                    "Invalid input for query parameters {name}. Value: {text}."
                ))
            })
        };
        self.query(name).map(parse).transpose()
    }

    /// Takes the content as it was sent.
    pub(crate) fn take_body(&mut self) -> Body {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(body, Body::empty())
    }

    /// Reads the JSON that was sent.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let content = axum::body::to_bytes(self.take_body(), BODY_MAX).await.map_err(|_| {
            Fault::new(http::StatusCode::PAYLOAD_TOO_LARGE, "Request is too large.")
        })?;
        serde_json::from_slice(&content).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Fault::bad_request(format!("Invalid input received: {error}"))
            }
            _ => Fault::bad_request("Malformed request body"),
        })
    }
}

/// The one rule of who may ask what.
fn admit(service: Service, route: &Route, caller: Option<&Caller>) -> Result<(), Fault> {
    let Some(caller) = caller else {
        return if route.access == Access::Open { Ok(()) } else { Err(Fault::unauthorized()) };
    };
    match route.access {
        Access::Open | Access::Token => Ok(()),
        Access::Project if caller.project_id.is_some() => Ok(()),
        // A token without a project sees no service but Keystone.
        Access::Project => Err(Fault::unauthorized()),
        Access::Admin if caller.is_admin => Ok(()),
        Access::Admin => Err(policy::refusal(service, route)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TokenId, UserId};

    #[test]
    fn who_may_ask_what() {
        let caller = |project, is_admin| Caller {
            user_id: UserId::random(),
            project_id: project,
            is_admin,
            token_id: TokenId::random(),
        };
        let project = Some(ProjectId::random());
        let (unscoped, member, admin) =
            (caller(None, false), caller(project, false), caller(project, true));
        let rows = [
            (Access::Open, [true, true, true, true]),
            (Access::Token, [false, true, true, true]),
            (Access::Project, [false, false, true, true]),
            (Access::Admin, [false, false, false, true]),
        ];
        for (access, expected) in rows {
            let callers = [None, Some(&unscoped), Some(&member), Some(&admin)];
            let mut routes = Service::Identity.routes().iter().chain(Service::Network.routes());
            let route = routes.find(|route| route.access == access).unwrap();
            let admitted = callers.map(|caller| admit(Service::Compute, route, caller).is_ok());
            assert_eq!(admitted, expected, "{access:?}");
        }
    }
}
