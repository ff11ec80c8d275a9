//! Logging in and out, and becoming a user.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::api::{Login, LoginGrant, LoginOptions, Profile, UserRegister};
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
    options: LoginOptions,
    username: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage {
    frame: Frame,
    error: Option<Problem>,
    username: String,
    email: String,
}

pub(crate) async fn show(visitor: Visitor) -> Response {
    render(&visitor, None, String::new()).await
}

pub(super) async fn render(
    visitor: &Visitor,
    error: Option<Problem>,
    username: String,
) -> Response {
    // With a name and a password people come in whatever else there may be.
    let options = visitor.director.login_options().await.unwrap_or_default();
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    page(status, &LoginPage { frame: Frame::anonymous(), error, options, username })
}

pub(crate) async fn login(visitor: Visitor, Form(fields): Form<Fields>) -> Response {
    let username = filled(&fields, "username").unwrap_or_default();
    let password = fields.get("password").cloned().unwrap_or_default();
    match visitor.director.login(&Login { username: username.clone(), password }).await {
        Ok(grant) => welcome(&grant),
        Err(error) => render(&visitor, Some(error.into()), username).await,
    }
}

fn welcome(grant: &LoginGrant) -> Response {
    let cookie = session::remember_cookie(grant, OffsetDateTime::now_utc());
    ([cookie], Redirect::to("/")).into_response()
}

pub(crate) async fn show_register() -> Response {
    render_register(None, &Fields::new())
}

fn render_register(error: Option<Problem>, fields: &Fields) -> Response {
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let entered = |name| filled(fields, name).unwrap_or_default();
    let (username, email) = (entered("username"), entered("email"));
    page(status, &RegisterPage { frame: Frame::anonymous(), error, username, email })
}

pub(crate) async fn register(visitor: Visitor, Form(fields): Form<Fields>) -> Response {
    let username = filled(&fields, "username").unwrap_or_default();
    let password = fields.get("password").cloned().unwrap_or_default();
    if fields.get("again") != Some(&password) {
        let problem = Problem::invalid("The two passwords are not the same.");
        return render_register(Some(problem), &fields);
    }
    let email = filled(&fields, "email").unwrap_or_default();
    let register = UserRegister {
        username: username.clone(),
        password: password.clone(),
        profile: Profile { email, ..Profile::default() },
    };
    if let Err(error) = visitor.director.user_register(&register).await {
        return render_register(Some(error.into()), &fields);
    }
    match visitor.director.login(&Login { username: username.clone(), password }).await {
        Ok(grant) => welcome(&grant),
        Err(error) => render(&visitor, Some(error.into()), username).await,
    }
}

pub(crate) async fn logout(session: Session) -> Response {
    // The browser forgets the token in any case; it ends by itself if it cannot be ended now.
    if let Err(error) = session.director.logout().await {
        tracing::debug!(%error, "failed to end a session");
    }
    ([session::forget_cookie()], Redirect::to("/login")).into_response()
}
