//! Fetches files that users name by URL, within limits and from the public internet alone.
//!
//! A name is resolved once, every address it has is judged, and the connection goes to one that was
//! found good: what a name server says a moment later changes nothing. Each redirection is a new
//! URL and is judged as such.

mod address;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::{Client, Response, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt;

/// What may be fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Also from addresses that are not of the public internet: this machine, private networks.
    pub allow_private: bool,
    /// The longest file, in bytes.
    pub largest: u64,
    /// How long one file may take, redirections included.
    pub timeout: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self { allow_private: false, largest: 1 << 30, timeout: Duration::from_secs(10 * 60) }
    }
}

/// How many redirections are followed.
const REDIRECTIONS: usize = 5;
/// How long a server may take to accept a connection, and to send more of what it sends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0} is no URL that can be fetched: it begins with neither http:// nor https://")]
    NotHttp(String),
    #[error("{host} is not on the public internet")]
    Private { host: String },
    #[error("{host} has no address")]
    Unresolved { host: String },
    #[error("{url} leads on and on: more than {REDIRECTIONS} redirections")]
    Redirections { url: String },
    #[error("{url} does not answer")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answers {status}")]
    Status { url: String, status: reqwest::StatusCode },
    #[error("{url} is larger than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    #[error("{url} took longer than {seconds} s")]
    Timeout { url: String, seconds: u64 },
    #[error("failed to set up HTTP")]
    Setup(#[source] reqwest::Error),
    #[error("failed to write {}", path.display())]
    Write {
        path: std::path::PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Reads a URL, and refuses what could not be fetched whatever its host's addresses are.
pub(crate) fn url(text: &str) -> Result<Url, FetchError> {
    let url = Url::parse(text).map_err(|_| FetchError::NotHttp(text.to_owned()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(FetchError::NotHttp(text.to_owned())),
    }
}

/// Without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // URLs of http and https can do without either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// Fetches a file to that path; what a failure leaves there is incomplete.
pub(crate) async fn to_file(
    settings: &FetchSettings,
    url: &Url,
    path: &Path,
) -> Result<(), FetchError> {
    let fetching = async { save(settings, get(settings, url.clone()).await?, path).await };
    match tokio::time::timeout(settings.timeout, fetching).await {
        Ok(fetched) => fetched,
        Err(_) => Err(FetchError::Timeout { url: shown(url), seconds: settings.timeout.as_secs() }),
    }
}

/// Follows redirections up to the answer that has the file.
async fn get(settings: &FetchSettings, mut url: Url) -> Result<Response, FetchError> {
    let first = shown(&url);
    for _ in 0..=REDIRECTIONS {
        let response = request(settings, &url).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        match location.filter(|_| status.is_redirection()) {
            Some(location) => {
                let next =
                    url.join(location).map_err(|_| FetchError::NotHttp(location.to_owned()))?;
                url = self::url(next.as_str())?;
            }
            None => return Err(FetchError::Status { url: shown(&url), status }),
        }
    }
    Err(FetchError::Redirections { url: first })
}

/// Asks at an address that was found good, and at no other.
async fn request(settings: &FetchSettings, url: &Url) -> Result<Response, FetchError> {
    let addresses = resolve(url).await?;
    let host = url.host_str().unwrap_or_default();
    if !settings.allow_private && !addresses.iter().all(|found| address::is_public(found.ip())) {
        return Err(FetchError::Private { host: host.to_owned() });
    }
    let client = Client::builder()
        .tls_backend_preconfigured(tls())
        .no_proxy()
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::new(Resolved(addresses)))
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .user_agent(concat!("nutshell/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(FetchError::Setup)?;
    client.get(url.clone()).send().await.map_err(|source| unreachable(url, source))
}

fn unreachable(url: &Url, source: reqwest::Error) -> FetchError {
    FetchError::Unreachable { url: shown(url), source: source.without_url() }
}

/// All addresses of the URL's host. One that is written as an address is that one.
async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, FetchError> {
    let host = url.host_str().unwrap_or_default();
    let unresolved = || FetchError::Unresolved { host: host.to_owned() };
    let port = url.port_or_known_default().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((bare, port)).await.map_err(|_| unresolved())?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(unresolved()) } else { Ok(found) }
}

/// Answers with what was resolved before. An address needs no resolving, and was judged as well.
struct Resolved(Vec<SocketAddr>);

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resolved").field(&self.0).finish()
    }
}

impl Resolve for Resolved {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        async move { Ok(addresses) }.boxed()
    }
}

/// Believes whom this machine believes.
pub(crate) fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    // What cannot be read is believed by nobody; a machine without any fetches by http alone.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the versions that are safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn save(
    settings: &FetchSettings,
    mut response: Response,
    path: &Path,
) -> Result<(), FetchError> {
    let url = response.url().clone();
    let too_large = || FetchError::TooLarge { url: shown(&url), limit: settings.largest };
    let failed = |source| FetchError::Write { path: path.to_owned(), source };
    if response.content_length().is_some_and(|length| length > settings.largest) {
        return Err(too_large());
    }
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut left = settings.largest;
    while let Some(chunk) = response.chunk().await.map_err(|source| unreachable(&url, source))? {
        left = left.checked_sub(chunk.len() as u64).ok_or_else(too_large)?;
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

#[cfg(test)]
mod tests;
