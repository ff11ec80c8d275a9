//! Logging in by an identity provider: OpenID Connect, the authorization code flow with PKCE.
//!
//! The director remembers nothing of a login under way. What it needs at the end (state, nonce and
//! the verifier of the code challenge) is with the browser that began, in its *flow*: so only that
//! browser can end what it began.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use openidconnect::core::CoreUserInfoClaims;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse,
};
use protocol::api::{LoginGrant, OidcBegun, OidcFinish, Profile};
use reqwest::redirect::Policy;

use super::user::check_username;
use super::{App, Error, Result};
use crate::db;
use crate::db::user::NewUser;

/// How long a provider may take for one answer, and how long that may be.
const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 1024 * 1024;
/// The longest user name that is made of what a provider says.
const LONGEST_NAME: usize = 40;

/// An identity provider that users may come from.
#[derive(Clone)]
pub struct IdentityProviderSettings {
    /// What users choose it by: a word.
    pub name: String,
    /// Its issuer: an `https` URL, or an `http` one of this machine itself.
    pub issuer: String,
    /// The installation's id at the provider.
    pub client_id: String,
    /// The installation's secret at the provider, where it has one.
    pub client_secret: Option<String>,
    /// What to ask for beside `openid`.
    pub scopes: Vec<String>,
    /// Whether whoever comes for the first time becomes a user.
    pub registration: bool,
}

impl std::fmt::Debug for IdentityProviderSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityProviderSettings")
            .field("name", &self.name)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Why a provider cannot be used, or did not vouch for anybody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("`{0}` is no URL of an issuer: https, or http of this machine itself")]
    Issuer(String),
    #[error("failed to {0}")]
    Failed(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the provider gave no ID token")]
    NoIdToken,
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    action: &'static str,
) -> impl FnOnce(E) -> ProviderError {
    move |source| ProviderError::Failed(action, source.into())
}

/// A provider and the way to it.
#[derive(Debug)]
pub(crate) struct IdentityProvider {
    settings: IdentityProviderSettings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    http: Http,
}

/// Whom a provider vouches for.
#[derive(Debug, PartialEq, Eq)]
struct Vouched {
    subject: String,
    username: Option<String>,
    email: Option<String>,
}

impl IdentityProvider {
    /// `director_url` is where browsers come back to.
    pub(crate) fn new(
        settings: IdentityProviderSettings,
        director_url: &str,
    ) -> Result<Self, ProviderError> {
        if !is_issuer(&settings.issuer) {
            return Err(ProviderError::Issuer(settings.issuer));
        }
        let issuer = IssuerUrl::new(settings.issuer.clone())
            .map_err(|_| ProviderError::Issuer(settings.issuer.clone()))?;
        let back = format!("{director_url}/login/oidc/{}/callback", settings.name);
        let redirect = RedirectUrl::new(back).map_err(failed("make the URL to come back to"))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::fetch::tls())
            .no_proxy()
            .timeout(TIMEOUT)
            // A provider that redirects us could have us call anybody.
            .redirect(Policy::none())
            .build()
            .map_err(failed("set up the HTTP client"))?;
        Ok(Self { settings, issuer, redirect, http: Http(http) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    async fn begin(&self) -> Result<OidcBegun, ProviderError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client().await?;
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let flow = format!("{}.{}.{}", state.secret(), nonce.secret(), verifier.secret());
        Ok(OidcBegun { url: url.into(), flow })
    }

    async fn finish(&self, code: &str, flow: &Flow<'_>) -> Result<Vouched, ProviderError> {
        let client = self.client().await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(failed("exchange the code"))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.to_owned()))
            .request_async(&self.http)
            .await
            .map_err(failed("exchange the code"))?;
        let nonce = Nonce::new(flow.nonce.to_owned());
        let token = answer.id_token().ok_or(ProviderError::NoIdToken)?;
        let claims = token
            .claims(&client.id_token_verifier(), &nonce)
            .map_err(failed("verify the ID token"))?;
        let mut vouched = Vouched {
            subject: claims.subject().to_string(),
            username: claims.preferred_username().map(|name| name.to_string()),
            email: claims.email().map(|email| email.to_string()),
        };
        let subject = Some(claims.subject().clone());
        let more = client.user_info(answer.access_token().clone(), subject);
        if let (None, Ok(request)) = (&vouched.username, more) {
            // Many providers tell who somebody is there alone.
            let told: CoreUserInfoClaims =
                request.request_async(&self.http).await.map_err(failed("ask who the user is"))?;
            vouched.username = told.preferred_username().map(|name| name.to_string());
            vouched.email = vouched.email.or(told.email().map(|email| email.to_string()));
        }
        Ok(vouched)
    }

    /// The provider as it is now: its keys and addresses may change at any time.
    async fn client(&self) -> Result<DiscoveredClient, ProviderError> {
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http)
            .await
            .map_err(failed("learn about the provider"))?;
        let secret = self.settings.client_secret.clone().map(ClientSecret::new);
        let id = ClientId::new(self.settings.client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata, id, secret);
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }
}

