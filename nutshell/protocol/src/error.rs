//! The one form of an error in every API of the platform.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// What kind of failure it was, for programs; the table in [`ErrorCode::status`] rules all APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong; sending it again will not help.
    InvalidRequest,
    /// Nobody is logged in, or the password, token or certificate is not valid.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// The user has no credit left.
    InsufficientCredits,
    /// What was named does not exist, or is not the caller's.
    NotFound,
    /// It exists, but its present state does not allow this.
    Conflict,
    /// The body is larger than is accepted.
    TooLarge,
    /// Too many requests of this caller; wait and try again.
    TooManyRequests,
    /// A fault of the platform; the log says more.
    Internal,
    /// The cloud refused or failed: a quota, a full address pool, a server that did not boot.
    CloudFailed,
    /// A part of the platform that is needed does not answer now.
    Unavailable,
    /// It took longer than allowed.
    Timeout,
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::InsufficientCredits => StatusCode::PAYMENT_REQUIRED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::CloudFailed => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Whether it says nothing about what was asked: the server has troubles of its own, and the same
    /// request may succeed later.
    #[must_use]
    pub fn is_passing(self) -> bool {
        match self {
            Self::Unavailable | Self::Internal | Self::Timeout | Self::TooManyRequests => true,
            Self::InvalidRequest
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::InsufficientCredits
            | Self::NotFound
            | Self::Conflict
            | Self::TooLarge
            | Self::CloudFailed => false,
        }
    }
}

/// An error as it crosses the wire: what a user may read, never what only the log may hold.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, schemars::JsonSchema,
)]
#[error("{message}")]
pub struct ApiError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// One line for the user: what failed, on what.
    pub message: String,
    /// What to do next, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ApiError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same error with the next step to take.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// [`ErrorCode::InvalidRequest`]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// [`ErrorCode::NotFound`]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// [`ErrorCode::Conflict`]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    /// [`ErrorCode::Internal`] with the only text that may leave: the rest is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "an internal error happened; the log has the details")
    }
}

/// The body that carries an [`ApiError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.code.status(), Json(ErrorBody { error: self })).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_an_object_under_error() {
        let error = ApiError::not_found("there is no service 7").hint("`cps service list`");
        let text = serde_json::to_string(&ErrorBody { error: error.clone() }).unwrap();
        assert_eq!(
            text,
            r#"{"error":{"code":"not_found","message":"there is no service 7","hint":"`cps service list`"}}"#
        );
        assert_eq!(serde_json::from_str::<ErrorBody>(&text).unwrap().error, error);
        assert_eq!(error.into_response().status(), StatusCode::NOT_FOUND);
    }
}
