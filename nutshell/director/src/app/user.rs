//! Users, their sessions, and how they log in.

use std::net::IpAddr;

use protocol::UserId;
use protocol::api::{Login, LoginGrant, User};
use time::Duration;

use super::{App, Error, Result};
use crate::db;
pub(crate) use crate::db::user::UserRecord;
use crate::secrets;

/// No user has a longer name; what is longer is not worth counting.
const LONGEST_NAME: usize = 256;

/// How long a session lasts.
const SESSION: Duration = Duration::days(30);

/// A user that the installation's settings name.
#[derive(Clone)]
pub struct UserSettings {
    /// Name to log in with.
    pub username: String,
    /// The password, whatever it was before.
    pub password: String,
    /// Whether the user may administer the installation.
    pub administrator: bool,
    /// Credits to begin with; the installation's default when absent.
    pub credits: Option<i64>,
}

impl std::fmt::Debug for UserSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSettings").field("username", &self.username).finish_non_exhaustive()
    }
}

impl App {
    /// Makes a user of the settings, or makes the user be as the settings say. Credits are given
    /// once; another password ends all sessions.
    pub(crate) async fn user_ensure(
        &self,
        settings: &UserSettings,
        default_credits: i64,
    ) -> Result<()> {
        let known = db::user::by_name(&mut *self.db.read().await?, &settings.username).await?;
        let Some(known) = known else {
            let hash = self.passwords.hash(&settings.password).await?;
            let credits = settings.credits.unwrap_or(default_credits);
            let mut tx = self.db.write().await?;
            let (name, administrator) = (&settings.username, settings.administrator);
            let user = db::user::insert(&mut tx, name, &hash, administrator, self.now()).await?;
            db::credit::grant(&mut tx, user, credits, self.now()).await?;
            return Ok(tx.commit().await?);
        };
        let same = self.passwords.verify(&settings.password, Some(&known.password_hash)).await?;
        if same && known.administrator == settings.administrator {
            return Ok(());
        }
        let hash = self.passwords.hash(&settings.password).await?;
        let mut tx = self.db.write().await?;
        db::user::update(&mut tx, known.id, &hash, settings.administrator).await?;
        if !same {
            db::user::sessions_delete_of(&mut tx, known.id).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(crate) async fn login(&self, login: &Login, address: IpAddr) -> Result<LoginGrant> {
        if login.username.len() > LONGEST_NAME {
            return Err(Error::WrongPassword);
        }
        if !self.login_limit.attempt(&login.username, address, self.now()) {
            return Err(Error::TooManyLogins);
        }
        let known = db::user::by_name(&mut *self.db.read().await?, &login.username).await?;
        let stored = known.as_ref().map(|user| user.password_hash.as_str());
        let right = self.passwords.verify(&login.password, stored).await?;
        let user = known.filter(|_| right).ok_or(Error::WrongPassword)?;
        self.login_limit.succeeded(&login.username, address);
        let token = secrets::generate();
        let expires = self.now() + SESSION;
        let mut tx = self.db.write().await?;
        db::user::sessions_delete_expired(&mut tx, self.now()).await?;
        db::user::session_insert(&mut tx, &secrets::hash(&token), user.id, expires).await?;
        let user = view(&mut tx, user).await?;
        tx.commit().await?;
        Ok(LoginGrant { token, user, expires })
    }

    pub(crate) async fn logout(&self, token: &str) -> Result<()> {
        let mut tx = self.db.write().await?;
        db::user::session_delete(&mut tx, &secrets::hash(token)).await?;
        Ok(tx.commit().await?)
    }

    /// The user whose session the token stands for.
    pub(crate) async fn user_of_session(&self, token: &str) -> Result<UserRecord> {
        let hash = secrets::hash(token);
        let found = db::user::by_session(&mut *self.db.read().await?, &hash, self.now()).await?;
        found.ok_or(Error::SessionEnded)
    }

    pub(crate) async fn user_view(&self, user: UserRecord) -> Result<User> {
        view(&mut *self.db.read().await?, user).await
    }

    /// Refuses when the user has no credit left.
    pub(crate) async fn check_credits(&self, user: UserId, nodes: usize) -> Result<()> {
        super::credit::check(&mut *self.db.read().await?, user, nodes).await
    }
}

async fn view(connection: &mut sqlx::SqliteConnection, user: UserRecord) -> Result<User> {
    let credits = db::credit::balance(connection, user.id).await?;
    let UserRecord { id, username, administrator, .. } = user;
    Ok(User { id, username, administrator, credits })
}
