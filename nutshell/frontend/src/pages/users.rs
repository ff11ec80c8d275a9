//! The installation's users, for administrators.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::UserId;
use protocol::api::{CreditGrant, Profile, User, UserChange, UserCreate};

use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{Frame, page};

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    error: Option<Problem>,
    users: Vec<User>,
}

pub(crate) async fn show(session: Session) -> Result<Response, Failure> {
    render(&session, None).await
}

pub(crate) async fn create(
    session: Session,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let credits = match number(&fields, "credits") {
        Ok(credits) => credits,
        Err(problem) => return render(&session, Some(problem)).await,
    };
    let create = UserCreate {
        username: filled(&fields, "username").unwrap_or_default(),
        password: fields.get("password").cloned().unwrap_or_default(),
        administrator: fields.contains_key("administrator"),
        credits,
        profile: Profile::default(),
    };
    let created = session.director.user_create(&create).await;
    answer(&session, created.map(drop).map_err(Failure::from)).await
}

pub(crate) async fn credits(
    session: Session,
    Named(id): Named<UserId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let amount = match number(&fields, "amount") {
        Ok(amount) => amount.unwrap_or_default(),
        Err(problem) => return render(&session, Some(problem)).await,
    };
    let grant = CreditGrant { amount, note: filled(&fields, "note") };
    let granted = session.director.credits_grant(id, &grant).await;
    answer(&session, granted.map(drop).map_err(Failure::from)).await
}

pub(crate) async fn change(
    session: Session,
    Named(id): Named<UserId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let wish = |name| fields.get(name).map(|wish| wish == "true");
    let change = UserChange {
        administrator: wish("administrator"),
        disabled: wish("disabled"),
        password: None,
    };
    let changed = session.director.user_change(id, &change).await;
    answer(&session, changed.map(drop).map_err(Failure::from)).await
}

pub(crate) async fn delete(
    session: Session,
    Named(id): Named<UserId>,
) -> Result<Response, Failure> {
    let deleted = session.director.user_delete(id).await;
    answer(&session, deleted.map_err(Failure::from)).await
}

fn number(fields: &Fields, name: &str) -> Result<Option<i64>, Problem> {
    let number = filled(fields, name).map(|text| text.parse()).transpose();
    number.map_err(|_| Problem::invalid("Enter a whole number of credits."))
}

/// Back to the list; with what was refused, if it was.
async fn answer(session: &Session, done: Result<(), Failure>) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to("/users").into_response()),
        Err(Failure::Problem(problem)) => render(session, Some(problem)).await,
        Err(logged_out @ Failure::LoggedOut) => Err(logged_out),
    }
}

async fn render(session: &Session, error: Option<Problem>) -> Result<Response, Failure> {
    let (frame, users) =
        tokio::try_join!(session.frame(), async { Ok(session.director.user_list().await?) })?;
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &UsersPage { frame, error, users }))
}
