//! Users and their sessions.

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use protocol::api::{Login, LoginGrant, User};
use protocol::tls::Peer;

use super::access::SessionToken;
use super::extract::{Answer, Body, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

pub(super) fn register(api: &mut Api) {
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
        Endpoint::new(Verb::Post, "/v1/logout", "logout", Role::User, "Ends the token's session."),
        logout,
    );
    api.add(
        Endpoint::new(Verb::Get, "/v1/user", "user_view", Role::User, "Who the token stands for.")
            .output::<User>(),
        user_view,
    );
}

async fn login(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Body(login): Body<Login>,
) -> Answer<LoginGrant> {
    answer(app.login(&login, peer.address.ip()).await)
}

async fn logout(
    State(app): State<App>,
    Extension(SessionToken(token)): Extension<SessionToken>,
) -> Answer<()> {
    answer(app.logout(&token).await)
}

async fn user_view(State(app): State<App>, Extension(user): Extension<UserRecord>) -> Answer<User> {
    answer(app.user_view(user).await)
}
