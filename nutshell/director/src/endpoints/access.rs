//! Who is calling, and whether they may: asked before anything else of a request is looked at.

use axum::extract::{ConnectInfo, Request};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::ApiError;
use protocol::tls::Peer;

use super::registry::Role;
use crate::app::{App, Error, Result};

/// The secret of the caller's session, as it came.
#[derive(Clone)]
pub(super) struct SessionToken(pub(super) String);

/// Lets the request through when its caller has the role, with what is known of the caller.
pub(super) async fn check(role: Role, mut request: Request, next: Next) -> Response {
    match admit(role, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn admit(role: Role, request: &mut Request) -> Result<()> {
    // Laid down by the router for every request.
    let app = request.extensions().get::<App>().cloned().ok_or(Error::ShuttingDown)?;
    match role {
        Role::Public => {}
        Role::User | Role::Administrator => {
            let token = bearer(request).ok_or(Error::NotLoggedIn)?.to_owned();
            let user = app.user_of_session(&token).await?;
            if role == Role::Administrator && !user.administrator {
                return Err(Error::NotAdministrator);
            }
            request.extensions_mut().insert(user);
            request.extensions_mut().insert(SessionToken(token));
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

/// The token of `Authorization: Bearer …`.
fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
