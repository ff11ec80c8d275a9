//! Logging in and out, and who is calling.

use std::net::IpAddr;

use protocol::api::{Login, LoginGrant, LoginOptions};
use time::Duration;

use super::token::TOKEN_PREFIX;
use super::user::{UserRecord, view};
use super::{App, Error, Result};
use crate::db;
use crate::secrets;

/// No user has a longer name; what is longer is not worth counting.
const LONGEST_NAME: usize = 256;

/// How long a session lasts.
const SESSION: Duration = Duration::days(30);

/// What a user came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A session, begun by logging in.
    Session,
    /// A token for scripts.
    Token { read_only: bool },
}

/// The secret of the caller's session, as it came.
#[derive(Clone)]
pub(crate) struct SessionSecret(pub(crate) String);

impl App {
    pub(crate) fn login_options(&self) -> LoginOptions {
        let providers = self.accounts.providers.iter().map(|one| one.name().to_owned()).collect();
        LoginOptions { registration: self.accounts.registration, providers }
    }

    pub(crate) async fn login(&self, login: &Login, address: IpAddr) -> Result<LoginGrant> {
        if login.username.len() > LONGEST_NAME {
            return Err(Error::WrongPassword);
        }
        if !self.login_limit.attempt(&login.username, address, self.tuning.clock.elapsed()) {
            return Err(Error::TooManyLogins);
        }
        let known = db::user::by_name(&mut *self.db.read().await?, &login.username).await?;
        // Who does not exist takes as long as who does.
        let stored = known.as_ref().and_then(|user| user.password_hash.as_deref());
        let right = self.passwords.verify(&login.password, stored).await?;
        let user = known.filter(|_| right).ok_or(Error::WrongPassword)?;
        self.login_limit.succeeded(&login.username, address);
        self.session_begin(user).await
    }

    /// A session for a user who proved to be that user.
    pub(crate) async fn session_begin(&self, user: UserRecord) -> Result<LoginGrant> {
        if user.disabled {
            return Err(Error::Disabled(user.username));
        }
        let token = secrets::generate();
        let expires = self.now() + SESSION;
        let mut tx = self.db.write().await?;
        db::session::delete_expired(&mut tx, self.now()).await?;
        db::session::insert(&mut tx, &secrets::hash(&token), user.id, expires).await?;
        let user = view(&mut tx, user).await?;
        tx.commit().await?;
        Ok(LoginGrant { token, user, expires })
    }

    pub(crate) async fn logout(&self, session: &SessionSecret) -> Result<()> {
        let mut tx = self.db.write().await?;
        db::session::delete(&mut tx, &secrets::hash(&session.0)).await?;
        Ok(tx.commit().await?)
    }

    /// The user that a secret stands for, and what it is.
    pub(crate) async fn caller(&self, secret: &str) -> Result<(UserRecord, Credential)> {
        let (hash, now) = (secrets::hash(secret), self.now());
        let (user, credential) = if secret.starts_with(TOKEN_PREFIX) {
            let found = db::session::token_user(&mut *self.db.read().await?, &hash, now).await?;
            let used = found.ok_or(Error::TokenEnded)?;
            if used.note {
                let mut tx = self.db.write().await?;
                db::session::token_used(&mut tx, used.id, now).await?;
                tx.commit().await?;
            }
            (used.user, Credential::Token { read_only: used.read_only })
        } else {
            let found = db::session::user(&mut *self.db.read().await?, &hash, now).await?;
            (found.ok_or(Error::SessionEnded)?, Credential::Session)
        };
        if user.disabled { Err(Error::Disabled(user.username)) } else { Ok((user, credential)) }
    }
}
