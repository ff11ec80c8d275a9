//! Applications.

use std::net::Ipv4Addr;

use protocol::api::{Application, State};
use protocol::{ApplicationId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, millis, parse, word};

/// An application and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationRecord {
    pub(crate) user: UserId,
    pub(crate) application: Application,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    user: i64,
    name: String,
    state: String,
    reason: Option<String>,
    revision: i64,
    created: i64,
    public_ip: Option<String>,
    private_ip: Option<String>,
    cloud: Option<String>,
}

/// An application with its manager, when it has one that is not being removed.
const SELECT: &str = "SELECT applications.id, user, name, applications.state, reason, revision,
        applications.created, public_ip, private_ip, cloud
    FROM applications LEFT JOIN nodes
        ON nodes.application = applications.id AND service IS NULL AND nodes.state <> 'stopping'";

impl Row {
    fn record(self) -> Result<ApplicationRecord> {
        let manager = self.public_ip.or(self.private_ip).map(parse::<Ipv4Addr>).transpose()?;
        let application = Application {
            id: ApplicationId(self.id),
            name: self.name,
            state: from_word(self.state)?,
            reason: self.reason,
            manager,
            cloud: self.cloud,
            revision: self.revision.unsigned_abs(),
            created: from_millis(self.created)?,
        };
        Ok(ApplicationRecord { user: UserId(self.user), application })
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    user: UserId,
    name: &str,
    now: OffsetDateTime,
) -> Result<ApplicationId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO applications (user, name, state, created) VALUES (?, ?, ?, ?) RETURNING id",
    )
    .bind(user.0)
    .bind(name)
    .bind(word(State::Init))
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(ApplicationId(id))
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: ApplicationId,
) -> Result<Option<ApplicationRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE applications.id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// The user's applications, oldest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Vec<Application>> {
    let rows: Vec<Row> =
        sqlx::query_as(&format!("{SELECT} WHERE user = ? ORDER BY applications.id"))
            .bind(user.0)
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(|row| Ok(row.record()?.application)).collect()
}

pub(crate) async fn rename(
    connection: &mut SqliteConnection,
    id: ApplicationId,
    name: &str,
) -> Result<()> {
    sqlx::query("UPDATE applications SET name = ?, revision = revision + 1 WHERE id = ?")
        .bind(name)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Sets the state when it is one of `from`; whether it was.
pub(crate) async fn set_state(
    connection: &mut SqliteConnection,
    id: ApplicationId,
    from: &[State],
    to: State,
    reason: Option<&str>,
) -> Result<bool> {
    let from: Vec<String> = from.iter().map(|state| format!("'{}'", word(state))).collect();
    let done = sqlx::query(&format!(
        "UPDATE applications SET state = ?, reason = ?, revision = revision + 1
         WHERE id = ? AND state IN ({})",
        from.join(", ")
    ))
    .bind(word(to))
    .bind(reason)
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Something that shows in the application changed elsewhere: its manager.
pub(crate) async fn touch(connection: &mut SqliteConnection, id: ApplicationId) -> Result<()> {
    sqlx::query("UPDATE applications SET revision = revision + 1 WHERE id = ?")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut SqliteConnection, id: ApplicationId) -> Result<()> {
    sqlx::query("DELETE FROM applications WHERE id = ?").bind(id.0).execute(connection).await?;
    Ok(())
}
