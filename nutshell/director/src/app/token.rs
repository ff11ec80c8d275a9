//! Tokens for scripts: made once, told once, kept as hashes.

use protocol::api::{Token, TokenCreate, TokenGrant};
use protocol::{TokenId, UserId};
use time::Duration;

use super::{App, Error, Result, name};
use crate::db;
use crate::secrets;

/// How their secrets begin, so that people and programs see what they have found.
pub(crate) const TOKEN_PREFIX: &str = "nutshell_";

/// The longest that a token lasts which ends at all: ten years.
const LONGEST_DAYS: u32 = 3653;

impl App {
    pub(crate) async fn token_list(&self, user: UserId) -> Result<Vec<Token>> {
        Ok(db::session::token_list(&mut *self.db.read().await?, user).await?)
    }

    pub(crate) async fn token_create(
        &self,
        user: UserId,
        create: &TokenCreate,
    ) -> Result<TokenGrant> {
        let name = name::check(&create.name)?;
        if create.days.is_some_and(|days| days == 0 || days > LONGEST_DAYS) {
            let problem = format!("a token lasts 1 to {LONGEST_DAYS} days, or for good");
            return Err(Error::Invalid(problem));
        }
        let secret = format!("{TOKEN_PREFIX}{}", secrets::generate());
        let token = Token {
            id: TokenId(0),
            name: name.to_owned(),
            read_only: create.read_only,
            created: self.now(),
            expires: create.days.map(|days| self.now() + Duration::days(days.into())),
            last_used: None,
        };
        let mut tx = self.db.write().await?;
        let inserted =
            db::session::token_insert(&mut tx, user, &secrets::hash(&secret), &token).await?;
        let token = inserted.ok_or_else(|| Error::TokenNameTaken(name.to_owned()))?;
        tx.commit().await?;
        Ok(TokenGrant { secret, token })
    }

    pub(crate) async fn token_revoke(&self, user: UserId, id: TokenId) -> Result<()> {
        let mut tx = self.db.write().await?;
        if !db::session::token_delete(&mut tx, user, id).await? {
            return Err(Error::not_found("token", id));
        }
        Ok(tx.commit().await?)
    }
}
