//! The model on disk: one SQLite file, one table of records, one task that writes.
//!
//! Changes are queued in the order in which the model made them and written in groups: everything
//! that waits when a transaction begins goes into it, in as few statements as possible: each costs
//! two changes of threads. What could not be written is kept and tried again with the next change,
//! so the file never skips one. Records lie in the order of their creation, so new ones are together
//! on few pages.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::model::{Change, Model};

/// The version of what the file holds. Raise it when an older program could misread a newer file.
pub(crate) const VERSION: i64 = 3;

/// Its name in the state directory.
pub(crate) const FILE: &str = "fake-cloud.db";

/// The most changes that one transaction takes.
const GROUP: usize = 4096;

/// The most records in one statement, which may have 32,766 parameters.
const STATEMENT: usize = 1000;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file was written by a newer version of this program.
    #[error("its format is {found}, newer than {VERSION}")]
    Newer {
        /// The version found.
        found: i64,
    },
    /// The file has a version from before the first release, or one that there never was.
    #[error("its format is {found}, which this version does not read")]
    Unknown {
        /// The version found.
        found: i64,
    },
    /// The file cannot be kept to ourselves.
    #[error("failed to make the state database private")]
    Private(#[source] std::io::Error),
    /// A record cannot be understood.
    #[error("failed to read the {kind} with the number {sequence} of the state directory")]
    Record {
        /// The kind of the record.
        kind: String,
        /// Its place in the order of creation.
        sequence: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// SQLite failed.
    #[error("failed to {step}")]
    Database {
        /// What was being done, as it follows "failed to".
        step: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The last write failed or the writer has ended.
    #[error("failed to write the change to the state directory")]
    NotWritten,
}

fn database(step: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { step, source }
}

/// Changes to write, and whom to tell when they are.
type Entry = (Vec<Change>, oneshot::Sender<bool>);

/// The queue of the writer.
#[derive(Debug)]
pub(crate) struct Store {
    queue: mpsc::UnboundedSender<Entry>,
}

/// A promise that changes will be on disk.
#[derive(Debug)]
pub(crate) struct Written(Option<oneshot::Receiver<bool>>);

impl Store {
    /// Opens the file, made when missing, and reads the whole model from it. The writer ends when
    /// the store is dropped and everything is written.
    pub(crate) async fn open(path: &Path) -> Result<(Self, Model, JoinHandle<()>), StoreError> {
        // Files that SQLite puts beside it get the same mode.
        make_private(path).map_err(StoreError::Private)?;
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Survives the death of this process at any instant; a power cut may take the last
            // moments, but never tears the file.
            .synchronous(SqliteSynchronous::Normal)
            .connect()
            .await
            .map_err(database("open the state database"))?;
        prepare(&mut connection).await?;
        let model = load(&mut connection).await?;
        let (queue, entries) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write_all(connection, entries));
        Ok((Self { queue }, model, writer))
    }

    /// Queues changes. Called while the model is locked, so that the queue has their order.
    pub(crate) fn write(&self, changes: Vec<Change>) -> Written {
        if changes.is_empty() {
            return Written(None);
        }
        let (done, written) = oneshot::channel();
        // Without a writer the sender comes back and is dropped, which tells the receiver.
        let _ = self.queue.send((changes, done));
        Written(Some(written))
    }
}

impl Written {
    /// Waits until the changes are on disk.
    pub(crate) async fn wait(self) -> Result<(), StoreError> {
        match self.0 {
            None => Ok(()),
            Some(written) => match written.await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(StoreError::NotWritten),
            },
        }
    }
}

/// Copies a state database, one that is being written to too: everything that is acknowledged.
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(from)
        .connect()
        .await
        .map_err(database("open the state database"))?;
    let to = to.to_string_lossy();
    let copied = sqlx::query("VACUUM INTO ?1").bind(to.as_ref()).execute(&mut connection).await;
    copied.map_err(database("copy the state database"))?;
    connection.close().await.map_err(database("close the state database"))
}

/// There are keys and hashes of passwords in it.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    let file = options.create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Makes the table in a new file and refuses a file of a newer version.
async fn prepare(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(database("read the version of the state database"))?;
    match version {
        VERSION => return Ok(()),
        0 => {}
        found if found > VERSION => return Err(StoreError::Newer { found }),
        found => return Err(StoreError::Unknown { found }),
    }
    let create = format!(
        "BEGIN;
        CREATE TABLE objects (
            kind TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            content TEXT NOT NULL,
            PRIMARY KEY (kind, sequence)
        );
        PRAGMA user_version = {VERSION};
        COMMIT"
    );
    sqlx::raw_sql(&create)
        .execute(connection)
        .await
        .map(drop)
        .map_err(database("make the state database"))
}

