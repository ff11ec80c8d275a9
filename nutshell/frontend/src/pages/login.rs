//! Logging in and out.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::api::Login;
use time::OffsetDateTime;

use super::{Fields, filled};
use crate::failure::Problem;
use crate::session::{self, Session, Visitor};
use crate::view::{Frame, page};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    error: Option<Problem>,
    username: String,
}

pub(crate) async fn show() -> Response {
    let login = LoginPage { frame: Frame::anonymous(), error: None, username: String::new() };
    page(StatusCode::OK, &login)
}

pub(crate) async fn login(visitor: Visitor, Form(fields): Form<Fields>) -> Response {
    let username = filled(&fields, "username").unwrap_or_default();
    let password = fields.get("password").cloned().unwrap_or_default();
    match visitor.director.login(&Login { username: username.clone(), password }).await {
        Ok(grant) => {
            let cookie = session::remember_cookie(&grant, OffsetDateTime::now_utc());
            ([cookie], Redirect::to("/")).into_response()
        }
        Err(error) => {
            let problem = Problem::from(error);
            let status = problem.status;
            page(status, &LoginPage { frame: Frame::anonymous(), error: Some(problem), username })
        }
    }
}

pub(crate) async fn logout(session: Session) -> Response {
    // The browser forgets the token in any case; it ends by itself if it cannot be ended now.
    if let Err(error) = session.director.logout().await {
        tracing::debug!(%error, "failed to end a session");
    }
    ([session::forget_cookie()], Redirect::to("/login")).into_response()
}
