//! HTTP to the cloud: one kept connection pool, and another try where that is safe.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Certificate, Client, Method, RequestBuilder, Url};
use rustls::crypto::{CryptoProvider, ring};

use crate::CloudError;

/// Of a connection that can be used: a busy cloud takes its time to shake hands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Pauses before the second and the third try.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(600)];

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The way to one cloud.
#[derive(Debug)]
pub(crate) struct Transport {
    /// For plain `http`: trusts nobody, reads no certificates, takes no proxy.
    plain: Client,
    /// For `https`: made at first use, because reading the system's authorities costs megabytes.
    secure: OnceLock<Client>,
    /// The only authorities to trust, when the settings name some.
    authorities: Option<Vec<Certificate>>,
}

impl Transport {
    pub(crate) fn new(ca_certificate: Option<&Path>) -> Result<Self, CloudError> {
        Ok(Self {
            plain: plain_client()?,
            secure: OnceLock::new(),
            authorities: ca_certificate.map(read_authorities).transpose()?,
        })
    }

    /// Sends one request and reads the answer, whatever its status.
    ///
    /// `prepare` adds headers and body. A request that surely did not arrive is sent again, and one that may be
    /// repeated also after a broken connection; any other that may have arrived never is.
    pub(crate) async fn send(
        &self,
        method: &Method,
        url: &Url,
        repeatable: bool,
        prepare: impl Fn(RequestBuilder) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, CloudError> {
        let client = self.client(url)?;
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            let error = match once(prepare(client.request(method.clone(), url.clone()))).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = !error.is_timeout() && (error.is_connect() || repeatable);
            match pauses.next().filter(|_| again) {
                // Nothing tells when a service comes back; a short pause is all there is.
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(unreachable(url, error)),
            }
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, CloudError> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let client = secure_client(self.authorities.clone())?;
        Ok(self.secure.get_or_init(|| client))
    }
}

async fn once(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?.into(),
    })
}

fn unreachable(url: &Url, error: reqwest::Error) -> CloudError {
    CloudError::Unreachable {
        url: url.origin().ascii_serialization(),
        source: Box::new(error.without_url()),
    }
}

fn builder() -> reqwest::ClientBuilder {
    // A redirect would lose the token or the method: no cloud's API sends one.
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
}

fn plain_client() -> Result<Client, CloudError> {
    // A TLS configuration of its own, so that no process-wide provider is needed for plain HTTP.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    builder().tls_backend_preconfigured(tls).no_proxy().build().map_err(|error| unusable(&error))
}

fn secure_client(authorities: Option<Vec<Certificate>>) -> Result<Client, CloudError> {
    if CryptoProvider::get_default().is_none() {
        // Normally the process has chosen its provider; an error says that it just did.
        let _ = ring::default_provider().install_default();
    }
    let builder = match authorities {
        Some(authorities) => builder().tls_certs_only(authorities),
        None => builder(),
    };
    builder.build().map_err(|error| unusable(&error))
}

fn read_authorities(path: &Path) -> Result<Vec<Certificate>, CloudError> {
    let wrong = |reason: String| CloudError::Settings {
        problem: format!("ca_certificate {}: {reason}", path.display()),
    };
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let authorities =
        Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
    if authorities.is_empty() { Err(wrong("no certificate in it".into())) } else { Ok(authorities) }
}

fn unusable(error: &dyn std::error::Error) -> CloudError {
    CloudError::Settings { problem: format!("cannot prepare TLS: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Breaks the first connection after it was asked, answers on the others; returns how many came.
    async fn asked_once_then_broken(method: Method) -> (Result<Answer, CloudError>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let transport = Transport::new(None).unwrap();
        let mut connections = 0;
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections += 1;
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await.unwrap();
                if connections > 1 {
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            }
        };
        let answer = tokio::select! {
            () = serve => unreachable!("serves for ever"),
            answer = transport.send(&method, &url, method.is_idempotent(), |request| request) => answer,
        };
        (answer, connections)
    }

    #[tokio::test]
    async fn a_broken_read_is_repeated() {
        let (answer, connections) = asked_once_then_broken(Method::GET).await;
        assert_eq!(answer.map(|answer| answer.status).unwrap(), 204);
        assert_eq!(connections, 2);
    }

    #[tokio::test]
    async fn a_broken_creation_is_not() {
        let (answer, connections) = asked_once_then_broken(Method::POST).await;
        assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
        assert_eq!(connections, 1);
    }

    #[test]
    fn a_missing_authority_is_a_matter_of_settings() {
        let error = Transport::new(Some(Path::new("/nonexistent/ca.pem"))).unwrap_err();
        assert!(error.to_string().contains("ca_certificate /nonexistent/ca.pem"), "{error}");
    }

    #[test]
    fn https_works_without_any_preparation_of_the_process() {
        let transport = Transport::new(None).unwrap();
        let url = Url::parse("https://cloud.test").unwrap();
        assert!(transport.client(&url).is_ok());
    }
}
