//! Who is calling, and whether they may: asked before anything else of a request is looked at.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::tls::Peer;
use protocol::{ApiError, CLIENT_ADDRESS, Identity};

use super::registry::Role;
use crate::app::session::{Credential, SessionSecret};
use crate::app::{App, Error, Result};

/// Lets the request through when its caller has the role, with what is known of the caller.
/// `reads`: it changes nothing.
pub(super) async fn check(role: Role, reads: bool, mut request: Request, next: Next) -> Response {
    match admit(role, reads, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn admit(role: Role, reads: bool, request: &mut Request) -> Result<()> {
    // Laid down by the router for every request.
    let app = request.extensions().get::<App>().cloned().ok_or(Error::ShuttingDown)?;
    match role {
        Role::Public => {}
        Role::User | Role::Session | Role::Administrator => {
            let secret = bearer(request.headers()).ok_or(Error::NotLoggedIn)?.to_owned();
            let (user, credential) = app.caller(&secret).await?;
            check_user(role, reads, user.administrator, credential)?;
            request.extensions_mut().insert(user);
            request.extensions_mut().insert(SessionSecret(secret));
        }
        Role::Manager | Role::Vm => {
            let peer = request.extensions().get::<ConnectInfo<Peer>>();
            let peer = peer.ok_or(Error::NoCertificate)?.0;
            let vm = app.vm_of_peer(peer).await?;
            if role == Role::Manager && !vm.is_manager() {
                return Err(Error::NotManager);
            }
            request.extensions_mut().insert(vm);
        }
    }
    Ok(())
}

/// Whether a user with that credential may call what is for the role.
fn check_user(role: Role, reads: bool, administrator: bool, credential: Credential) -> Result<()> {
    if role == Role::Administrator && !administrator {
        return Err(Error::NotAdministrator);
    }
    match credential {
        Credential::Session => Ok(()),
        Credential::Token { .. } if role == Role::Session => Err(Error::SessionNeeded),
        Credential::Token { read_only: true } if !reads => Err(Error::ReadOnlyToken),
        Credential::Token { .. } => Ok(()),
    }
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Where the caller is: the browser, when the director's own pages call for one.
pub(super) struct ClientAddress(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().ok_or_else(ApiError::internal)?.0;
        Ok(Self(client_address(&peer, &parts.headers)))
    }
}

/// What others say of whom they speak for is not believed.
fn client_address(peer: &Peer, headers: &HeaderMap) -> IpAddr {
    let named = headers.get(CLIENT_ADDRESS).and_then(|value| value.to_str().ok()?.parse().ok());
    match named {
        Some(address) if peer.identity == Some(Identity::Director) => address,
        _ => peer.address.ip(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::ApplicationId;

    use super::*;

    #[test]
    fn tokens_open_less_than_sessions() {
        let all = Credential::Token { read_only: false };
        let read_only = Credential::Token { read_only: true };
        for (role, reads, credential, allowed) in [
            (Role::User, false, Credential::Session, true),
            (Role::User, false, all, true),
            (Role::User, true, read_only, true),
            (Role::User, false, read_only, false),
            (Role::Session, false, Credential::Session, true),
            (Role::Session, false, all, false),
            (Role::Session, true, read_only, false),
            (Role::Administrator, false, all, true),
            (Role::Administrator, true, read_only, true),
            (Role::Administrator, false, read_only, false),
        ] {
            let answer = check_user(role, reads, true, credential);
            assert_eq!(answer.is_ok(), allowed, "{role:?} {reads} {credential:?}");
            let answer = check_user(role, reads, false, credential);
            let allowed = allowed && role != Role::Administrator;
            assert_eq!(
                answer.is_ok(),
                allowed,
                "{role:?} {reads} {credential:?}, no administrator"
            );
        }
    }

    #[test]
    fn only_our_own_pages_speak_for_a_browser() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let browser: IpAddr = "192.0.2.7".parse().unwrap();
        let peer = |identity| Peer { identity, serial: None, address: (here, 4000).into() };
        let manager = Identity::Manager { application: ApplicationId(1) };
        let header = |value: &str| {
            HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(CLIENT_ADDRESS),
                value.parse().unwrap(),
            )])
        };
        for (identity, value, expected) in [
            (Some(Identity::Director), "192.0.2.7", browser),
            (Some(Identity::Director), "nonsense", here),
            (Some(manager), "192.0.2.7", here),
            (None, "192.0.2.7", here),
        ] {
            assert_eq!(client_address(&peer(identity), &header(value)), expected, "{identity:?}");
        }
        assert_eq!(client_address(&peer(Some(Identity::Director)), &HeaderMap::new()), here);
    }
}
