//! What users do with their own accounts: log in and out, passwords, tokens, credits.

use axum::Extension;
use axum::extract::State;
use protocol::TokenId;
use protocol::api::{
    CreditQuery, Credits, Login, LoginGrant, LoginOptions, PasswordChange, Token, TokenCreate,
    TokenGrant, User, UserRegister,
};

use super::access::ClientAddress;
use super::extract::{Answer, Body, Path, Query, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;
use crate::app::session::SessionSecret;
use crate::app::user::UserRecord;

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/register",
            "user_register",
            Role::Public,
            "Makes a user of whoever asks, where the installation allows it.",
        )
        .input::<UserRegister>()
        .output::<User>(),
        user_register,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/login-options",
            "login_options",
            Role::Public,
            "How people come in.",
        )
        .output::<LoginOptions>(),
        login_options,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/login",
            "login",
            Role::Public,
            "Exchanges a name and a password for a token.",
        )
        .input::<Login>()
        .output::<LoginGrant>(),
        login,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/logout",
            "logout",
            Role::Session,
            "Ends the token's session.",
        ),
        logout,
    );
    api.add(
        Endpoint::user(Verb::Get, "/v1/user", "user_view", "Who the token stands for.")
            .output::<User>(),
        user_view,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/user/password",
            "password_change",
            Role::Session,
            "Another password of one's own; other sessions end.",
        )
        .input::<PasswordChange>(),
        password_change,
    );
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/user/credits",
            "credits",
            "The balance and the latest entries of the ledger.",
        )
        .query::<CreditQuery>()
        .output::<Credits>(),
        credits,
    );
    register_tokens(api);
}

fn register_tokens(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            "/v1/user/tokens",
            "token_list",
            "One's own API tokens, without their secrets.",
        )
        .output::<Vec<Token>>(),
        token_list,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/user/tokens",
            "token_create",
            Role::Session,
            "Makes an API token; its secret is told this once.",
        )
        .input::<TokenCreate>()
        .output::<TokenGrant>(),
        token_create,
    );
    api.add(
        Endpoint::new(
            Verb::Delete,
            "/v1/user/tokens/{id}",
            "token_revoke",
            Role::Session,
            "Ends an API token.",
        ),
        token_revoke,
    );
}

async fn user_register(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Body(register): Body<UserRegister>,
) -> Answer<User> {
    answer(app.user_register(register, address).await)
}

async fn login_options(State(app): State<App>) -> Answer<LoginOptions> {
    answer(Ok(app.login_options()))
}

async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Body(login): Body<Login>,
) -> Answer<LoginGrant> {
    answer(app.login(&login, address).await)
}

async fn logout(
    State(app): State<App>,
    Extension(session): Extension<SessionSecret>,
) -> Answer<()> {
    answer(app.logout(&session).await)
}

async fn user_view(State(app): State<App>, Extension(user): Extension<UserRecord>) -> Answer<User> {
    answer(app.user_view(user).await)
}

async fn password_change(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Extension(session): Extension<SessionSecret>,
    ClientAddress(address): ClientAddress,
    Body(change): Body<PasswordChange>,
) -> Answer<()> {
    answer(app.password_change(&user, &session, &change, address).await)
}

async fn credits(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Query(query): Query<CreditQuery>,
) -> Answer<Credits> {
    answer(app.credits(user.id, &query).await)
}

async fn token_list(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
) -> Answer<Vec<Token>> {
    answer(app.token_list(user.id).await)
}

async fn token_create(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Body(create): Body<TokenCreate>,
) -> Answer<TokenGrant> {
    answer(app.token_create(user.id, &create).await)
}

async fn token_revoke(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<TokenId>,
) -> Answer<()> {
    answer(app.token_revoke(user.id, id).await)
}
