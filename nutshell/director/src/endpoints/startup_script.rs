//! Startup scripts of services.

use axum::Extension;
use axum::extract::State;
use protocol::ServiceId;
use protocol::api::StartupScript;

use super::extract::{Answer, Body, Path, answer};
use super::registry::{Api, Endpoint, Verb};
use crate::app::App;
use crate::app::user::UserRecord;

const PATH: &str = "/v1/services/{id}/startup-script";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::user(
            Verb::Get,
            PATH,
            "service_startup_script",
            "The script that new nodes run before their agent; empty when there is none.",
        )
        .output::<StartupScript>(),
        service_startup_script,
    );
    api.add(
        Endpoint::user(
            Verb::Put,
            PATH,
            "service_set_startup_script",
            "Sets the script for nodes that come from now on; an empty one is none.",
        )
        .input::<StartupScript>()
        .output::<StartupScript>(),
        service_set_startup_script,
    );
}

async fn service_startup_script(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
) -> Answer<StartupScript> {
    answer(app.service_startup_script(user.id, id).await)
}

async fn service_set_startup_script(
    State(app): State<App>,
    Extension(user): Extension<UserRecord>,
    Path(id): Path<ServiceId>,
    Body(script): Body<StartupScript>,
) -> Answer<StartupScript> {
    answer(app.service_set_startup_script(user.id, id, script).await)
}
