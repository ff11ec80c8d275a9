//! Applications.

use axum::Extension;
use axum::extract::State;
use protocol::ApplicationId;
use protocol::api::log::{LogQuery, LogText};
use protocol::api::{Application, ApplicationCreate, ApplicationRename, ServiceStart};

use super::extract::{Answer, Body, Changed, Path, Query, answer};
use super::registry::{Api, Endpoint, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

const ALL: &str = "/v1/applications";
const ONE: &str = "/v1/applications/{id}";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            ALL,
            "application_list",
            "The user's applications, oldest first.",
        )
        .output::<Vec<Application>>(),
        application_list,
    );
    api.add(
        Endpoint::user(Verb::Post, ALL, "application_create", "Makes an application, not started.")
            .input::<ApplicationCreate>()
            .output::<Application>(),
        application_create,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            ONE,
            "application_view",
            "One application; waits for a change if asked.",
        )
        .query::<Changed>()
        .output::<Application>(),
        application_view,
    );
    api.add(
        Endpoint::user(
            Verb::Patch,
            ONE,
            "application_rename",
            "Gives an application another name.",
        )
        .input::<ApplicationRename>()
        .output::<Application>(),
        application_rename,
    );
    api.add(
        Endpoint::user(
            Verb::Delete,
            ONE,
            "application_delete",
            "Removes an application with its services and all their VMs.",
        ),
        application_delete,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/applications/{id}/start",
            "application_start",
            "Begins to make the manager's VM; answers in PROLOGUE.",
        )
        .input::<ServiceStart>()
        .output::<Application>(),
        application_start,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/applications/{id}/stop",
            "application_stop",
            "Begins to remove all VMs; its services stay, stopped, with their code. Answers in EPILOGUE.",
        )
        .output::<Application>(),
        application_stop,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/applications/{id}/logs",
            "application_logs",
            "The manager's log.",
        )
        .query::<LogQuery>()
        .output::<LogText>(),
        application_logs,
    );
}

async fn application_list(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
) -> Answer<Vec<Application>> {
    answer(app.application_list(user.id).await)
}

async fn application_create(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Body(create): Body<ApplicationCreate>,
) -> Answer<Application> {
    answer(app.application_create(user.id, create).await)
}

async fn application_view(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
    Query(changed): Query<Changed>,
) -> Answer<Application> {
    answer(match changed.wish() {
        None => app.application_view(user.id, id).await,
        Some((after, wait)) => app.application_changed(user.id, id, after, wait).await,
    })
}

async fn application_rename(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
    Body(rename): Body<ApplicationRename>,
) -> Answer<Application> {
    answer(app.application_rename(user.id, id, &rename.name).await)
}

async fn application_delete(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
) -> Answer<()> {
    answer(app.application_delete(user.id, id).await)
}

async fn application_start(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
    Body(start): Body<ServiceStart>,
) -> Answer<Application> {
    answer(app.application_start(user.id, id, start.cloud.as_deref()).await)
}

async fn application_stop(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
) -> Answer<Application> {
    answer(app.application_stop(user.id, id).await)
}

async fn application_logs(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ApplicationId>,
    Query(query): Query<LogQuery>,
) -> Answer<LogText> {
    answer(app.application_logs(user.id, id, &query).await)
}
