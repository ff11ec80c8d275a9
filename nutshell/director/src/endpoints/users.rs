//! What administrators do with the installation's users.

use axum::extract::State;
use protocol::UserId;
use protocol::api::{CreditGrant, CreditQuery, Credits, User, UserChange, UserCreate};

use super::extract::{Answer, Body, Path, Query, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;

pub(super) fn register(api: &mut Api) {
    let endpoint = |verb, path, operation, summary| {
        Endpoint::new(verb, path, operation, Role::Administrator, summary)
    };
    api.add(
        endpoint(Verb::Get, "/v1/users", "user_list", "Every user, by name.").output::<Vec<User>>(),
        user_list,
    );
    api.add(
        endpoint(Verb::Post, "/v1/users", "user_create", "Makes a user.")
            .input::<UserCreate>()
            .output::<User>(),
        user_create,
    );
    api.add(
        endpoint(
            Verb::Patch,
            "/v1/users/{id}",
            "user_change",
            "Changes what a user may, or the password.",
        )
        .input::<UserChange>()
        .output::<User>(),
        user_change,
    );
    api.add(
        endpoint(
            Verb::Delete,
            "/v1/users/{id}",
            "user_delete",
            "Removes a user with all applications; answers when they are gone.",
        ),
        user_delete,
    );
    api.add(
        endpoint(
            Verb::Get,
            "/v1/users/{id}/credits",
            "user_credits",
            "The balance and the latest entries of the ledger of a user.",
        )
        .query::<CreditQuery>()
        .output::<Credits>(),
        user_credits,
    );
    api.add(
        endpoint(
            Verb::Post,
            "/v1/users/{id}/credits",
            "credits_grant",
            "Gives a user credits, or takes some.",
        )
        .input::<CreditGrant>()
        .output::<User>(),
        credits_grant,
    );
}

async fn user_list(State(app): State<App>) -> Answer<Vec<User>> {
    answer(app.user_list().await)
}

async fn user_create(State(app): State<App>, Body(create): Body<UserCreate>) -> Answer<User> {
    answer(app.user_create(create).await)
}

async fn user_change(
    State(app): State<App>,
    Path(id): Path<UserId>,
    Body(change): Body<UserChange>,
) -> Answer<User> {
    answer(app.user_change(id, &change).await)
}

async fn user_delete(State(app): State<App>, Path(id): Path<UserId>) -> Answer<()> {
    answer(app.user_delete(id).await)
}

async fn user_credits(
    State(app): State<App>,
    Path(id): Path<UserId>,
    Query(query): Query<CreditQuery>,
) -> Answer<Credits> {
    answer(app.user_credits(id, &query).await)
}

async fn credits_grant(
    State(app): State<App>,
    Path(id): Path<UserId>,
    Body(grant): Body<CreditGrant>,
) -> Answer<User> {
    answer(app.credits_grant(id, &grant).await)
}
