//! The ledger of credits: entries are added, never changed.

use std::time::Duration;

use protocol::api::{CreditEntry, CreditKind};
use protocol::{NodeId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, millis, span, span_millis};

pub(crate) async fn balance(connection: &mut SqliteConnection, user: UserId) -> Result<i64> {
    let (balance,): (i64,) =
        sqlx::query_as("SELECT COALESCE(SUM(amount), 0) FROM credits WHERE user = ?")
            .bind(user.0)
            .fetch_one(connection)
            .await?;
    Ok(balance)
}

pub(crate) async fn grant(
    connection: &mut SqliteConnection,
    user: UserId,
    amount: i64,
    note: Option<&str>,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query("INSERT INTO credits (user, kind, amount, note, at) VALUES (?, 'grant', ?, ?, ?)")
        .bind(user.0)
        .bind(amount)
        .bind(note)
        .bind(millis(now))
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    amount: i64,
    node: Option<i64>,
    hour: Option<i64>,
    note: Option<String>,
    at: i64,
}

/// The user's latest entries before that one, newest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    user: UserId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<CreditEntry>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, kind, amount, node, hour, note, at FROM credits
         WHERE user = ? AND id < ? ORDER BY id DESC LIMIT ?",
    )
    .bind(user.0)
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let entry = |row: Row| {
        Ok(CreditEntry {
            id: row.id,
            kind: from_word::<CreditKind>(row.kind)?,
            amount: row.amount,
            node: row.node.map(NodeId),
            hour: row.hour.map(|hour| hour + 1),
            note: row.note,
            at: from_millis(row.at)?,
        })
    };
    rows.into_iter().map(entry).collect()
}

/// Charges one hour of one node; whether it had not been charged before.
pub(crate) async fn charge(
    connection: &mut SqliteConnection,
    user: UserId,
    node: NodeId,
    hour: i64,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO credits (user, kind, amount, node, hour, at)
         VALUES (?, 'charge', -1, ?, ?, ?)",
    )
    .bind(user.0)
    .bind(node.0)
    .bind(hour)
    .bind(millis(now))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The last hour of the node that was charged.
pub(crate) async fn last_hour(
    connection: &mut SqliteConnection,
    node: NodeId,
) -> Result<Option<i64>> {
    let (hour,): (Option<i64>,) =
        sqlx::query_as("SELECT MAX(hour) FROM credits WHERE node = ? AND kind = 'charge'")
            .bind(node.0)
            .fetch_one(connection)
            .await?;
    Ok(hour)
}

/// Gives back whatever the node was charged, once.
pub(crate) async fn refund(
    connection: &mut SqliteConnection,
    node: NodeId,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query(
        "INSERT OR IGNORE INTO credits (user, kind, amount, node, hour, at)
         SELECT user, 'refund', -amount, node, hour, ? FROM credits
         WHERE node = ? AND kind = 'charge'",
    )
    .bind(millis(now))
    .bind(node.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// What the meter showed last, as far as anything depends on it.
pub(crate) async fn meter(connection: &mut SqliteConnection) -> Result<Duration> {
    let (shows,): (i64,) = sqlx::query_as(
        "SELECT MAX(shows, (SELECT COALESCE(MAX(metered_from), 0) FROM nodes),
             (SELECT COALESCE(MAX(metered_until), 0) FROM nodes)) FROM meter",
    )
    .fetch_one(connection)
    .await?;
    span(shows)
}

pub(crate) async fn set_meter(connection: &mut SqliteConnection, shows: Duration) -> Result<()> {
    sqlx::query("UPDATE meter SET shows = ?").bind(span_millis(shows)).execute(connection).await?;
    Ok(())
}