/// Calls the provider.
#[derive(Debug)]
struct Http(reqwest::Client);

impl<'a> AsyncHttpClient<'a> for Http {
    type Error = CallError;
    type Future = BoxFuture<'a, Result<HttpResponse, CallError>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        async move {
            let mut response = self.0.execute(request.try_into()?).await?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > LARGEST_ANSWER {
                    return Err(CallError::TooLarge);
                }
            }
            let mut answer = HttpResponse::new(body);
            *answer.status_mut() = response.status();
            *answer.headers_mut() = std::mem::take(response.headers_mut());
            Ok(answer)
        }
        .boxed()
    }
}

/// A client that has learned where the provider does what.
type DiscoveredClient = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

/// Why a provider gave no answer.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the request failed")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {LARGEST_ANSWER} bytes")]
    TooLarge,
}

/// What the browser that began keeps until it comes back.
struct Flow<'a> {
    state: &'a str,
    nonce: &'a str,
    verifier: &'a str,
}

impl<'a> Flow<'a> {
    /// The flow of a browser that came back with that state; `None` when it began something else.
    fn read(text: &'a str, state: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let flow = Self { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? };
        let whole = parts.next().is_none() && (1..=64).contains(&flow.state.len());
        (whole && flow.state == state && (43..=128).contains(&flow.verifier.len())).then_some(flow)
    }
}

