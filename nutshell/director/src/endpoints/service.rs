//! Services of applications.

use axum::extract::State;
use axum::{Extension, Json};
use protocol::ServiceId;
use protocol::api::internal::Nodes;
use protocol::api::log::{LogQuery, LogText};
use protocol::api::{
    NodesAdd, NodesRemove, Service, ServiceCreate, ServiceCreated, ServiceHistory, ServiceRename,
    ServiceStart, Volumes,
};

use super::extract::{Answer, Body, Changed, Path, Query, answer};
use super::registry::{Api, Endpoint, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

const ALL: &str = "/v1/services";
const ONE: &str = "/v1/services/{id}";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(Verb::Get, ALL, "service_list", "The user's services, oldest first.")
            .output::<Vec<Service>>(),
        service_list,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            ALL,
            "service_create",
            "Makes a service; begins to start its application when that does not run.",
        )
        .input::<ServiceCreate>()
        .output::<ServiceCreated>(),
        service_create,
    );
    api.add(
        Endpoint::user(Verb::Get, ONE, "service_view", "One service; waits for a change if asked.")
            .query::<Changed>()
            .output::<Service>(),
        service_view,
    );
    api.add(
        Endpoint::user(Verb::Patch, ONE, "service_rename", "Gives a service another name.")
            .input::<ServiceRename>()
            .output::<Service>(),
        service_rename,
    );
    api.add(
        Endpoint::user(Verb::Delete, ONE, "service_delete", "Removes a service with its nodes."),
        service_delete,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/services/{id}/start",
            "service_start",
            "Begins to start a service; waits for a manager that is starting itself.",
        )
        .input::<ServiceStart>()
        .output::<Service>(),
        service_start,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/services/{id}/stop",
            "service_stop",
            "Begins to stop a service; answers in EPILOGUE.",
        )
        .output::<Service>(),
        service_stop,
    );
    api.add(
        Endpoint::user(Verb::Get, "/v1/services/{id}/nodes", "service_nodes", "A service's nodes.")
            .output::<Nodes>(),
        service_nodes,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/services/{id}/volumes",
            "service_volumes",
            "A service's volumes.",
        )
        .output::<Volumes>(),
        service_volumes,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/services/{id}/add-nodes",
            "service_add_nodes",
            "Begins to add nodes to a service; answers in ADAPTING.",
        )
        .input::<NodesAdd>()
        .output::<Service>(),
        service_add_nodes,
    );
    api.add(
        Endpoint::user(
            Verb::Post,
            "/v1/services/{id}/remove-nodes",
            "service_remove_nodes",
            "Begins to remove nodes from a service; answers in ADAPTING.",
        )
        .input::<NodesRemove>()
        .output::<Service>(),
        service_remove_nodes,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/services/{id}/logs",
            "service_logs",
            "The manager's log of a service, or a log of one of its nodes.",
        )
        .query::<LogQuery>()
        .output::<LogText>(),
        service_logs,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/services/{id}/history",
            "service_history",
            "What a service went through: its states and their reasons, oldest first.",
        )
        .output::<ServiceHistory>(),
        service_history,
    );
}

async fn service_history(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<ServiceHistory> {
    answer(app.service_history(user.id, id).await)
}

async fn service_list(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
) -> Answer<Vec<Service>> {
    answer(app.service_list(user.id).await)
}

async fn service_create(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Body(create): Body<ServiceCreate>,
) -> Answer<ServiceCreated> {
    answer(app.service_create(user.id, create).await)
}

async fn service_view(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Query(changed): Query<Changed>,
) -> Answer<Service> {
    answer(match changed.wish() {
        None => app.service_view(user.id, id).await,
        Some((after, wait)) => app.service_changed(user.id, id, after, wait).await,
    })
}

async fn service_rename(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Body(rename): Body<ServiceRename>,
) -> Answer<Service> {
    answer(app.service_rename(user.id, id, &rename.name).await)
}

async fn service_delete(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<()> {
    answer(app.service_delete(user.id, id).await)
}

async fn service_start(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Body(start): Body<ServiceStart>,
) -> Answer<Service> {
    answer(app.service_start(user.id, id, start).await)
}

async fn service_stop(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<Service> {
    answer(app.service_stop(user.id, id).await)
}

async fn service_nodes(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<Nodes> {
    Ok(Json(Nodes { nodes: app.service_nodes(user.id, id).await? }))
}

async fn service_volumes(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<Volumes> {
    Ok(Json(Volumes { volumes: app.service_volumes(user.id, id).await? }))
}

async fn service_add_nodes(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Body(add): Body<NodesAdd>,
) -> Answer<Service> {
    answer(app.service_add_nodes(user.id, id, add).await)
}

async fn service_remove_nodes(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Body(remove): Body<NodesRemove>,
) -> Answer<Service> {
    answer(app.service_remove_nodes(user.id, id, remove).await)
}

async fn service_logs(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Query(query): Query<LogQuery>,
) -> Answer<LogText> {
    answer(app.service_logs(user.id, id, &query).await)
}
