//! What the public API has about users: sessions, passwords, tokens, credits; and what
//! administrators do with them.

use std::net::IpAddr;

use http::Method;
use serde_json::json;

use super::director::{DirectorClient, NO_QUERY};
use super::transport::ClientError;
use crate::api::{
    CreditGrant, CreditQuery, Credits, Login, LoginGrant, LoginOptions, OidcBegun, OidcFinish,
    PasswordChange, Token, TokenCreate, TokenGrant, User, UserChange, UserCreate, UserRegister,
};
use crate::ids::{TokenId, UserId};

impl DirectorClient {
    /// The same director, for somebody at another address: believed of the director's own pages.
    #[must_use]
    pub fn on_behalf_of(&self, address: IpAddr) -> Self {
        Self(self.0.on_behalf_of(address))
    }

    /// `POST /v1/register`
    pub async fn user_register(&self, register: &UserRegister) -> Result<User, ClientError> {
        self.0.call(Method::POST, "/v1/register", register).await
    }

    /// `GET /v1/login-options`
    pub async fn login_options(&self) -> Result<LoginOptions, ClientError> {
        self.0.get("/v1/login-options", &NO_QUERY).await
    }

    /// `POST /v1/login/oidc/{provider}/begin`
    pub async fn oidc_begin(&self, provider: &str) -> Result<OidcBegun, ClientError> {
        self.0.call(Method::POST, &format!("/v1/login/oidc/{provider}/begin"), &json!({})).await
    }

    /// `POST /v1/login/oidc/{provider}/finish`
    pub async fn oidc_finish(
        &self,
        provider: &str,
        finish: &OidcFinish,
    ) -> Result<LoginGrant, ClientError> {
        self.0.call(Method::POST, &format!("/v1/login/oidc/{provider}/finish"), finish).await
    }

    /// `POST /v1/login`
    pub async fn login(&self, login: &Login) -> Result<LoginGrant, ClientError> {
        self.0.call(Method::POST, "/v1/login", login).await
    }

    /// `POST /v1/logout`: ends the session of the token.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.0.call(Method::POST, "/v1/logout", &json!({})).await
    }

    /// `GET /v1/user`: who the token stands for.
    pub async fn user_view(&self) -> Result<User, ClientError> {
        self.0.get("/v1/user", &NO_QUERY).await
    }

    /// `POST /v1/user/password`: ends the user's other sessions.
    pub async fn password_change(&self, change: &PasswordChange) -> Result<(), ClientError> {
        self.0.call(Method::POST, "/v1/user/password", change).await
    }

    /// `GET /v1/user/credits`
    pub async fn credits(&self, query: &CreditQuery) -> Result<Credits, ClientError> {
        self.0.get("/v1/user/credits", query).await
    }

    /// `GET /v1/user/tokens`
    pub async fn token_list(&self) -> Result<Vec<Token>, ClientError> {
        self.0.get("/v1/user/tokens", &NO_QUERY).await
    }

    /// `POST /v1/user/tokens`
    pub async fn token_create(&self, create: &TokenCreate) -> Result<TokenGrant, ClientError> {
        self.0.call(Method::POST, "/v1/user/tokens", create).await
    }

    /// `DELETE /v1/user/tokens/{id}`: it opens nothing from now on.
    pub async fn token_revoke(&self, id: TokenId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/user/tokens/{id}"), &json!({})).await
    }

    /// `GET /v1/users`
    pub async fn user_list(&self) -> Result<Vec<User>, ClientError> {
        self.0.get("/v1/users", &NO_QUERY).await
    }

    /// `POST /v1/users`
    pub async fn user_create(&self, create: &UserCreate) -> Result<User, ClientError> {
        self.0.call(Method::POST, "/v1/users", create).await
    }

    /// `PATCH /v1/users/{id}`
    pub async fn user_change(&self, id: UserId, change: &UserChange) -> Result<User, ClientError> {
        self.0.call(Method::PATCH, &format!("/v1/users/{id}"), change).await
    }

    /// `DELETE /v1/users/{id}`: with all applications.
    pub async fn user_delete(&self, id: UserId) -> Result<(), ClientError> {
        self.0.call(Method::DELETE, &format!("/v1/users/{id}"), &json!({})).await
    }

    /// `GET /v1/users/{id}/credits`
    pub async fn user_credits(
        &self,
        id: UserId,
        query: &CreditQuery,
    ) -> Result<Credits, ClientError> {
        self.0.get(&format!("/v1/users/{id}/credits"), query).await
    }

    /// `POST /v1/users/{id}/credits`
    pub async fn credits_grant(
        &self,
        id: UserId,
        grant: &CreditGrant,
    ) -> Result<User, ClientError> {
        self.0.call(Method::POST, &format!("/v1/users/{id}/credits"), grant).await
    }
}
