//! What holds for every request and every answer: no orders from other sites, no foreign content.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::{Failure, Problem};

/// Scripts, styles and pictures are ours alone and never inline.
const CONTENT_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what would change something unless it comes from one of our own pages.
pub(crate) async fn same_origin_only(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_same_origin(request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        StatusCode::FORBIDDEN,
        "This request did not come from a page of this site, so nothing was done.",
    )
    .hint("Open the page again and repeat the step there.");
    Failure::from(problem).into_response()
}

/// Whether the browser vouches that the request comes from our own pages. A request without any
/// sign of its origin is no browser's form, and programs have the API.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(SEC_FETCH_SITE), text(ORIGIN), text(HOST)) {
        (Some(site), ..) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        }
        (None, ..) => false,
    }
}

/// Adds the headers that keep a browser from doing more than the page means.
pub(crate) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    // `no-referrer` would also hide the origin of our own forms from us.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // Pages show what only their user may see.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pairs: &[(&'static str, &'static str)]) -> bool {
        is_same_origin(
            &pairs
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect(),
        )
    }

    #[test]
    fn the_browsers_own_word_counts_first() {
        assert!(verdict(&[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "none", ""] {
            let origin = ("origin", "https://here:1");
            assert!(!verdict(&[("sec-fetch-site", site), origin, ("host", "here:1")]), "{site}");
        }
    }

    #[test]
    fn an_older_browser_names_the_origin() {
        assert!(verdict(&[("origin", "https://here:5555"), ("host", "Here:5555")]));
        for origin in ["https://here", "http://here:5555", "https://there:5555", "null", ""] {
            assert!(!verdict(&[("origin", origin), ("host", "here:5555")]), "{origin}");
        }
    }

    #[test]
    fn who_says_nothing_is_refused() {
        assert!(!verdict(&[]));
        assert!(!verdict(&[("host", "here")]));
        assert!(!verdict(&[("origin", "https://here")]));
    }
}
