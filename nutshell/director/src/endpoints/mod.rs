//! The API: translates between HTTP and [`crate::app`], and decides nothing.
//!
//! One file a resource; each registers its endpoints as data, and the document that describes the
//! API is made of the same data.

mod access;
mod application;
mod backup;
mod event;
mod extract;
mod headers;
mod manifest;
mod meta;
mod node;
mod oidc;
mod openapi;
mod registry;
mod service;
mod service_method;
mod startup_script;
mod user;
mod users;
mod vm;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::routing::any;
use protocol::ApiError;

use crate::app::App;
use registry::Api;

/// Every endpoint there is.
fn api() -> Api {
    let mut api = Api::default();
    for register in [
        meta::register,
        user::register,
        users::register,
        oidc::register,
        application::register,
        manifest::register,
        service::register,
        service_method::register,
        startup_script::register,
        node::register,
        event::register,
        vm::register,
        backup::register,
    ] {
        register(&mut api);
    }
    api
}

/// The whole of what the director serves; what is not of the API is the pages'.
pub(crate) fn router(app: App, pages: Router) -> Router {
    let api = api().into_router(app).route("/v1/{*rest}", any(unknown));
    api.layer(from_fn(headers::harden)).fallback_service(pages)
}

async fn unknown(request: Request) -> ApiError {
    registry::no_such_endpoint(&request)
}

#[cfg(test)]
mod access_table;
#[cfg(test)]
mod tests;
