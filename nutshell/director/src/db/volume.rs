//! Volumes of nodes.

use std::collections::BTreeSet;

use protocol::api::{Volume, VolumeState};
use protocol::{ApplicationId, NodeId, OperationId, ServiceId, VolumeId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, millis, word};

/// A volume and what only the director knows of it.
#[derive(Debug, Clone)]
pub(crate) struct VolumeRecord {
    pub(crate) volume: Volume,
    /// The server of its node.
    pub(crate) server: String,
    /// Whether the cloud was asked for it, perhaps without an answer.
    pub(crate) attempted: bool,
    /// Whether an operation is making or removing it.
    pub(crate) in_operation: bool,
}

/// A volume to be made.
#[derive(Debug)]
pub(crate) struct NewVolume<'a> {
    pub(crate) node: NodeId,
    pub(crate) name: &'a str,
    pub(crate) size_mib: u64,
    pub(crate) operation: OperationId,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    application: i64,
    service: i64,
    node: i64,
    name: String,
    size_mib: i64,
    state: String,
    cloud: String,
    volume: String,
    device: String,
    server: String,
    attempted: bool,
    in_operation: bool,
    created: i64,
}

const SELECT: &str = "SELECT volumes.id, nodes.application, service, node, name, size_mib,
        volumes.state, cloud, volume, device, server, attempted,
        operations.state IN ('running', 'unwinding') AS in_operation, volumes.created
    FROM volumes JOIN nodes ON nodes.id = node JOIN operations ON operations.id = volumes.operation";

impl Row {
    fn record(self) -> Result<VolumeRecord> {
        let volume = Volume {
            id: VolumeId(self.id),
            application: ApplicationId(self.application),
            service: ServiceId(self.service),
            node: NodeId(self.node),
            name: self.name,
            size_mib: self.size_mib.unsigned_abs(),
            state: from_word(self.state)?,
            cloud: self.cloud,
            volume: self.volume,
            device: self.device,
            created: from_millis(self.created)?,
        };
        let Self { server, attempted, in_operation, .. } = self;
        Ok(VolumeRecord { volume, server, attempted, in_operation })
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewVolume<'_>,
    now: OffsetDateTime,
) -> Result<VolumeId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO volumes (node, name, size_mib, state, operation, created)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(new.node.0)
    .bind(new.name)
    .bind(i64::try_from(new.size_mib).unwrap_or(i64::MAX))
    .bind(word(VolumeState::Creating))
    .bind(new.operation.0)
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(VolumeId(id))
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: VolumeId,
) -> Result<Option<VolumeRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE volumes.id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// Every volume there is on a cloud.
pub(crate) async fn list_of_cloud(
    connection: &mut SqliteConnection,
    cloud: &str,
) -> Result<Vec<VolumeRecord>> {
    let sql = format!("{SELECT} WHERE cloud = ? ORDER BY volumes.id");
    let rows: Vec<Row> = sqlx::query_as(&sql).bind(cloud).fetch_all(connection).await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn list_of_application(
    connection: &mut SqliteConnection,
    application: ApplicationId,
) -> Result<Vec<Volume>> {
    list_where(connection, "nodes.application", application.0).await
}

pub(crate) async fn list_of_service(
    connection: &mut SqliteConnection,
    service: ServiceId,
) -> Result<Vec<Volume>> {
    list_where(connection, "service", service.0).await
}

pub(crate) async fn list_of_node(
    connection: &mut SqliteConnection,
    node: NodeId,
) -> Result<Vec<Volume>> {
    list_where(connection, "node", node.0).await
}

async fn list_where(
    connection: &mut SqliteConnection,
    column: &str,
    id: i64,
) -> Result<Vec<Volume>> {
    let sql = format!("{SELECT} WHERE {column} = ? ORDER BY volumes.id");
    let rows: Vec<Row> = sqlx::query_as(&sql).bind(id).fetch_all(connection).await?;
    rows.into_iter().map(|row| Ok(row.record()?.volume)).collect()
}

/// The cloud is about to be asked for it.
pub(crate) async fn set_attempted(connection: &mut SqliteConnection, id: VolumeId) -> Result<()> {
    sqlx::query("UPDATE volumes SET attempted = TRUE WHERE id = ?")
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers its id in the cloud; whether the volume is still wanted.
pub(crate) async fn set_volume(
    connection: &mut SqliteConnection,
    id: VolumeId,
    volume: &str,
) -> Result<bool> {
    let done = sqlx::query("UPDATE volumes SET volume = ? WHERE id = ? AND state <> 'deleting'")
        .bind(volume)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Its node has it, as this device; whether the volume is still wanted.
pub(crate) async fn set_attached(
    connection: &mut SqliteConnection,
    id: VolumeId,
    device: &str,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE volumes SET device = ?, state = 'attached' WHERE id = ? AND state <> 'deleting'",
    )
    .bind(device)
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The cloud has lost it, unless it was to be removed anyway; whether that is news.
pub(crate) async fn set_lost(connection: &mut SqliteConnection, id: VolumeId) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE volumes SET state = 'lost' WHERE id = ? AND state NOT IN ('lost', 'deleting')",
    )
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// It goes, by this operation.
pub(crate) async fn set_deleting(
    connection: &mut SqliteConnection,
    id: VolumeId,
    operation: OperationId,
) -> Result<()> {
    sqlx::query("UPDATE volumes SET state = 'deleting', operation = ? WHERE id = ?")
        .bind(operation.0)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// All volumes of a node go with it, by the node's operation.
pub(crate) async fn set_deleting_with_node(
    connection: &mut SqliteConnection,
    node: NodeId,
) -> Result<()> {
    sqlx::query(
        "UPDATE volumes SET state = 'deleting',
             operation = (SELECT operation FROM nodes WHERE nodes.id = node)
         WHERE node = ? AND state <> 'deleting'",
    )
    .bind(node.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut SqliteConnection, id: VolumeId) -> Result<()> {
    sqlx::query("DELETE FROM volumes WHERE id = ?").bind(id.0).execute(connection).await?;
    Ok(())
}

/// The nodes that have volumes.
pub(crate) async fn nodes(connection: &mut SqliteConnection) -> Result<BTreeSet<NodeId>> {
    let rows: Vec<(i64,)> =
        sqlx::query_as("SELECT DISTINCT node FROM volumes").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id,)| NodeId(id)).collect())
}
