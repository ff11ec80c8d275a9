//! Logging in by an identity provider, as the web pages do it.

use axum::extract::State;
use protocol::api::{LoginGrant, OidcBegun, OidcFinish};

use super::access::ClientAddress;
use super::extract::{Answer, Body, Path, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/login/oidc/{provider}/begin",
            "oidc_begin",
            Role::Public,
            "Where a browser is to go to log in by an identity provider.",
        )
        .output::<OidcBegun>(),
        begin,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/login/oidc/{provider}/finish",
            "oidc_finish",
            Role::Public,
            "Exchanges what a browser brings from an identity provider for a token.",
        )
        .input::<OidcFinish>()
        .output::<LoginGrant>(),
        finish,
    );
}

async fn begin(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Path(provider): Path<String>,
) -> Answer<OidcBegun> {
    answer(app.oidc_begin(&provider, address).await)
}

async fn finish(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Path(provider): Path<String>,
    Body(finish): Body<OidcFinish>,
) -> Answer<LoginGrant> {
    answer(app.oidc_finish(&provider, &finish, address).await)
}
