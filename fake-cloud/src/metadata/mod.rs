//! The metadata service: what a server may ask about itself, in the layouts of EC2 and of
//! OpenStack.
//!
//! Who asks is known by the address that the request comes from, as in every cloud: a server finds
//! `/latest/…` and `/openstack/…` for itself. Where its requests come from other addresses, it has
//! a part of its own below `/metadata/<token>/`, behind a token that nobody can guess.

mod ec2;
mod openstack;
mod session;
mod tree;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, Method, StatusCode, header};
use time::OffsetDateTime;

use crate::cloud::Cloud;
use crate::control::{self, Struck, points};
use crate::model::{Model, Server};
pub(crate) use openstack::meta_data;
use session::Session;
use tree::Entry;

/// Where a server finds its part whatever address it asks from.
const TOKEN_PATH: &str = "/metadata/";

/// The header that bears a session's token.
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");

/// The header that tells for how long a session is good, in seconds.
const LIFETIME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// Answers at the paths of both layouts.
pub(crate) fn router(cloud: Arc<Cloud>) -> Router {
    let mut router = Router::new().route("/metadata/{token}/{*path}", any(answer));
    router = router.route("/metadata/{token}/", any(answer));
    for version in ec2::VERSIONS.iter().chain(&["openstack"]) {
        for path in ["", "/", "/{*path}"] {
            router = router.route(&format!("/{version}{path}"), any(answer));
        }
    }
    router.with_state(cloud)
}

async fn answer(
    State(cloud): State<Arc<Cloud>>,
    caller: ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let reply = async { reply(&cloud, caller.ip(), request) };
    match cloud.strike(points::METADATA, reply).await {
        Struck::Answered(response) => response,
        Struck::Error(error) => (error.status, error.message.unwrap_or_default()).into_response(),
        Struck::Dropped => control::dropped(),
    }
}

fn reply(cloud: &Cloud, caller: IpAddr, request: Request) -> Response {
    let model = cloud.read();
    let path = request.uri().path();
    let own_part =
        path.strip_prefix(TOKEN_PATH).map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let (server, path) = match own_part {
        Some((token, rest)) => (by_token(&model, token), rest),
        None => (by_address(&model, caller), path.trim_start_matches('/')),
    };
    match server {
        Some(server) => serve(cloud, &model, server, &request, path),
        None => refuse(StatusCode::NOT_FOUND),
    }
}

fn by_token<'a>(model: &'a Model, token: &str) -> Option<&'a Server> {
    model.servers.at(model.servers.index().by_metadata_token(token)).next()
}

fn by_address(model: &Model, address: IpAddr) -> Option<&Server> {
    let IpAddr::V4(address) = address.to_canonical() else { return None };
    model.ports_with(address).find_map(|port| model.servers.get(port.server_id()?))
}

/// Answers a server's question about itself, if it asks as its owner wants it to.
fn serve(cloud: &Cloud, model: &Model, server: &Server, request: &Request, path: &str) -> Response {
    let (now, options) = (cloud.now(), &server.options.metadata);
    // OpenStack's service knows no sessions, and no switch to turn it off.
    if let Some(path) = path.strip_prefix("openstack") {
        return match *request.method() {
            Method::GET | Method::HEAD => show(openstack::find(model, server, path)),
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED),
        };
    }
    if !options.enabled {
        return refuse(StatusCode::FORBIDDEN);
    }
    if path == "latest/api/token" {
        return begin_session(server, request, now);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED);
    }
    let token = request.headers().get(TOKEN).map(|token| token.as_bytes());
    let left = match token.map(|token| Session::read(token, &server.metadata_token, now)) {
        Some(None) => return refuse(StatusCode::UNAUTHORIZED),
        None if options.tokens_required => return refuse(StatusCode::UNAUTHORIZED),
        None => None,
        Some(Some(session)) => Some(session.left(now).whole_seconds()),
    };
    let mut response = show(ec2::find(model, server, &cloud.region, path));
    if let Some(left) = left {
        response.headers_mut().insert(LIFETIME, left.into());
    }
    response
}

/// A session by which a program in the server shows that it can send requests of its own making.
fn begin_session(server: &Server, request: &Request, now: OffsetDateTime) -> Response {
    if request.method() != Method::PUT {
        return refuse(StatusCode::METHOD_NOT_ALLOWED);
    }
    // Proxies and redirectors that are left open set it.
    if request.headers().contains_key("x-forwarded-for") {
        return refuse(StatusCode::FORBIDDEN);
    }
    let seconds = request.headers().get(LIFETIME).and_then(|value| value.to_str().ok());
    let Some(session) = seconds.and_then(|seconds| Session::begin(seconds, now)) else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let seconds = session.left(now).whole_seconds();
    ([(LIFETIME, seconds.to_string())], session.token(&server.metadata_token)).into_response()
}

fn show(entry: Option<Entry>) -> Response {
    match entry {
        Some(Entry::Text(text)) => plain(text),
        Some(Entry::Directory(directory)) => plain(directory.listing()),
        Some(Entry::Json(json)) => axum::Json(json).into_response(),
        Some(Entry::Bytes(bytes)) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
        }
        None => refuse(StatusCode::NOT_FOUND),
    }
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn refuse(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    (status, format!("{} {reason}", status.as_u16())).into_response()
}

/// User-data as it was given, byte by byte.
fn user_data(server: &Server) -> Option<Entry> {
    STANDARD.decode(server.user_data.as_ref()?).ok().map(Entry::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{NOW, model, wanted};

    /// A seeded model and a server in it.
    pub(super) fn with_server(user_data: Option<&str>) -> (Model, Server) {
        let (mut model, caller) = model();
        let mut wanted = wanted(&model);
        wanted.user_data = user_data.map(str::to_owned);
        let project = caller.project_id.unwrap();
        let id = model.create_servers(&caller, project, &wanted, NOW).unwrap()[0];
        let server = model.servers.get(id).unwrap().clone();
        (model, server)
    }

    #[test]
    fn a_server_is_known_by_its_address_or_its_token() {
        let (model, server) = with_server(None);
        let found = |server: Option<&Server>| server.map(|server| server.id);
        assert_eq!(found(by_address(&model, "127.5.16.2".parse().unwrap())), Some(server.id));
        assert_eq!(
            found(by_address(&model, "::ffff:127.5.16.2".parse().unwrap())),
            Some(server.id)
        );
        assert_eq!(found(by_address(&model, "127.0.0.1".parse().unwrap())), None);
        assert_eq!(found(by_token(&model, &server.metadata_token)), Some(server.id));
        assert_eq!(found(by_token(&model, "")), None);
    }
}
