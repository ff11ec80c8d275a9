//! What handlers take out of a request; what does not fit is refused in the form of the API.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use protocol::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a handler answers.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

/// Turns what the application layer says into an answer.
pub(super) fn answer<T>(result: crate::app::Result<T>) -> Answer<T> {
    Ok(Json(result?))
}

/// The changeable parts of the path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|rejection| ApiError::invalid(rejection.body_text()))
    }
}

/// The query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|query| Self(query.0))
            .map_err(|rejection| ApiError::invalid(rejection.body_text()))
    }
}

/// A JSON body, whatever its media type is said to be; none counts as an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let code = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
                _ => ErrorCode::InvalidRequest,
            };
            ApiError::new(code, rejection.body_text())
        })?;
        json(&bytes).map(Self)
    }
}

/// Reads a JSON object; nothing at all counts as an empty one.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = if bytes.is_empty() { b"{}" } else { bytes };
    // Otherwise an array would be taken for an object's values without their names.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::invalid("the body is not a JSON object"));
    }
    serde_json::from_slice(text)
        .map_err(|error| ApiError::invalid(format!("the body is not as it should be: {error}")))
}

/// The longest that a long poll waits, in seconds.
const LONGEST_WAIT: u64 = 25;

/// Asks to wait for a change.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Changed {
    /// Answer only when the revision is above this one, or the wait is over.
    after: Option<u64>,
    /// How long to wait, in seconds; 25 at most.
    wait_seconds: Option<u64>,
}

impl Changed {
    /// The revision to get past, and how long to wait for it; `None` asks for no waiting.
    pub(super) fn wish(&self) -> Option<(u64, std::time::Duration)> {
        let seconds = self.wait_seconds.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        self.after.map(|after| (after, std::time::Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::ServiceStart;

    use super::*;

    #[test]
    fn a_body_is_an_object_or_nothing() {
        for good in ["", "{}", " {\"cloud\": null}"] {
            assert!(json::<ServiceStart>(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["[null]", "null", "\"x\"", "{", "{\"other\": 1}"] {
            let refused = json::<ServiceStart>(bad.as_bytes()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRequest, "{bad}");
        }
    }
}
