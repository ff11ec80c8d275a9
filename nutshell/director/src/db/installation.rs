//! Who this installation is to its clouds.

use super::{Database, Result};

/// The installation's id: made at random at the first start, and kept. Names are chosen by people,
/// who may choose the same twice; what a cloud holds is told apart by this.
pub(crate) async fn id(database: &Database) -> Result<String> {
    let mut tx = database.write().await?;
    let known: Option<(String,)> =
        sqlx::query_as("SELECT id FROM installation").fetch_optional(&mut *tx).await?;
    if let Some((id,)) = known {
        return Ok(id);
    }
    let id = format!("{:032x}", rand::random::<u128>());
    sqlx::query("INSERT INTO installation (id) VALUES (?)").bind(&id).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(id)
}
