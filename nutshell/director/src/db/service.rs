//! Services.

use protocol::api::internal::ServiceReport;
use protocol::api::{Service, State};
use protocol::{ApplicationId, ServiceId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, history, millis, word};

/// A service and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRecord {
    pub(crate) user: UserId,
    /// Whether it is being deleted.
    pub(crate) deleting: bool,
    pub(crate) service: Service,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    user: i64,
    application: i64,
    service_type: String,
    name: String,
    state: String,
    reason: Option<String>,
    since: i64,
    deleting: bool,
    revision: i64,
    created: i64,
    nodes: i64,
}

const SELECT: &str = "SELECT services.id, user, application, service_type, services.name,
        services.state, services.reason, since, deleting,
        services.revision, services.created,
        (SELECT COUNT(*) FROM nodes WHERE service = services.id AND state = 'ready') AS nodes
    FROM services JOIN applications ON applications.id = services.application";

impl Row {
    fn record(self) -> Result<ServiceRecord> {
        let service = Service {
            id: ServiceId(self.id),
            application: ApplicationId(self.application),
            service_type: self.service_type,
            name: self.name,
            state: from_word(self.state)?,
            reason: self.reason,
            since: from_millis(self.since)?,
            nodes: u32::try_from(self.nodes).unwrap_or(u32::MAX),
            revision: self.revision.unsigned_abs(),
            created: from_millis(self.created)?,
        };
        Ok(ServiceRecord { user: UserId(self.user), deleting: self.deleting, service })
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    application: ApplicationId,
    service_type: &str,
    name: &str,
    now: OffsetDateTime,
) -> Result<ServiceId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO services (application, service_type, name, state, since, created)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(application.0)
    .bind(service_type)
    .bind(name)
    .bind(word(State::Init))
    .bind(millis(now))
    .bind(millis(now))
    .fetch_one(&mut *connection)
    .await?;
    history::note(connection, ServiceId(id), now).await?;
    Ok(ServiceId(id))
}

/// The script that new nodes run, if there is one.
pub(crate) async fn startup_script(
    connection: &mut SqliteConnection,
    id: ServiceId,
) -> Result<Option<String>> {
    let row: Option<(Option<String>,)> =
        sqlx::query_as("SELECT startup_script FROM services WHERE id = ?")
            .bind(id.0)
            .fetch_optional(connection)
            .await?;
    Ok(row.and_then(|(script,)| script))
}

pub(crate) async fn set_startup_script(
    connection: &mut SqliteConnection,
    id: ServiceId,
    script: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE services SET startup_script = ? WHERE id = ?")
        .bind(script)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: ServiceId,
) -> Result<Option<ServiceRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE services.id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// The user's services, oldest first.
pub(crate) async fn list(connection: &mut SqliteConnection, user: UserId) -> Result<Vec<Service>> {
    let rows: Vec<Row> = sqlx::query_as(&format!("{SELECT} WHERE user = ? ORDER BY services.id"))
        .bind(user.0)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(row.record()?.service)).collect()
}

/// The application's services, oldest first.
pub(crate) async fn list_of_application(
    connection: &mut SqliteConnection,
    application: ApplicationId,
) -> Result<Vec<ServiceRecord>> {
    let rows: Vec<Row> =
        sqlx::query_as(&format!("{SELECT} WHERE application = ? ORDER BY services.id"))
            .bind(application.0)
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn rename(
    connection: &mut SqliteConnection,
    id: ServiceId,
    name: &str,
) -> Result<()> {
    sqlx::query("UPDATE services SET name = ?, revision = revision + 1 WHERE id = ?")
        .bind(name)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores what a manager says of a service, unless something newer is stored already.
pub(crate) async fn report(
    connection: &mut SqliteConnection,
    id: ServiceId,
    report: &ServiceReport,
    now: OffsetDateTime,
) -> Result<()> {
    let state = word(report.state);
    sqlx::query(
        "UPDATE services SET since = CASE WHEN state = ?1 THEN since ELSE ?2 END, state = ?1,
             reason = ?3, report = ?5, revision = revision + 1
         WHERE id = ?4 AND report < ?5",
    )
    .bind(state)
    .bind(millis(now))
    .bind(&report.reason)
    .bind(id.0)
    .bind(report.revision.cast_signed())
    .execute(&mut *connection)
    .await?;
    history::note(connection, id, now).await
}

/// The application has stopped: so have all its services that had ever started.
pub(crate) async fn stop_all(
    connection: &mut SqliteConnection,
    application: ApplicationId,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query(
        "UPDATE services SET state = ?1, reason = NULL, since = ?2, revision = revision + 1
         WHERE application = ?3 AND state NOT IN (?1, ?4)",
    )
    .bind(word(State::Stopped))
    .bind(millis(now))
    .bind(application.0)
    .bind(word(State::Init))
    .execute(&mut *connection)
    .await?;
    // The next manager counts from the beginning.
    sqlx::query("UPDATE services SET report = 0 WHERE application = ?")
        .bind(application.0)
        .execute(&mut *connection)
        .await?;
    for record in list_of_application(connection, application).await? {
        history::note(connection, record.service.id, now).await?;
    }
    Ok(())
}

pub(crate) async fn set_deleting(connection: &mut SqliteConnection, id: ServiceId) -> Result<()> {
    sqlx::query("UPDATE services SET deleting = TRUE WHERE id = ?")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn set_reason(
    connection: &mut SqliteConnection,
    id: ServiceId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query("UPDATE services SET reason = ?, revision = revision + 1 WHERE id = ?")
        .bind(reason)
        .bind(id.0)
        .execute(&mut *connection)
        .await?;
    history::note(connection, id, now).await
}

/// Something that shows in the service changed elsewhere: its nodes.
pub(crate) async fn touch(connection: &mut SqliteConnection, id: ServiceId) -> Result<()> {
    sqlx::query("UPDATE services SET revision = revision + 1 WHERE id = ?")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut SqliteConnection, id: ServiceId) -> Result<()> {
    sqlx::query("DELETE FROM services WHERE id = ?").bind(id.0).execute(connection).await?;
    Ok(())
}
