//! Who the browser speaks for: the cookie that carries the user's token.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderName, SET_COOKIE};
use axum::http::request::Parts;
use protocol::api::LoginGrant;
use protocol::client::DirectorClient;
use protocol::tls::Peer;
use time::OffsetDateTime;

use crate::App;
use crate::failure::Failure;
use crate::view::Frame;

/// `__Host-`: browsers take it from this host alone, over HTTPS, whatever a neighbour sets.
const COOKIE_NAME: &str = "__Host-nutshell_session";
/// Out of reach of scripts, of plain HTTP and of requests that other sites cause.
const COOKIE_RULES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

/// Keeps what a browser must bring back from an identity provider: from there it comes on its own
/// feet, so the cookie is not strict.
const FLOW_COOKIE_NAME: &str = "__Host-nutshell_oidc";
const FLOW_COOKIE_RULES: &str = "Path=/; HttpOnly; Secure; SameSite=Lax";
/// How long a user may take at the provider, in seconds.
const FLOW_LASTS: u32 = 600;

/// The director, as the user who is logged in.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) director: DirectorClient,
}

impl Session {
    /// What surrounds every page of the user.
    pub(crate) async fn frame(&self) -> Result<Frame, Failure> {
        Ok(Frame::of(self.director.user_view().await?))
    }
}

/// The director, for a browser that nobody has logged in with.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) director: DirectorClient,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        Ok(Self { director: director(parts, app) })
    }
}

/// The director, as it serves the one at the other end: guesses of passwords count for them.
fn director(parts: &Parts, app: &App) -> DirectorClient {
    match parts.extensions.get::<ConnectInfo<Peer>>() {
        Some(ConnectInfo(peer)) => app.director.on_behalf_of(peer.address.ip()),
        None => app.director.clone(),
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let token = cookie(&parts.headers, COOKIE_NAME).ok_or(Failure::LoggedOut)?;
        Ok(Self { director: director(parts, app).with_token(token.to_owned()) })
    }
}

/// The value of a cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut texts = headers.get_all(COOKIE).iter().filter_map(|text| text.to_str().ok());
    texts.find_map(|text| cookie_in(text, name))
}

/// The value in a `Cookie` header; what could not be sent on as a header is none.
fn cookie_in<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
        .filter(|value| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// The header that logs the browser in, for as long as the token lasts.
pub(crate) fn remember_cookie(grant: &LoginGrant, now: OffsetDateTime) -> (HeaderName, String) {
    let seconds = (grant.expires - now).whole_seconds().max(0);
    (SET_COOKIE, format!("{COOKIE_NAME}={}; Max-Age={seconds}; {COOKIE_RULES}", grant.token))
}

/// What the browser kept while it was at an identity provider.
pub(crate) fn flow(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, FLOW_COOKIE_NAME)
}

/// The header that has the browser keep it.
pub(crate) fn flow_cookie(flow: &str) -> (HeaderName, String) {
    (SET_COOKIE, format!("{FLOW_COOKIE_NAME}={flow}; Max-Age={FLOW_LASTS}; {FLOW_COOKIE_RULES}"))
}

/// The header that has the browser forget it.
pub(crate) fn flow_forget_cookie() -> (HeaderName, String) {
    (SET_COOKIE, format!("{FLOW_COOKIE_NAME}=; Max-Age=0; {FLOW_COOKIE_RULES}"))
}

/// The header that logs the browser out.
pub(crate) fn forget_cookie() -> (HeaderName, String) {
    (SET_COOKIE, format!("{COOKIE_NAME}=; Max-Age=0; {COOKIE_RULES}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UserId;
    use protocol::api::{Profile, User};
    use time::Duration;

    fn token(header: &str) -> Option<&str> {
        cookie_in(header, COOKIE_NAME)
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        assert_eq!(token("__Host-nutshell_session=abc"), Some("abc"));
        assert_eq!(token("a=b; __Host-nutshell_session=x=y ; c=d"), Some("x=y"));
        for other in [
            "",
            "__Host-nutshell_session",
            "__Host-nutshell_session=",
            "nutshell_session=abc",
            "a=b",
        ] {
            assert_eq!(token(other), None, "{other}");
        }
        assert_eq!(token("__Host-nutshell_session=a\tb"), None);
    }

    #[test]
    fn the_cookie_lasts_as_long_as_the_token_and_stays_home() {
        let user = User {
            id: UserId(1),
            username: "test".into(),
            administrator: false,
            disabled: false,
            credits: 1,
            profile: Profile::default(),
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        let grant = LoginGrant { token: "t".into(), user, expires: now + Duration::hours(1) };
        let (_, cookie) = remember_cookie(&grant, now);
        assert_eq!(
            cookie,
            "__Host-nutshell_session=t; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Strict"
        );
        let (_, late) = remember_cookie(&grant, now + Duration::hours(2));
        assert!(late.contains("Max-Age=0;"));
    }
}
