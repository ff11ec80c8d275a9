//! What must be in the databases.

use std::path::Path;

use protocol::UserId;
use protocol::api::Node;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::Looked;
use crate::world::CREDITS;

async fn open(database: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(database).read_only(true).connect().await
}

/// The database is what `SQLite` and its own rules say it must be.
pub(super) async fn consistent(database: &Path, found: &mut Vec<String>) -> Looked<()> {
    let mut connection = open(database).await?;
    let integrity: Vec<(String,)> =
        sqlx::query_as("PRAGMA integrity_check").fetch_all(&mut connection).await?;
    if integrity != [("ok".to_owned(),)] {
        found.push(format!("{}: {integrity:?}", database.display()));
    }
    let foreign = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await?;
    if !foreign.is_empty() {
        found.push(format!("{}: {} rows refer to nothing", database.display(), foreign.len()));
    }
    Ok(connection.close().await?)
}

/// The balance is what was granted and not spent.
pub(super) async fn balance(
    database: &Path,
    user: UserId,
    balance: i64,
    found: &mut Vec<String>,
) -> Looked<()> {
    let mut connection = open(database).await?;
    let (charges, refunds): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*) FILTER (WHERE kind = 'charge'), COUNT(*) FILTER (WHERE kind = 'refund')
         FROM credits WHERE user = ?",
    )
    .bind(user.0)
    .fetch_one(&mut connection)
    .await?;
    if balance != CREDITS - charges + refunds {
        found
            .push(format!("{balance} credits are left after {charges} charges, {refunds} refunds"));
    }
    Ok(connection.close().await?)
}

/// Every VM that is there was charged once, as a run lasts less than an hour.
pub(super) async fn charges(
    database: &Path,
    nodes: &[Node],
    found: &mut Vec<String>,
) -> Looked<()> {
    let mut connection = open(database).await?;
    for id in nodes.iter().map(|node| node.id) {
        let entries: Vec<(String,)> = sqlx::query_as("SELECT kind FROM credits WHERE node = ?")
            .bind(id.0)
            .fetch_all(&mut connection)
            .await?;
        if entries != [("charge".to_owned(),)] {
            found.push(format!("the account of node {id} is {entries:?}"));
        }
    }
    Ok(connection.close().await?)
}
