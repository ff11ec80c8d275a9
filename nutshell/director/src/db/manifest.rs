//! Manifests that administrators have registered for everybody.

use protocol::api::ReadyManifest;
use sqlx::SqliteConnection;

use super::{DbError, Result};

/// Keeps a manifest under a name, instead of the one that was kept there before.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    name: &str,
    description: &str,
    manifest: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO ready_manifests (name, description, manifest) VALUES (?, ?, ?)",
    )
    .bind(name)
    .bind(description)
    .bind(manifest)
    .execute(connection)
    .await?;
    Ok(())
}

/// All of them, by name.
pub(crate) async fn list(connection: &mut SqliteConnection) -> Result<Vec<ReadyManifest>> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT name, description, manifest FROM ready_manifests ORDER BY name")
            .fetch_all(connection)
            .await?;
    let ready = |(name, description, text): (String, String, String)| {
        let manifest = serde_json::from_str(&text).map_err(|_| DbError::Meaningless(text))?;
        Ok(ReadyManifest { name, description, manifest, registered: true })
    };
    rows.into_iter().map(ready).collect()
}

/// Forgets one; tells whether it was there.
pub(crate) async fn delete(connection: &mut SqliteConnection, name: &str) -> Result<bool> {
    let deleted = sqlx::query("DELETE FROM ready_manifests WHERE name = ?")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() > 0)
}
