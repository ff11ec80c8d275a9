//! Users and their sessions.

use protocol::UserId;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, millis};

/// A user as stored.
#[derive(Debug, Clone)]
pub(crate) struct UserRecord {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) administrator: bool,
}

type Row = (i64, String, String, bool);

fn record((id, username, password_hash, administrator): Row) -> UserRecord {
    UserRecord { id: UserId(id), username, password_hash, administrator }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    username: &str,
    password_hash: &str,
    administrator: bool,
    now: OffsetDateTime,
) -> Result<UserId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO users (username, password_hash, administrator, created)
         VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(username)
    .bind(password_hash)
    .bind(administrator)
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(UserId(id))
}

pub(crate) async fn update(
    connection: &mut SqliteConnection,
    id: UserId,
    password_hash: &str,
    administrator: bool,
) -> Result<()> {
    sqlx::query("UPDATE users SET password_hash = ?, administrator = ? WHERE id = ?")
        .bind(password_hash)
        .bind(administrator)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn by_name(
    connection: &mut SqliteConnection,
    username: &str,
) -> Result<Option<UserRecord>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, username, password_hash, administrator FROM users WHERE username = ?",
    )
    .bind(username)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(record))
}

pub(crate) async fn session_insert(
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

/// The user whose session the token stands for, when it has not expired.
pub(crate) async fn by_session(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<UserRecord>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT users.id, username, password_hash, administrator
         FROM sessions JOIN users ON users.id = sessions.user
         WHERE token_hash = ? AND expires > ?",
    )
    .bind(token_hash)
    .bind(millis(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.map(record))
}

pub(crate) async fn session_delete(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = ?")
        .bind(token_hash)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn sessions_delete_of(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user = ?").bind(user.0).execute(connection).await?;
    Ok(())
}

pub(crate) async fn sessions_delete_expired(
    connection: &mut SqliteConnection,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE expires <= ?")
        .bind(millis(now))
        .execute(connection)
        .await?;
    Ok(())
}
