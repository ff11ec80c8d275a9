//! What services went through: an entry for each new state, and for each new reason.

use protocol::ServiceId;
use protocol::api::StateChange;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, millis};

/// The most entries that are kept of one service.
const KEPT: i64 = 200;

/// Notes how the service is now, unless the last entry says so already.
pub(crate) async fn note(
    connection: &mut SqliteConnection,
    service: ServiceId,
    now: OffsetDateTime,
) -> Result<()> {
    let noted = sqlx::query(
        "INSERT INTO service_history (service, at, state, reason)
         SELECT id, ?2, state, reason FROM services WHERE id = ?1 AND NOT EXISTS (
             SELECT 1 FROM service_history AS last
             WHERE last.id = (SELECT MAX(id) FROM service_history WHERE service = ?1)
                 AND last.state = services.state AND last.reason IS services.reason)",
    )
    .bind(service.0)
    .bind(millis(now))
    .execute(&mut *connection)
    .await?;
    if noted.rows_affected() > 0 {
        sqlx::query(
            "DELETE FROM service_history WHERE service = ?1 AND id <= (
                 SELECT id FROM service_history WHERE service = ?1
                 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(service.0)
        .bind(KEPT)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// The entries of a service, oldest first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    service: ServiceId,
) -> Result<Vec<StateChange>> {
    let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
        "SELECT at, state, reason FROM service_history WHERE service = ? ORDER BY id",
    )
    .bind(service.0)
    .fetch_all(connection)
    .await?;
    let change = |(at, state, reason)| {
        Ok(StateChange { time: from_millis(at)?, state: from_word(state)?, reason })
    };
    rows.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use protocol::UserId;
    use time::Duration;

    use super::*;
    use crate::db::{self, Database};

    #[tokio::test]
    async fn the_latest_changes_are_kept_and_what_is_no_change_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("director.db")).await.unwrap();
        let mut tx = database.write().await.unwrap();
        let now = OffsetDateTime::UNIX_EPOCH;
        sqlx::query(
            "INSERT INTO users (id, username, administrator, created) VALUES (1, 'test', 0, 0)",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        let application = db::application::insert(&mut tx, UserId(1), "one", now).await.unwrap();
        let id = db::service::insert(&mut tx, application, "generic", "a", now).await.unwrap();
        for nth in 0..KEPT + 5 {
            let at = now + Duration::seconds(nth);
            for _ in 0..2 {
                let reason = format!("reason {nth}");
                db::service::set_reason(&mut tx, id, &reason, at).await.unwrap();
            }
        }
        let kept = list(&mut tx, id).await.unwrap();
        assert_eq!(i64::try_from(kept.len()).unwrap(), KEPT);
        assert_eq!(kept[0].reason.as_deref(), Some("reason 5"));
        assert_eq!(kept.last().unwrap().time, now + Duration::seconds(KEPT + 4));
        db::service::delete(&mut tx, id).await.unwrap();
        assert!(list(&mut tx, id).await.unwrap().is_empty());
    }
}
