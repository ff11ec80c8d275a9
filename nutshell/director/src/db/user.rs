//! Users.

use protocol::UserId;
use protocol::api::Profile;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{DbError, Result, millis};

/// A user as stored.
#[derive(Debug, Clone)]
pub(crate) struct UserRecord {
    pub(crate) id: UserId,
    pub(crate) username: String,
    /// `None` when an identity provider alone vouches for the user.
    pub(crate) password_hash: Option<String>,
    pub(crate) administrator: bool,
    pub(crate) disabled: bool,
    pub(crate) profile: Profile,
}

/// A user to be made.
#[derive(Debug)]
pub(crate) struct NewUser<'a> {
    pub(crate) username: &'a str,
    pub(crate) password_hash: Option<&'a str>,
    pub(crate) administrator: bool,
    pub(crate) profile: &'a Profile,
}

/// The columns of a [`UserRecord`].
pub(super) const COLUMNS: &str =
    "users.id, username, password_hash, administrator, disabled, profile";

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: i64,
    username: String,
    password_hash: Option<String>,
    administrator: bool,
    disabled: bool,
    profile: String,
}

impl Row {
    pub(super) fn record(self) -> Result<UserRecord> {
        let Self { id, username, password_hash, administrator, disabled, profile } = self;
        let profile =
            serde_json::from_str(&profile).map_err(|_| DbError::Meaningless(profile.clone()))?;
        let id = UserId(id);
        Ok(UserRecord { id, username, password_hash, administrator, disabled, profile })
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewUser<'_>,
    now: OffsetDateTime,
) -> Result<UserId> {
    let profile = serde_json::to_string(new.profile).expect("a few texts are always JSON");
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO users (username, password_hash, administrator, profile, created)
         VALUES (?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(new.username)
    .bind(new.password_hash)
    .bind(new.administrator)
    .bind(profile)
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(UserId(id))
}

pub(crate) async fn set_password(
    connection: &mut SqliteConnection,
    id: UserId,
    password_hash: &str,
) -> Result<()> {
    sqlx::query("UPDATE users SET password_hash = ? WHERE id = ?")
        .bind(password_hash)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn set_rights(
    connection: &mut SqliteConnection,
    id: UserId,
    administrator: bool,
    disabled: bool,
) -> Result<()> {
    sqlx::query("UPDATE users SET administrator = ?, disabled = ? WHERE id = ?")
        .bind(administrator)
        .bind(disabled)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: UserId,
) -> Result<Option<UserRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("SELECT {COLUMNS} FROM users WHERE id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// The user of that name, whatever its case.
pub(crate) async fn by_name(
    connection: &mut SqliteConnection,
    username: &str,
) -> Result<Option<UserRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE username = ?");
    let row: Option<Row> = sqlx::query_as(&sql).bind(username).fetch_optional(connection).await?;
    row.map(Row::record).transpose()
}

/// Every user, by name.
pub(crate) async fn list(connection: &mut SqliteConnection) -> Result<Vec<UserRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM users ORDER BY username");
    let rows: Vec<Row> = sqlx::query_as(&sql).fetch_all(connection).await?;
    rows.into_iter().map(Row::record).collect()
}

/// Whether somebody else administers the installation.
pub(crate) async fn another_administrator(
    connection: &mut SqliteConnection,
    id: UserId,
) -> Result<bool> {
    let (exists,): (bool,) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM users WHERE administrator AND NOT disabled AND id <> ?)",
    )
    .bind(id.0)
    .fetch_one(connection)
    .await?;
    Ok(exists)
}

/// Removes the user with sessions, tokens and account; applications must be gone.
pub(crate) async fn delete(connection: &mut SqliteConnection, id: UserId) -> Result<()> {
    for sql in ["DELETE FROM credits WHERE user = ?", "DELETE FROM users WHERE id = ?"] {
        sqlx::query(sql).bind(id.0).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The user that an identity provider vouches for.
pub(crate) async fn by_identity(
    connection: &mut SqliteConnection,
    issuer: &str,
    subject: &str,
) -> Result<Option<UserRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM identities JOIN users ON users.id = identities.user
         WHERE issuer = ? AND subject = ?"
    );
    let row: Option<Row> =
        sqlx::query_as(&sql).bind(issuer).bind(subject).fetch_optional(connection).await?;
    row.map(Row::record).transpose()
}

pub(crate) async fn identity_insert(
    connection: &mut SqliteConnection,
    issuer: &str,
    subject: &str,
    user: UserId,
) -> Result<()> {
    sqlx::query("INSERT INTO identities (issuer, subject, user) VALUES (?, ?, ?)")
        .bind(issuer)
        .bind(subject)
        .bind(user.0)
        .execute(connection)
        .await?;
    Ok(())
}
