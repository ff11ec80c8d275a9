//! A director that knows two applications by heart and remembers what it was asked.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use protocol::tls::server::{TlsListener, serve};
use protocol::tls::{ClientCertificates, Credentials, Holder, Trust, server_config};
use protocol::{ApiError, ErrorCode, Identity};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

mod answers;

pub(crate) const TOKEN: &str = "the-token";
const INSTALLATION: &str = "test";

/// A request the director was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and path with query.
    pub(crate) what: String,
    pub(crate) body: String,
}

#[derive(Default)]
struct Memory {
    asked: Mutex<Vec<Asked>>,
    refusal: Mutex<Option<(String, ApiError)>>,
}

/// The director; it ends when this is dropped.
pub(crate) struct Director {
    pub(crate) url: String,
    pub(crate) trust: Trust,
    pub(crate) holder: Arc<Holder>,
    memory: Arc<Memory>,
    _running: DropGuard,
}

impl Director {
    pub(crate) async fn start() -> Self {
        let (trust, holder) = authority();
        let config =
            server_config(Arc::clone(&holder), &trust, ClientCertificates::Optional).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let listener = TlsListener::new(listener, config, trust.clone()).unwrap();
        let memory = Arc::new(Memory::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&memory));
        let end = CancellationToken::new();
        tokio::spawn(serve(listener, router, end.clone()));
        Self { url, trust, holder, memory, _running: end.drop_guard() }
    }

    /// Refuses requests whose method and path are these.
    pub(crate) fn refuse(&self, what: &str, error: ApiError) {
        *self.memory.refusal.lock().unwrap() = Some((what.to_owned(), error));
    }

    /// What changed something, in order.
    pub(crate) fn orders(&self) -> Vec<Asked> {
        let asked = self.memory.asked.lock().unwrap();
        asked.iter().filter(|asked| !asked.what.starts_with("GET ")).cloned().collect()
    }

    /// Method, path and query of everything that was asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.memory.asked.lock().unwrap().iter().map(|asked| asked.what.clone()).collect()
    }
}

/// An authority, and a director's certificate of it.
fn authority() -> (Trust, Arc<Holder>) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().unwrap();
    let mut holder = CertificateParams::default();
    let uri = Identity::Director.uri(INSTALLATION);
    holder.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri).unwrap())];
    let certificate = holder.signed_by(&key, &issuer).unwrap();
    let trust = Trust::new(INSTALLATION, &ca_certificate.pem()).unwrap();
    let credentials = Credentials { certificate: certificate.pem(), key: key.serialize_pem() };
    (trust, Holder::new(&credentials).unwrap())
}

async fn answer(State(memory): State<Arc<Memory>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.into()).unwrap();
    let plain = format!("{} {}", parts.method, parts.uri.path());
    let what = format!("{} {}", parts.method, parts.uri);
    memory.asked.lock().unwrap().push(Asked { what, body: body.clone() });

    let refusal = memory.refusal.lock().unwrap().clone();
    if let Some((refused, error)) = refusal
        && refused == plain
    {
        return error.into_response();
    }
    let bearer = format!("Bearer {TOKEN}");
    let known = parts.headers.get(AUTHORIZATION).is_some_and(|value| value == bearer.as_str());
    let public = ["/v1/login", "/v1/login-options", "/v1/register"];
    let public = public.contains(&parts.uri.path()) || plain.contains("/v1/login/oidc/");
    if !known && !public {
        return ApiError::new(ErrorCode::Unauthenticated, "the token is not valid").into_response();
    }
    match answers::to(&plain, &body) {
        None if plain == "POST /v1/login" => {
            ApiError::new(ErrorCode::Unauthenticated, "The user name or the password is wrong.")
                .into_response()
        }
        Some(text) if plain.ends_with("/download_code") => {
            let name = "attachment; filename=\"shop.tar.gz\"";
            ([("content-disposition", name)], text).into_response()
        }
        Some(text) => (StatusCode::OK, Body::from(text)).into_response(),
        None => ApiError::not_found(format!("there is no {plain}")).into_response(),
    }
}
