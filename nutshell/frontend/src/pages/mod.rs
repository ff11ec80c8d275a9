//! The pages, one file each with the orders that are given there.

mod account;
mod applications;
mod autoscaling;
mod code;
mod create;
mod dashboard;
mod deployment;
mod keys;
mod login;
mod logs;
mod manifests;
mod oidc;
mod scripts;
mod service;
mod service_actions;
mod users;
mod volumes;
mod web;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};
use protocol::ServiceId;
use serde::de::DeserializeOwned;

use crate::App;
use crate::failure::{Failure, Problem};

pub(crate) fn routes() -> Router<App> {
    let upload = post(code::upload).layer(DefaultBodyLimit::max(code::UPLOAD_LIMIT));
    let keys = post(keys::upload).layer(DefaultBodyLimit::max(keys::UPLOAD_LIMIT));
    let deploy = get(manifests::show).post(manifests::deploy);
    let deploy = deploy.layer(DefaultBodyLimit::max(manifests::UPLOAD_LIMIT));
    Router::new()
        .route("/", get(dashboard::show))
        .route("/login", get(login::show).post(login::login))
        .route("/login/oidc/{provider}", get(oidc::begin))
        .route("/login/oidc/{provider}/callback", get(oidc::finish))
        .route("/logout", post(login::logout))
        .route("/register", get(login::show_register).post(login::register))
        .route("/account", get(account::show))
        .route("/account/password", to("/account", post(account::password)))
        .route("/account/tokens", to("/account", post(account::token_create)))
        .route("/account/tokens/{id}/revoke", to("/account", post(account::token_revoke)))
        .route("/users", get(users::show).post(users::create))
        .route("/users/{id}/credits", to("/users", post(users::credits)))
        .route("/users/{id}/change", to("/users", post(users::change)))
        .route("/users/{id}/delete", to("/users", post(users::delete)))
        .route("/services", get(|| async { Redirect::to("/") }).post(create::create))
        .route("/services/new", get(create::show))
        .route("/services/{id}", get(service::show))
        .route("/services/{id}/logs", get(logs::show))
        .route("/services/{id}/start", order(post(service_actions::start)))
        .route("/services/{id}/stop", order(post(service_actions::stop)))
        .route("/services/{id}/rename", order(post(service_actions::rename)))
        .route("/services/{id}/terminate", order(post(service_actions::terminate)))
        .route("/services/{id}/nodes", order(post(service_actions::resize)))
        .route("/services/{id}/code", order(upload))
        .route("/services/{id}/code/{version}/enable", post(code::enable))
        .route("/services/{id}/code/{version}/delete", post(code::delete))
        .route("/services/{id}/code/{version}/download", get(code::download))
        .route("/services/{id}/keys", order(keys))
        .route("/services/{id}/keys/delete", order(post(keys::delete)))
        .route("/services/{id}/autoscaling", order(post(autoscaling::change)))
        .route("/services/{id}/settings", order(post(web::change_settings)))
        .route("/services/{id}/volumes", order(post(volumes::create)))
        .route("/services/{id}/volumes/{name}/delete", post(volumes::delete))
        .route("/manifests", deploy)
        .route("/manifests/{name}", get(manifests::ready))
        .route("/manifests/{name}/delete", to("/manifests", post(manifests::unregister)))
        .route("/deployments/{id}", get(deployment::show))
        .route("/applications", to("/", post(applications::create)))
        .route("/applications/{id}/start", to("/", post(applications::start)))
        .route("/applications/{id}/stop", to("/", post(applications::stop)))
        .route("/applications/{id}/rename", to("/", post(applications::rename)))
        .route("/applications/{id}/delete", to("/", post(applications::delete)))
        .route("/applications/{id}/manifest", get(manifests::download))
        .route("/services/{id}/scripts", order(post(scripts::execute)))
}

/// A refused order shows the service's page under its own address; a reload there leads back.
fn order(route: MethodRouter<App>) -> MethodRouter<App> {
    route.get(async |Named(id): Named<ServiceId>| service_page(id))
}

/// The same where the orders are those of another page.
fn to(page: &'static str, route: MethodRouter<App>) -> MethodRouter<App> {
    route.get(async move || Redirect::to(page))
}

fn service_page(id: ServiceId) -> Redirect {
    Redirect::to(&format!("/services/{id}"))
}

/// What the path names; a name that cannot be one leads to the page that says so.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(_) => Err(not_found().await),
        }
    }
}

pub(crate) async fn not_found() -> Failure {
    Problem::new(StatusCode::NOT_FOUND, "There is no such page.")
        .hint("The dashboard lists all your applications and services.")
        .into()
}

/// The fields of a form by name.
pub(crate) type Fields = BTreeMap<String, String>;

/// A field that the user filled in.
fn filled(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}
