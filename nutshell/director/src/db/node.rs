//! Nodes: the VMs of services, and managers' own; their tokens and certificates.

use std::net::Ipv4Addr;
use std::time::Duration;

use protocol::api::{Node, NodeState};
use protocol::{ApplicationId, NodeId, OperationId, ServiceId, UserId};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::{Result, from_millis, from_word, millis, parse, span, span_millis, word};

/// A node and what only the director knows of it.
#[derive(Debug, Clone)]
pub(crate) struct NodeRecord {
    pub(crate) user: UserId,
    pub(crate) node: Node,
    /// Whether its server was asked for, perhaps without an answer.
    pub(crate) attempted: bool,
    /// Whether an operation is making or removing it.
    pub(crate) in_operation: bool,
    /// What the meter showed when it was recorded.
    pub(crate) metered_from: Duration,
    /// What the meter showed when it was found lost.
    pub(crate) metered_until: Option<Duration>,
}

/// A node to be made.
#[derive(Debug)]
pub(crate) struct NewNode<'a> {
    pub(crate) application: ApplicationId,
    pub(crate) service: Option<ServiceId>,
    pub(crate) role: &'a str,
    pub(crate) cloud: &'a str,
    pub(crate) instance_type: &'a str,
    pub(crate) operation: OperationId,
    /// What the meter shows.
    pub(crate) metered_from: Duration,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    user: i64,
    application: i64,
    service: Option<i64>,
    role: String,
    cloud: String,
    instance_type: String,
    server: String,
    state: String,
    public_ip: Option<String>,
    private_ip: Option<String>,
    created: i64,
    attempted: bool,
    in_operation: bool,
    metered_from: i64,
    metered_until: Option<i64>,
}

const SELECT: &str =
    "SELECT nodes.id, user, nodes.application, service, role, cloud, instance_type, server,
        nodes.state, public_ip, private_ip, nodes.created, token_hash IS NOT NULL AS attempted,
        operations.state IN ('running', 'unwinding') AS in_operation, metered_from, metered_until
    FROM nodes JOIN applications ON applications.id = nodes.application
        JOIN operations ON operations.id = nodes.operation";

impl Row {
    fn record(self) -> Result<NodeRecord> {
        let node = Node {
            id: NodeId(self.id),
            application: ApplicationId(self.application),
            service: self.service.map(ServiceId),
            role: self.role,
            cloud: self.cloud,
            instance_type: self.instance_type,
            server: self.server,
            state: from_word(self.state)?,
            public_ip: self.public_ip.map(parse::<Ipv4Addr>).transpose()?,
            private_ip: self.private_ip.map(parse::<Ipv4Addr>).transpose()?,
            created: from_millis(self.created)?,
        };
        let (attempted, in_operation) = (self.attempted, self.in_operation);
        let metered_from = span(self.metered_from)?;
        let metered_until = self.metered_until.map(span).transpose()?;
        let user = UserId(self.user);
        Ok(NodeRecord { user, node, attempted, in_operation, metered_from, metered_until })
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewNode<'_>,
    now: OffsetDateTime,
) -> Result<NodeId> {
    let (id,): (i64,) = sqlx::query_as(
        "INSERT INTO nodes (application, service, role, cloud, instance_type, state, operation,
             metered_from, created)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(new.application.0)
    .bind(new.service.map(|service| service.0))
    .bind(new.role)
    .bind(new.cloud)
    .bind(new.instance_type)
    .bind(word(NodeState::Starting))
    .bind(new.operation.0)
    .bind(span_millis(new.metered_from))
    .bind(millis(now))
    .fetch_one(connection)
    .await?;
    Ok(NodeId(id))
}

pub(crate) async fn view(
    connection: &mut SqliteConnection,
    id: NodeId,
) -> Result<Option<NodeRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE nodes.id = ?"))
        .bind(id.0)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// The node whose unused token this is.
pub(crate) async fn by_token(
    connection: &mut SqliteConnection,
    token_hash: &[u8],
) -> Result<Option<NodeRecord>> {
    by_hash(connection, "token_hash", token_hash).await
}

/// The node that exchanged its token for a certificate of this key.
pub(crate) async fn by_key(
    connection: &mut SqliteConnection,
    key_hash: &[u8],
) -> Result<Option<NodeRecord>> {
    by_hash(connection, "key_hash", key_hash).await
}

async fn by_hash(
    connection: &mut SqliteConnection,
    column: &str,
    hash: &[u8],
) -> Result<Option<NodeRecord>> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE {column} = ?"))
        .bind(hash)
        .fetch_optional(connection)
        .await?;
    row.map(Row::record).transpose()
}

/// The node that a certificate was given to.
pub(crate) async fn by_certificate(
    connection: &mut SqliteConnection,
    serial: u128,
) -> Result<Option<NodeRecord>> {
    let sql = format!("{SELECT} WHERE nodes.id = (SELECT node FROM certificates WHERE serial = ?)");
    let row: Option<Row> =
        sqlx::query_as(&sql).bind(serial_text(serial)).fetch_optional(connection).await?;
    row.map(Row::record).transpose()
}

