//! Nodes, and the operations that make and remove them.

use axum::extract::State;
use axum::{Extension, Json};
use protocol::api::Operation;
use protocol::api::internal::Nodes;

use super::extract::{Answer, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(Verb::Get, "/v1/nodes", "node_list", "Every VM of the user.")
            .output::<Nodes>(),
        node_list,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/operations",
            "operation_list",
            Role::Administrator,
            "The latest operations of the installation, newest first.",
        )
        .output::<Vec<Operation>>(),
        operation_list,
    );
}

async fn node_list(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
) -> Answer<Nodes> {
    Ok(Json(Nodes { nodes: app.node_list(user.id).await? }))
}

async fn operation_list(State(app): State<App>) -> Answer<Vec<Operation>> {
    answer(app.operation_list().await)
}