/// What passes over a network must be encrypted; what stays on the machine need not be.
fn is_issuer(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// A user name made of what a provider says, as near as may be.
fn username_of(vouched: &Vouched, provider: &str) -> String {
    let local_part = vouched.email.as_deref().and_then(|email| email.split('@').next());
    let candidates = [vouched.username.as_deref(), local_part, Some(provider)];
    let plain = |wish: &str| -> String {
        let kept = wish.chars().filter(|one| one.is_ascii_alphanumeric() || "._-".contains(*one));
        let kept: String = kept.collect();
        kept.trim_start_matches(['.', '_', '-']).chars().take(LONGEST_NAME).collect()
    };
    let mut names = candidates.into_iter().flatten().map(plain);
    names.find(|name| check_username(name).is_ok()).unwrap_or_else(|| "user".to_owned())
}

impl App {
    fn identity_provider(&self, name: &str) -> Result<&Arc<IdentityProvider>> {
        let found = self.accounts.providers.iter().find(|provider| provider.name() == name);
        found.ok_or_else(|| Error::not_found("identity provider", format!("`{name}`")))
    }

    /// Where a browser is to go, and what it is to keep until it comes back.
    pub(crate) async fn oidc_begin(&self, name: &str, address: IpAddr) -> Result<OidcBegun> {
        let provider = self.identity_provider(name)?;
        // Nobody has this name: it counts for the address alone, as each of these costs a call.
        let nobody = format!("/{:032x}", rand::random::<u128>());
        if !self.login_limit.attempt(&nobody, address, self.tuning.clock.elapsed()) {
            return Err(Error::TooManyLogins);
        }
        provider.begin().await.map_err(|source| Error::Provider { name: name.to_owned(), source })
    }

    /// A session for whom the provider vouches; a new user, where that is allowed.
    pub(crate) async fn oidc_finish(
        &self,
        name: &str,
        finish: &OidcFinish,
        address: IpAddr,
    ) -> Result<LoginGrant> {
        let provider = self.identity_provider(name)?;
        let flow = Flow::read(&finish.flow, &finish.state).ok_or(Error::NotBegunHere)?;
        let limited = format!("/{}", flow.state);
        if !self.login_limit.attempt(&limited, address, self.tuning.clock.elapsed()) {
            return Err(Error::TooManyLogins);
        }
        let vouched = provider
            .finish(&finish.code, &flow)
            .await
            .map_err(|source| Error::Provider { name: name.to_owned(), source })?;
        self.login_limit.succeeded(&limited, address);
        let issuer = provider.issuer.as_str();
        let mut tx = self.db.write().await?;
        let user = match db::user::by_identity(&mut tx, issuer, &vouched.subject).await? {
            Some(user) => user,
            None if !provider.settings.registration => return Err(Error::RegistrationClosed),
            None => {
                let username = free_username(&mut tx, &username_of(&vouched, name)).await?;
                let email = vouched.email.unwrap_or_default();
                let new = NewUser {
                    username: &username,
                    password_hash: None,
                    administrator: false,
                    profile: &Profile { email, ..Profile::default() },
                };
                let user = self.user_insert(&mut tx, &new, None).await?;
                db::user::identity_insert(&mut tx, issuer, &vouched.subject, user.id).await?;
                tracing::info!(user = %user.id, username, provider = name, "a new user");
                user
            }
        };
        tx.commit().await?;
        self.session_begin(user).await
    }
}

/// The name, or the name with a number, whichever nobody has: users are told apart by the subject
/// at their provider, never by their names.
async fn free_username(tx: &mut db::Writer, wanted: &str) -> Result<String> {
    let mut name = wanted.to_owned();
    let mut number = 1;
    while db::user::by_name(tx, &name).await?.is_some() {
        number += 1;
        name = format!("{wanted}-{number}");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_reached_by_https_or_is_this_machine() {
        for good in [
            "https://accounts.example.org",
            "https://example.org/tenant",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
            "http://localhost:3000/oidc",
        ] {
            assert!(is_issuer(good), "{good}");
        }
        for bad in ["", "accounts.example.org", "http://example.org", "http://127.0.0.1.evil.org"] {
            assert!(!is_issuer(bad), "{bad}");
        }
    }

    #[test]
    fn only_the_browser_that_began_ends_it() {
        let verifier = "v".repeat(43);
        let flow = format!("state.nonce.{verifier}");
        let read = Flow::read(&flow, "state").unwrap();
        assert_eq!((read.nonce, read.verifier), ("nonce", verifier.as_str()));
        assert!(Flow::read(&flow, "another").is_none());
        for bad in ["", "..", "state", "state.nonce", "state.nonce.short", &format!("{flow}.x")] {
            assert!(Flow::read(bad, bad.split('.').next().unwrap()).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_are_made_of_what_the_provider_says() {
        let named = |username: Option<&str>, email: Option<&str>| {
            let (username, email) = (username.map(str::to_owned), email.map(str::to_owned));
            username_of(&Vouched { subject: "1".to_owned(), username, email }, "corp")
        };
        assert_eq!(named(Some("ada"), Some("x@example.org")), "ada");
        assert_eq!(named(Some("Ada L\u{f6}velace"), None), "AdaLvelace");
        assert_eq!(named(Some("../"), Some("ada.l@example.org")), "ada.l");
        assert_eq!(named(None, None), "corp");
        assert_eq!(named(Some(&"x".repeat(99)), None).len(), LONGEST_NAME);
    }
}
