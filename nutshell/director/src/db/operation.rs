//! The record of operations: what a director that was killed takes up again.

use protocol::api::{Operation, OperationState};
use protocol::{ApiError, ApplicationId, OperationId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_word, millis, word};

/// An operation as recorded.
#[derive(Debug, Clone)]
pub(crate) struct OperationRecord {
    pub(crate) operation: Operation,
    /// What it works on, as JSON.
    pub(crate) parameters: String,
    /// The number of steps that may have had an effect.
    pub(crate) begun: usize,
    /// Why it failed: an error as it stands in the API, as JSON.
    pub(crate) error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    parameters: String,
    state: String,
    begun: i64,
    step: String,
    error: Option<String>,
}

const SELECT: &str = "SELECT id, kind, parameters, state, begun, step, error FROM operations";

impl Row {
    fn record(self) -> Result<OperationRecord> {
        let operation = Operation {
            id: OperationId(self.id),
            kind: self.kind,
            state: from_word::<OperationState>(self.state)?,
            step: self.step,
            error: self.error.as_deref().map(message),
        };
        Ok(OperationRecord {
            operation,
            error: self.error,
            parameters: self.parameters,
            begun: usize::try_from(self.begun).unwrap_or_default(),
        })
    }
}

/// What of a recorded error is for people.
fn message(error: &str) -> String {
    serde_json::from_str::<ApiError>(error).map_or_else(|_| error.to_owned(), |told| told.message)
}

/// Records a new operation; its parameters follow in the same transaction, when they are known.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    application: ApplicationId,
    kind: &str,
    now: OffsetDateTime,
) -> Result<OperationId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO operations (application, kind, parameters, state, created)
         VALUES (?, ?, '', ?, ?) RETURNING id",
    )
    .bind(application.0)
    .bind(kind)
    .bind(word(OperationState::Running))
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(OperationId(id))
}

pub(crate) async fn set_parameters(
    connection: &mut SqliteConnection,
    id: OperationId,
    parameters: &str,
) -> Result<()> {
    sqlx::query("UPDATE operations SET parameters = ? WHERE id = ?")
        .bind(parameters)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Records where the operation stands.
pub(crate) async fn set_progress(
    connection: &mut SqliteConnection,
    id: OperationId,
    state: OperationState,
    begun: usize,
    step: &str,
    error: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "UPDATE operations SET state = ?, begun = ?, step = ?, error = COALESCE(?, error)
         WHERE id = ?",
    )
    .bind(word(state))
    .bind(i64::try_from(begun).unwrap_or(i64::MAX))
    .bind(step)
    .bind(error)
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: OperationId,
) -> Result<Option<OperationRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// All operations that are not over, oldest first.
pub(crate) async fn list_under_way(
    connection: &mut SqliteConnection,
) -> Result<Vec<OperationRecord>> {
    let sql = format!("{SELECT} WHERE state IN ('running', 'unwinding') ORDER BY id");
    let rows: Vec<Row> = sqlx::query_as(&sql).fetch_all(connection).await?;
    rows.into_iter().map(Row::record).collect()
}

/// The latest operations, newest first.
pub(crate) async fn list_latest(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<Operation>> {
    let rows: Vec<Row> = sqlx::query_as(&format!("{SELECT} ORDER BY id DESC LIMIT ?"))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(row.record()?.operation)).collect()
}

/// Whether the application has an operation that began before this one and is not over.
pub(crate) async fn earlier_under_way(
    connection: &mut SqliteConnection,
    application: ApplicationId,
    id: OperationId,
) -> Result<bool> {
    let row: Option<(i64,)> = sqlx::query_as(
        "SELECT id FROM operations
         WHERE application = ? AND id < ? AND state IN ('running', 'unwinding') LIMIT 1",
    )
    .bind(application.0)
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Whether an operation of that kind works on the application.
pub(crate) async fn under_way(
    connection: &mut SqliteConnection,
    application: ApplicationId,
    kind: &str,
) -> Result<bool> {
    let row: Option<(i64,)> = sqlx::query_as(
        "SELECT id FROM operations
         WHERE application = ? AND kind = ? AND state IN ('running', 'unwinding') LIMIT 1",
    )
    .bind(application.0)
    .bind(kind)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Forgets what ended well or badly and began before that time, as far as no node or volume points at it.
pub(crate) async fn delete_ended(
    connection: &mut SqliteConnection,
    before: OffsetDateTime,
) -> Result<()> {
    sqlx::query(
        "DELETE FROM operations WHERE state IN ('done', 'failed') AND created < ?
         AND id NOT IN (SELECT operation FROM nodes UNION SELECT operation FROM volumes)",
    )
    .bind(millis(before))
    .execute(connection)
    .await?;
    Ok(())
}
