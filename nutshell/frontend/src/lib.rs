//! Web pages over the public API: rendered here, current by events, usable without a script.
//!
//! A page is a handler in `pages` and a template beside it in `templates/`. The pages hold no state:
//! the browser's cookie is the user's token, everything else is asked of the director.

mod assets;
mod failure;
mod form;
mod guard;
mod live;
mod pages;
mod parameters;
mod picture;
mod session;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use protocol::Identity;
use protocol::client::DirectorClient;
use protocol::tls::{Holder, Trust};

/// What the pages need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the director's API is.
    pub director_url: String,
    /// The authority that signed the director's certificate.
    pub trust: Trust,
    /// The director's own certificate: by it the director believes what the pages say of browsers.
    pub holder: Arc<Holder>,
}

/// What every handler can ask for.
#[derive(Debug, Clone)]
pub(crate) struct App {
    director: DirectorClient,
}

/// All pages, to be mounted at the root of a server that speaks HTTPS.
///
/// # Panics
/// Never: the certificates were put to use before.
pub fn router(settings: Settings) -> Router {
    let client = settings
        .trust
        .client(Identity::Director, Some(settings.holder))
        .expect("certificates that a server uses are good for a client");
    let director = DirectorClient::new(client, &settings.director_url, None);
    Router::new()
        .merge(pages::routes())
        .route("/events", get(live::events))
        .route("/static/{name}", get(assets::asset))
        .fallback(pages::not_found)
        .layer(from_fn(guard::same_origin_only))
        .layer(from_fn(guard::harden))
        .with_state(App { director })
}
