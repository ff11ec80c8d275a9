//! What the director remembers: SQLite, one file a resource.
//!
//! Functions take a connection: one of [`Database::read`] sees what is committed, the one of
//! [`Database::write`] is a transaction, and the only one at a time.

pub(crate) mod application;
pub(crate) mod credit;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod manifest;
pub(crate) mod node;
pub(crate) mod operation;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod user;
pub(crate) mod volume;

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use time::OffsetDateTime;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// SQLite says why.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// A text that nothing of this version wrote.
    #[error("the database holds `{0}`, which means nothing")]
    Meaningless(String),
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An older director does not know what a newer one wrote.
    #[error(
        "{} was made by a newer version; use that version, or another state directory",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
    },
    /// It is no database, or cannot be read or written.
    #[error("failed to open {}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// What it holds cannot be read or written.
    #[error(transparent)]
    Use(#[from] DbError),
    /// Its tables could not be brought up to date.
    #[error("failed to bring {} up to date", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: MigrateError,
    },
}

pub(crate) type Result<T, E = DbError> = std::result::Result<T, E>;
/// A connection that sees what is committed.
pub(crate) type Reader = PoolConnection<Sqlite>;
/// A transaction; what is not committed did not happen.
pub(crate) type Writer = Transaction<'static, Sqlite>;

/// SQLite lets one transaction write at a time: writers wait for each other in their own pool, and
/// readers never wait.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Database {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Open { path: path.to_owned(), source };
        // SQLite gives its other files the mode of the first.
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| failed(source.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(60))
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        sqlx::migrate!().run(&writer).await.map_err(|source| match source {
            MigrateError::VersionMissing(_) => OpenError::Newer { path: path.to_owned() },
            source => OpenError::Migrate { path: path.to_owned(), source },
        })?;
        let readers = pool(4).connect_with(options.read_only(true)).await.map_err(failed)?;
        Ok(Self { readers, writer })
    }

    pub(crate) async fn read(&self) -> Result<Reader> {
        Ok(self.readers.acquire().await?)
    }

    pub(crate) async fn write(&self) -> Result<Writer> {
        Ok(self.writer.begin().await?)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A word of the wire format as it stands in a column.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        other => unreachable!("stored enums serialize to one word, this one to {other:?}"),
    }
}

fn from_word<T: DeserializeOwned>(text: String) -> Result<T> {
    serde_json::from_value(Value::String(text.clone())).map_err(|_| DbError::Meaningless(text))
}

fn parse<T: std::str::FromStr>(text: String) -> Result<T> {
    text.parse().map_err(|_| DbError::Meaningless(text))
}

fn millis(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn from_millis(millis: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .map_err(|_| DbError::Meaningless(millis.to_string()))
}

fn span_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn span(millis: i64) -> Result<Duration> {
    let positive = u64::try_from(millis).map_err(|_| DbError::Meaningless(millis.to_string()))?;
    Ok(Duration::from_millis(positive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn state_of_a_newer_version_is_left_alone_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("director.db");
        let database = Database::open(&path).await.unwrap();
        let mut writer = database.write().await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', TRUE, x'00', 0)",
        )
        .execute(&mut *writer)
        .await
        .unwrap();
        writer.commit().await.unwrap();
        database.close().await;
        let refused = Database::open(&path).await.unwrap_err();
        assert!(matches!(refused, OpenError::Newer { .. }), "{refused:?}");
        assert!(refused.to_string().contains("made by a newer version"));
    }

    #[tokio::test]
    async fn what_is_no_database_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("director.db");
        std::fs::write(&path, "this is no database at all, and long enough to be read".repeat(90))
            .unwrap();
        assert!(matches!(Database::open(&path).await, Err(OpenError::Open { .. })));
    }
}
