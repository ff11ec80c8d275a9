//! What users are known by once they have logged in: sessions, and tokens for scripts.

use protocol::api::Token;
use protocol::{TokenId, UserId};
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::user::{COLUMNS, Row, UserRecord};
use super::{Result, from_millis, millis};

/// How exactly it is known when a token was used.
const USE_KEPT: Duration = Duration::MINUTE;

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
    user: UserId,
    expires: OffsetDateTime,
) -> Result<()> {
    sqlx::query("INSERT INTO sessions (token_hash, user, expires) VALUES (?, ?, ?)")
        .bind(token_hash)
        .bind(user.0)
        .bind(millis(expires))
        .execute(connection)
        .await?;
    Ok(())
}

/// The user whose session it is, when it has not expired.
pub(crate) async fn user(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<UserRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions JOIN users ON users.id = sessions.user
         WHERE token_hash = ? AND expires > ?"
    );
    let row: Option<Row> =
        sqlx::query_as(&sql).bind(token_hash).bind(millis(now)).fetch_optional(connection).await?;
    row.map(Row::record).transpose()
}

pub(crate) async fn delete(connection: &mut SqliteConnection, token_hash: &[u8]) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = ?")
        .bind(token_hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the user's sessions but one, where there is one to keep.
pub(crate) async fn delete_others(
    connection: &mut SqliteConnection,
    user: UserId,
    kept: Option<&[u8]>,
) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user = ? AND token_hash IS NOT ?")
        .bind(user.0)
        .bind(kept)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete_expired(
    connection: &mut SqliteConnection,
    now: OffsetDateTime,
) -> Result<()> {
    for sql in ["DELETE FROM sessions WHERE expires <= ?", "DELETE FROM tokens WHERE expires <= ?"]
    {
        sqlx::query(sql).bind(millis(now)).execute(&mut *connection).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: i64,
    name: String,
    read_only: bool,
    created: i64,
    expires: Option<i64>,
    last_used: Option<i64>,
}

impl TokenRow {
    fn token(self) -> Result<Token> {
        Ok(Token {
            id: TokenId(self.id),
            name: self.name,
            read_only: self.read_only,
            created: from_millis(self.created)?,
            expires: self.expires.map(from_millis).transpose()?,
            last_used: self.last_used.map(from_millis).transpose()?,
        })
    }
}

/// A new token of the user; none when there is one of that name.
pub(crate) async fn token_insert(
    connection: &mut SqliteConnection,
    user: UserId,
    token_hash: &[u8],
    token: &Token,
) -> Result<Option<Token>> {
    let row: Option<TokenRow> = sqlx::query_as(
        "INSERT INTO tokens (user, name, token_hash, read_only, created, expires)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user, name) DO NOTHING
         RETURNING id, name, read_only, created, expires, last_used",
    )
    .bind(user.0)
    .bind(&token.name)
    .bind(token_hash)
    .bind(token.read_only)
    .bind(millis(token.created))
    .bind(token.expires.map(millis))
    .fetch_optional(connection)
    .await?;
    row.map(TokenRow::token).transpose()
}

/// The user's tokens, by name.
pub(crate) async fn token_list(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Vec<Token>> {
    let rows: Vec<TokenRow> = sqlx::query_as(
        "SELECT id, name, read_only, created, expires, last_used FROM tokens
         WHERE user = ? ORDER BY name",
    )
    .bind(user.0)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TokenRow::token).collect()
}

/// Removes the token, when it is the user's; whether it was.
pub(crate) async fn token_delete(
    connection: &mut SqliteConnection,
    user: UserId,
    id: TokenId,
) -> Result<bool> {
    let done = sqlx::query("DELETE FROM tokens WHERE id = ? AND user = ?")
        .bind(id.0)
        .bind(user.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A token that is good: whose, which, and whether its use should be noted.
pub(crate) struct TokenUse {
    pub(crate) user: UserRecord,
    pub(crate) id: TokenId,
    pub(crate) read_only: bool,
    pub(crate) note: bool,
}

#[derive(sqlx::FromRow)]
struct TokenUseRow {
    token: i64,
    read_only: bool,
    last_used: Option<i64>,
    #[sqlx(flatten)]
    user: Row,
}

/// Whose token it is, when it has not expired.
pub(crate) async fn token_user(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<TokenUse>> {
    let sql = format!(
        "SELECT tokens.id AS token, read_only, last_used, {COLUMNS}
         FROM tokens JOIN users ON users.id = tokens.user
         WHERE token_hash = ? AND (expires IS NULL OR expires > ?)"
    );
    let found: Option<TokenUseRow> =
        sqlx::query_as(&sql).bind(token_hash).bind(millis(now)).fetch_optional(connection).await?;
    found
        .map(|TokenUseRow { token, read_only, last_used, user }| {
            let note = last_used.is_none_or(|last| last <= millis(now - USE_KEPT));
            Ok(TokenUse { user: user.record()?, id: TokenId(token), read_only, note })
        })
        .transpose()
}

pub(crate) async fn token_used(
    connection: &mut SqliteConnection,
    id: TokenId,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query("UPDATE tokens SET last_used = ? WHERE id = ?")
        .bind(millis(now))
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}
