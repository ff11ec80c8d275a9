//! Keystone v3: a password becomes a token, and the token is kept until it is nearly too old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::catalog::Entry;
use super::fault;
use super::settings::Settings;
use crate::CloudError;
use crate::fault::excerpt;
use crate::transport::{Answer, Transport};

const OPERATION: &str = "log in";

/// A token is not used for the last part of its life: calls take time.
const LONGEST_MARGIN: Duration = Duration::from_secs(120);

/// A token and what came with it.
#[derive(Debug)]
pub(crate) struct Token {
    /// Goes into `X-Auth-Token`.
    pub(crate) value: HeaderValue,
    pub(crate) catalog: Vec<Entry>,
    fresh_until: Instant,
}

/// Gets tokens and keeps the current one.
#[derive(Debug)]
pub(crate) struct Authority {
    url: Url,
    request: Secret,
    current: Mutex<Option<Arc<Token>>>,
}

/// The login request; holds the password, so it never shows.
struct Secret(Value);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

impl Authority {
    pub(crate) fn new(settings: &Settings) -> Result<Self, CloudError> {
        Ok(Self {
            url: tokens_url(&settings.auth_url)?,
            request: Secret(login_request(settings)),
            current: Mutex::new(None),
        })
    }

    /// A token that is still good, as far as can be known here.
    pub(crate) async fn token(&self, transport: &Transport) -> Result<Arc<Token>, CloudError> {
        // Held while logging in: a hundred calls at once log in once.
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| token.fresh_until > Instant::now()) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.log_in(transport).await?);
        Ok(Arc::clone(current.insert(token)))
    }

    /// Forgets `refused`, which the cloud no longer takes (revoked, or it expired while this machine slept).
    pub(crate) async fn forget(&self, refused: &Arc<Token>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *current = None;
        }
    }

    async fn log_in(&self, transport: &Transport) -> Result<Token, CloudError> {
        let asked_at = Instant::now();
        let answer = transport
            .send(&Method::POST, &self.url, false, |request| request.json(&self.request.0))
            .await?;
        let answer = fault::checked(answer, OPERATION).map_err(|error| self.explain(error))?;
        token_from(&answer, asked_at)
    }

    fn explain(&self, error: CloudError) -> CloudError {
        match error {
            CloudError::NotFound { .. } => CloudError::Settings {
                problem: format!("auth_url: no Keystone v3 answers at {}", self.url),
            },
            other => other,
        }
    }
}

fn token_from(answer: &Answer, asked_at: Instant) -> Result<Token, CloudError> {
    let unexpected = |reason: &str| CloudError::Unexpected {
        operation: OPERATION.to_owned(),
        status: answer.status,
        excerpt: excerpt(reason),
    };
    let mut value = answer
        .headers
        .get("X-Subject-Token")
        .cloned()
        .ok_or_else(|| unexpected("no X-Subject-Token in it"))?;
    value.set_sensitive(true);
    let body: TokenBody =
        serde_json::from_slice(&answer.body).map_err(|error| unexpected(&error.to_string()))?;
    let life = (body.token.expires_at - body.token.issued_at).try_into().unwrap_or_default();
    Ok(Token { value, catalog: body.token.catalog, fresh_until: asked_at + usable_part(life) })
}

/// How long a token of this life is used. Its length counts, not its end: clocks may disagree.
fn usable_part(life: Duration) -> Duration {
    life.saturating_sub(LONGEST_MARGIN.min(life / 10))
}

#[derive(Deserialize)]
struct TokenBody {
    token: TokenRecord,
}

#[derive(Deserialize)]
struct TokenRecord {
    #[serde(with = "time::serde::rfc3339")]
    issued_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(default)]
    catalog: Vec<Entry>,
}

/// Where tokens are made, from an `auth_url` with or without its version.
fn tokens_url(auth_url: &str) -> Result<Url, CloudError> {
    let wrong = |reason: &str| CloudError::Settings {
        problem: format!("auth_url '{auth_url}' {reason}, expected http(s)://HOST:PORT/v3"),
    };
    let mut url = Url::parse(auth_url).map_err(|_| wrong("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is not a web address"));
    }
    let has_version = url.path().trim_end_matches('/').ends_with("/v3");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty();
        if !has_version {
            segments.push("v3");
        }
        segments.extend(["auth", "tokens"]);
    }
    Ok(url)
}

fn login_request(settings: &Settings) -> Value {
    json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": settings.username,
            "domain": {"name": settings.user_domain},
            "password": settings.password.expose(),
        }}},
        "scope": {"project": {
            "name": settings.project,
            "domain": {"name": settings.project_domain},
        }},
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_may_be_left_out_of_the_url() {
        for (given, expected) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/v3/auth/tokens"),
            ("http://127.0.0.1:5000/v3", "http://127.0.0.1:5000/v3/auth/tokens"),
            ("https://cloud.test/identity/v3/", "https://cloud.test/identity/v3/auth/tokens"),
            ("https://cloud.test/identity", "https://cloud.test/identity/v3/auth/tokens"),
        ] {
            assert_eq!(tokens_url(given).unwrap().as_str(), expected);
        }
        assert!(tokens_url("cloud.test:5000").is_err());
        assert!(tokens_url("").is_err());
    }

    #[test]
    fn a_token_is_given_up_before_its_end() {
        assert_eq!(usable_part(Duration::from_secs(3600)), Duration::from_secs(3480));
        assert_eq!(usable_part(Duration::from_secs(10)), Duration::from_secs(9));
        assert_eq!(usable_part(Duration::ZERO), Duration::ZERO);
    }
}