async fn load(connection: &mut SqliteConnection) -> Result<Model, StoreError> {
    let rows = sqlx::query("SELECT kind, sequence, content FROM objects")
        .fetch_all(connection)
        .await
        .map_err(database("read the state database"))?;
    let mut model = Model::default();
    for row in rows {
        let read = || -> sqlx::Result<(&str, i64, &str)> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
        };
        let (kind, sequence, content) =
            read().map_err(database("read a row of the state database"))?;
        let sequence = sequence.unsigned_abs();
        let unreadable = |source| StoreError::Record { kind: kind.to_owned(), sequence, source };
        let known = model.restore(kind, sequence, content).map_err(unreadable)?;
        if !known {
            tracing::warn!(kind, "left alone a record of an unknown kind");
        }
    }
    Ok(model)
}

/// The writer: takes what waits, writes it in one transaction, tells those who wait for it.
async fn write_all(mut connection: SqliteConnection, mut entries: mpsc::UnboundedReceiver<Entry>) {
    let mut pending: BTreeMap<(&'static str, u64), Change> = BTreeMap::new();
    let mut group = Vec::new();
    while entries.recv_many(&mut group, GROUP).await > 0 {
        let mut waiting = Vec::with_capacity(group.len());
        for (changes, done) in group.drain(..) {
            for change in changes {
                pending.insert((change.kind, change.sequence), change);
            }
            waiting.push(done);
        }
        let result = write_group(&mut connection, pending.values()).await;
        match &result {
            Ok(()) => pending.clear(),
            Err(error) => tracing::error!(%error, "failed to write the state; will try again"),
        }
        for done in waiting {
            // Who no longer waits does not mind.
            let _ = done.send(result.is_ok());
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "failed to close the state database");
    }
}

async fn write_group(
    connection: &mut SqliteConnection,
    changes: impl Iterator<Item = &Change>,
) -> sqlx::Result<()> {
    let (written, gone): (Vec<_>, Vec<_>) = changes.partition(|change| change.content.is_some());
    let mut transaction = connection.begin().await?;
    for records in written.chunks(STATEMENT) {
        let mut query = QueryBuilder::new("INSERT INTO objects (kind, sequence, content) ");
        query.push_values(records, |mut row, change| {
            row.push_bind(change.kind)
                .push_bind(change.sequence.cast_signed())
                .push_bind(change.content.as_deref());
        });
        query.push(" ON CONFLICT (kind, sequence) DO UPDATE SET content = excluded.content");
        // One for every number of records would be kept prepared otherwise.
        query.build().persistent(false).execute(&mut *transaction).await?;
    }
    for records in gone.chunks(STATEMENT) {
        let mut query = QueryBuilder::new("DELETE FROM objects WHERE (kind, sequence) IN (");
        query.push_values(records, |mut row, change| {
            row.push_bind(change.kind).push_bind(change.sequence.cast_signed());
        });
        query.push(")").build().persistent(false).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, RoleId};

    fn role(name: &str) -> Role {
        Role { id: RoleId::random(), name: name.to_owned(), description: None }
    }

    #[tokio::test]
    async fn what_was_written_is_read_again_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let (store, mut model, writer) = Store::open(&path).await.unwrap();
        let gone = role("gone");
        let gone_id = gone.id;
        for role in [role("first"), gone, role("last")] {
            model.roles.insert(role);
        }
        let first = store.write(model.take_changes());
        model.roles.remove(gone_id);
        store.write(model.take_changes()).wait().await.unwrap();
        first.wait().await.unwrap();
        drop(store);
        writer.await.unwrap();

        let (_store, model, _writer) = Store::open(&path).await.unwrap();
        let names: Vec<&str> = model.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["first", "last"]);
    }

    #[tokio::test]
    async fn the_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        std::fs::write(&path, "").unwrap();
        let opened = Store::open(&path).await.unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(opened);
    }

    #[tokio::test]
    async fn a_newer_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let (store, _, writer) = Store::open(&path).await.unwrap();
        drop(store);
        writer.await.unwrap();
        let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found: 99 }), "{refused}");
        sqlx::raw_sql("PRAGMA user_version = -1").execute(&mut connection).await.unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unknown { found: -1 }), "{refused}");
    }
}
