//! Orders that applications take, given on the dashboard: create, start, stop, rename, delete.

use axum::Form;
use axum::response::{IntoResponse, Redirect, Response};
use protocol::ApplicationId;
use protocol::api::ApplicationCreate;

use super::{Fields, Named, dashboard, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;

pub(crate) async fn create(
    session: Session,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let create = ApplicationCreate { name: filled(&fields, "name") };
    let created = session.director.application_create(&create).await;
    answer(&session, created.map_err(Failure::from)).await
}

pub(crate) async fn start(
    session: Session,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Failure> {
    let started = session.director.application_start(id, None).await;
    answer(&session, started.map_err(Failure::from)).await
}

pub(crate) async fn stop(
    session: Session,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Failure> {
    let stopped = session.director.application_stop(id).await;
    answer(&session, stopped.map_err(Failure::from)).await
}

pub(crate) async fn rename(
    session: Session,
    Named(id): Named<ApplicationId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let renamed = match filled(&fields, "name") {
        Some(name) => session.director.application_rename(id, &name).await.map_err(Failure::from),
        None => Err(Problem::invalid("An application needs a name.").into()),
    };
    answer(&session, renamed).await
}

pub(crate) async fn delete(
    session: Session,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Failure> {
    let deleted = session.director.application_delete(id).await;
    answer(&session, deleted.map_err(Failure::from)).await
}

/// Back to the dashboard; with what was refused, if it was.
async fn answer<T>(session: &Session, done: Result<T, Failure>) -> Result<Response, Failure> {
    match done {
        Ok(_) => Ok(Redirect::to("/").into_response()),
        Err(Failure::Problem(problem)) => dashboard::render(session, Some(problem)).await,
        Err(logged_out @ Failure::LoggedOut) => Err(logged_out),
    }
}