/// Every node there is.
pub(crate) async fn list(connection: &mut SqliteConnection) -> Result<Vec<NodeRecord>> {
    let rows: Vec<Row> =
        sqlx::query_as(&format!("{SELECT} ORDER BY nodes.id")).fetch_all(connection).await?;
    rows.into_iter().map(Row::record).collect()
}

pub(crate) async fn list_of_user(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Vec<Node>> {
    list_where(connection, "user", user.0).await
}

pub(crate) async fn list_of_application(
    connection: &mut SqliteConnection,
    application: ApplicationId,
) -> Result<Vec<Node>> {
    list_where(connection, "nodes.application", application.0).await
}

pub(crate) async fn list_of_service(
    connection: &mut SqliteConnection,
    service: ServiceId,
) -> Result<Vec<Node>> {
    list_where(connection, "service", service.0).await
}

async fn list_where(connection: &mut SqliteConnection, column: &str, id: i64) -> Result<Vec<Node>> {
    let sql = format!("{SELECT} WHERE {column} = ? ORDER BY nodes.id");
    let rows: Vec<Row> = sqlx::query_as(&sql).bind(id).fetch_all(connection).await?;
    rows.into_iter().map(|row| Ok(row.record()?.node)).collect()
}

/// Remembers the token of a server that is about to be asked for; an earlier one ends.
pub(crate) async fn set_token(
    connection: &mut SqliteConnection,
    id: NodeId,
    token_hash: &[u8],
) -> Result<()> {
    sqlx::query("UPDATE nodes SET token_hash = ? WHERE id = ?")
        .bind(token_hash)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers the server; whether the node is still wanted.
pub(crate) async fn set_server(
    connection: &mut SqliteConnection,
    id: NodeId,
    server: &str,
    public_ip: Option<Ipv4Addr>,
    private_ip: Option<Ipv4Addr>,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE nodes SET server = ?, public_ip = ?, private_ip = ?
         WHERE id = ? AND state <> 'stopping'",
    )
    .bind(server)
    .bind(public_ip.map(|address| address.to_string()))
    .bind(private_ip.map(|address| address.to_string()))
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The node's VM is gone, and costs nothing any more.
pub(crate) async fn meter_end(
    connection: &mut SqliteConnection,
    id: NodeId,
    metered: Duration,
) -> Result<()> {
    sqlx::query("UPDATE nodes SET metered_until = ? WHERE id = ? AND metered_until IS NULL")
        .bind(span_millis(metered))
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Sets the state, unless the node is being removed already; whether it was set to something new.
pub(crate) async fn set_state(
    connection: &mut SqliteConnection,
    id: NodeId,
    state: NodeState,
) -> Result<bool> {
    let done =
        sqlx::query("UPDATE nodes SET state = ?1 WHERE id = ?2 AND state NOT IN (?1, 'stopping')")
            .bind(word(state))
            .bind(id.0)
            .execute(connection)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// The node goes, by this operation: its certificate is refused from now on.
pub(crate) async fn set_stopping(
    connection: &mut SqliteConnection,
    id: NodeId,
    operation: OperationId,
) -> Result<()> {
    sqlx::query("UPDATE nodes SET state = 'stopping', operation = ? WHERE id = ?")
        .bind(operation.0)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Uses up the token and binds the key to its node; whether the token was unused.
pub(crate) async fn exchange_token(
    connection: &mut SqliteConnection,
    id: NodeId,
    token_hash: &[u8],
    key_hash: &[u8],
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE nodes SET token_hash = NULL, key_hash = ? WHERE id = ? AND token_hash = ?",
    )
    .bind(key_hash)
    .bind(id.0)
    .bind(token_hash)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn certificate_insert(
    connection: &mut SqliteConnection,
    node: NodeId,
    serial: u128,
    expires: OffsetDateTime,
) -> Result<()> {
    sqlx::query("INSERT INTO certificates (serial, node, expires) VALUES (?, ?, ?)")
        .bind(serial_text(serial))
        .bind(node.0)
        .bind(millis(expires))
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets what has expired, except the latest of each node: a clock that is wrong for a while must
/// not shut out those whose certificate is good again when it is set right.
pub(crate) async fn certificates_delete_expired(
    connection: &mut SqliteConnection,
    now: OffsetDateTime,
) -> Result<()> {
    let newer = "SELECT 1 FROM certificates AS newer
                 WHERE newer.node = certificates.node AND newer.expires > certificates.expires";
    sqlx::query(&format!("DELETE FROM certificates WHERE expires <= ? AND EXISTS ({newer})"))
        .bind(millis(now))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut SqliteConnection, id: NodeId) -> Result<()> {
    sqlx::query("DELETE FROM nodes WHERE id = ?").bind(id.0).execute(connection).await?;
    Ok(())
}

fn serial_text(serial: u128) -> String {
    format!("{serial:032x}")
}
