//! The few files that pages refer to, part of the executable.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// Name, media type and content of every file.
const ASSETS: [(&str, &str, &str); 4] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../static/style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../static/live.js")),
    ("logo.svg", "image/svg+xml", include_str!("../static/logo.svg")),
    ("icons.svg", "image/svg+xml", include_str!("../static/icons.svg")),
];

pub(crate) async fn asset(Path(wanted): Path<String>) -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == wanted) {
        Some((_, media_type, content)) => {
            ([(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "max-age=300")], *content)
                .into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
