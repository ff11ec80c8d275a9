//! One way to send a request and to read its answer.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::Method;
use http::header::CONTENT_DISPOSITION;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ErrorBody};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server understood and refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Nobody answered.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke in the middle.
    #[error("the connection to {url} broke")]
    Broken {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It is no server of ours that answered, or one of another version.
    #[error("{url} gave an answer that is not understood (HTTP status {status})")]
    NotUnderstood {
        /// Where.
        url: String,
        /// The status of the answer.
        status: u16,
    },
}

impl ClientError {
    /// The refusal, when it was one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            Self::Unreachable { .. } | Self::Broken { .. } | Self::NotUnderstood { .. } => None,
        }
    }
}

/// A body to send, of any length, as it comes.
pub type Upload = reqwest::Body;

/// A file that is being received.
pub struct Download {
    /// Its name, as the sender gave it; only a file name, never a path.
    pub filename: String,
    /// Its content.
    pub content: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("filename", &self.filename).finish_non_exhaustive()
    }
}

/// A server and how to speak to it.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    /// Where the one is that this client speaks for, when that is not itself.
    on_behalf_of: Option<IpAddr>,
}

impl Transport {
    pub(super) fn new(client: reqwest::Client, base: String, token: Option<String>) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { client, base, token, on_behalf_of: None }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn with_token(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    pub(super) fn on_behalf_of(&self, address: IpAddr) -> Self {
        Self { on_behalf_of: Some(address), ..self.clone() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(address) = self.on_behalf_of {
            request = request.header(crate::CLIENT_ADDRESS, address.to_string());
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(super) async fn get<Out: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.read(self.send(self.request(Method::GET, path).query(query)).await?).await
    }

    pub(super) async fn call<Out: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Out, ClientError> {
        self.read(self.send(self.request(method, path).json(body)).await?).await
    }

    /// Like [`Self::call`], on a connection that is not kept: the next such call shows whether a new
    /// one gets through.
    pub(super) async fn call_once<Out: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Out, ClientError> {
        let request = self.request(method, path).header(http::header::CONNECTION, "close");
        self.read(self.send(request.json(body)).await?).await
    }

    pub(super) async fn upload<Out: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        content: Upload,
    ) -> Result<Out, ClientError> {
        let request = self
            .request(Method::POST, path)
            .query(query)
            .header(http::header::CONTENT_TYPE, "application/octet-stream")
            .body(content);
        self.read(self.send(request).await?).await
    }

    pub(super) async fn download(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Download, ClientError> {
        let response = self.send(self.request(Method::GET, path).query(query)).await?;
        let disposition =
            response.headers().get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
        let filename = disposition.and_then(file_name).unwrap_or("download").to_owned();
        let content = response.bytes_stream().map_err(std::io::Error::other).boxed();
        Ok(Download { filename, content })
    }

    pub(super) async fn stream(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, ClientError>>, ClientError> {
        let url = format!("{}{path}", self.base);
        let response = self.send(self.request(Method::GET, path)).await?;
        let broken = move |source| ClientError::Broken { url: url.clone(), source };
        Ok(response.bytes_stream().map_err(broken).boxed())
    }

    /// Sends; an answer that is a refusal becomes an error.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, ClientError> {
        let response = request.send().await.map_err(|source| ClientError::Unreachable {
            url: self.base.clone(),
            source: source.without_url(),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.json::<ErrorBody>().await {
            Ok(body) => Err(body.error.into()),
            Err(_) => {
                Err(ClientError::NotUnderstood { url: self.base.clone(), status: status.as_u16() })
            }
        }
    }

    async fn read<Out: DeserializeOwned>(
        &self,
        response: reqwest::Response,
    ) -> Result<Out, ClientError> {
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|source| ClientError::Broken {
            url: self.base.clone(),
            source: source.without_url(),
        })?;
        let text: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(text)
            .map_err(|_| ClientError::NotUnderstood { url: self.base.clone(), status })
    }
}

/// A text as one part of a path.
pub(super) fn segment(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' => segment.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => segment.push(byte.into()),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

/// The file name of a `Content-Disposition` header, when it is one and nothing more.
fn file_name(disposition: &str) -> Option<&str> {
    let name = disposition.split("filename=\"").nth(1)?.split('"').next()?;
    let plain =
        !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    plain.then_some(name)
}

/// How long a long poll may take, together with the server's own limit of 25 s.
pub(super) const LONG_POLL: Duration = Duration::from_secs(25);

#[cfg(test)]
mod tests {
    use super::{file_name, segment};

    #[test]
    fn a_name_in_a_path_is_one_part_of_it() {
        assert_eq!(segment("web-shop_2"), "web-shop_2");
        assert_eq!(segment("a/b?c é"), "a%2Fb%3Fc%20%C3%A9");
    }

    #[test]
    fn a_file_name_never_leads_elsewhere() {
        assert_eq!(file_name("attachment; filename=\"app.tar.gz\""), Some("app.tar.gz"));
        for bad in
            ["inline", "attachment; filename=\"\"", "x; filename=\"../a\"", "x; filename=\"..\""]
        {
            assert_eq!(file_name(bad), None, "{bad}");
        }
    }
}
