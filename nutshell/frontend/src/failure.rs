//! What went wrong, as a page shows it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::{ClientError, ErrorCode};

use crate::session;
use crate::view::{Frame, page};

/// An error as the user reads it, in its box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hint: None }
    }

    /// All went well, but perhaps not as the user meant it.
    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, message)
    }

    pub(crate) fn is_warning(&self) -> bool {
        self.status.is_success()
    }

    /// What the user typed cannot be used.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => {
                Self { status: error.code.status(), message: error.message, hint: error.hint }
            }
            ClientError::Unreachable { .. }
            | ClientError::Broken { .. }
            | ClientError::NotUnderstood { .. } => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a page cannot be made: the director does not answer"
                );
                Self::new(StatusCode::BAD_GATEWAY, "The director does not answer.")
                    .hint("Try again in a moment; `nutshell status` says what is running.")
            }
        }
    }
}

/// Why a handler has no page to give.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is logged in, or no longer.
    LoggedOut,
    /// Anything else.
    Problem(Problem),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error.api() {
            Some(api) if api.code == ErrorCode::Unauthenticated => Self::LoggedOut,
            _ => Self::Problem(error.into()),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    error: Option<Problem>,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::LoggedOut => ([session::forget_cookie()], Redirect::to("/login")).into_response(),
            Self::Problem(problem) => {
                let status = problem.status;
                page(status, &ErrorPage { frame: Frame::anonymous(), error: Some(problem) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ApiError;

    #[test]
    fn only_a_lost_session_leads_to_the_login_page() {
        let lost = ApiError::new(ErrorCode::Unauthenticated, "the token has expired");
        assert!(matches!(Failure::from(ClientError::from(lost)), Failure::LoggedOut));
        let refused = ApiError::conflict("service 3 is starting").hint("wait");
        let Failure::Problem(problem) = Failure::from(ClientError::from(refused)) else {
            panic!("a refusal is shown");
        };
        assert_eq!(problem.status, StatusCode::CONFLICT);
        assert_eq!(problem.message, "service 3 is starting");
        assert_eq!(problem.hint.as_deref(), Some("wait"));
    }
}
