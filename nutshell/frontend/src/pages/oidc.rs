//! Logging in by an identity provider: there, and back again.

use askama::Template;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use protocol::api::OidcFinish;
use time::OffsetDateTime;

use super::login::render;
use super::{Fields, Named};
use crate::failure::Problem;
use crate::session::{self, Visitor};
use crate::view::{Frame, page};

/// The page between the provider's and ours. A browser that comes from another site does not send
/// the session's cookie; from this page it does.
#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    frame: Frame,
    error: Option<Problem>,
}

pub(crate) async fn begin(visitor: Visitor, Named(provider): Named<String>) -> Response {
    match visitor.director.oidc_begin(&provider).await {
        Ok(begun) => {
            ([session::flow_cookie(&begun.flow)], Redirect::to(&begun.url)).into_response()
        }
        Err(error) => render(&visitor, Some(error.into()), String::new()).await,
    }
}

pub(crate) async fn finish(
    visitor: Visitor,
    Named(provider): Named<String>,
    Query(brought): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let field = |name| brought.get(name).cloned();
    let (Some(code), Some(state)) = (field("code"), field("state")) else {
        let said = field("error_description").or(field("error")).unwrap_or_default();
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            format!("Logging in by \u{201c}{provider}\u{201d} ended without a result. {said}"),
        );
        return render(&visitor, Some(problem), String::new()).await;
    };
    let flow = session::flow(&headers).unwrap_or_default().to_owned();
    match visitor.director.oidc_finish(&provider, &OidcFinish { code, state, flow }).await {
        Ok(grant) => {
            let cookies = [
                session::remember_cookie(&grant, OffsetDateTime::now_utc()),
                session::flow_forget_cookie(),
            ];
            let welcome = WelcomePage { frame: Frame::anonymous(), error: None };
            let mut response = page(StatusCode::OK, &welcome);
            for (name, value) in cookies {
                if let Ok(value) = value.parse() {
                    response.headers_mut().append(name, value);
                }
            }
            response
        }
        Err(error) => render(&visitor, Some(error.into()), String::new()).await,
    }
}
