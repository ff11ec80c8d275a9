//! Asks the steering API of a cloud that runs.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use axum::body::Body;
use bytes::Bytes;
use fake_cloud::control::ControlAccess;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Which cloud is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The state directory of the cloud.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE", global = true)]
    state: Option<PathBuf>,

    /// Where the cloud is steered, when its state directory is not on this machine.
    #[arg(long, value_name = "URL", env = "FAKE_CLOUD_CONTROL_URL", global = true)]
    control_url: Option<String>,

    /// The token that allows it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FAKE_CLOUD_CONTROL_TOKEN",
        hide_env_values = true,
        global = true
    )]
    control_token: Option<String>,

    /// The region that is meant, the first one when not given.
    #[arg(long, value_name = "NAME", global = true)]
    region: Option<String>,
}

impl Target {
    /// The cloud that runs on a state directory.
    pub(super) fn of(state: PathBuf) -> Self {
        Self { state: Some(state), control_url: None, control_token: None, region: None }
    }

    fn access(&self) -> Result<ControlAccess, Box<dyn Error>> {
        match (&self.state, &self.control_url, &self.control_token) {
            (Some(state), ..) => ControlAccess::of(state).map_err(|error| {
                format!("no cloud has run on {}: {error}", state.display()).into()
            }),
            (None, Some(url), Some(token)) => {
                Ok(ControlAccess { url: url.clone(), token: token.clone() })
            }
            _ => Err("no cloud was named: give --state DIR, or FAKE_CLOUD_CONTROL_URL and \
                      FAKE_CLOUD_CONTROL_TOKEN as the cloud told them at its start"
                .into()),
        }
    }

    /// Asks; the answer is printed, if it says anything.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<(), Box<dyn Error>> {
        let value = self.answer(method, path, body).await?;
        if value.as_object().is_none_or(|object| !object.is_empty()) {
            let mut out = io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &value)?;
            writeln!(out)?;
        }
        Ok(())
    }

    /// Asks, and gives the answer.
    pub(super) async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Value, Box<dyn Error>> {
        let content = self.send(method, path, body).await?.collect().await?.to_bytes();
        Ok(serde_json::from_slice(&content).unwrap_or_default())
    }

    /// Asks for text, which is printed as it comes.
    pub(super) async fn print(&self, path: &str) -> Result<(), Box<dyn Error>> {
        let mut text = self.send(Method::GET, path, Value::Null).await?;
        while let Some(frame) = text.frame().await {
            if let Ok(piece) = frame?.into_data() {
                let mut out = io::stdout().lock();
                out.write_all(&piece)?;
                out.flush()?;
            }
        }
        Ok(())
    }

    /// Asks; gives what is answered, unless it is a refusal.
    async fn send(&self, method: Method, path: &str, body: Value) -> Result<Body, Box<dyn Error>> {
        let access = self.access()?;
        let sign = if path.contains('?') { '&' } else { '?' };
        let region = self.region.as_deref().map(|name| format!("{sign}region={}", segment(name)));
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}{}", access.url, region.unwrap_or_default()))
            .header(header::AUTHORIZATION, format!("Bearer {}", access.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(body.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await;
        let answer = answer.map_err(|_| format!("no cloud answers at {}", access.url))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Body::new(answer.into_body()));
        }
        let content = answer.into_body().collect().await?.to_bytes();
        let value: Value = serde_json::from_slice(&content).unwrap_or_default();
        let why = value["error"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(why.into())
    }
}

/// A text as one part of a path.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_part_of_a_path() {
        assert_eq!(segment("web-1"), "web-1");
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
