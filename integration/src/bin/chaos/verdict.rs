//! What must hold once everything has settled, and once everything was deleted.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::ServiceId;
use protocol::api::generic::ScriptStatuses;
use protocol::api::{Node, Service, State};
use protocol::client::DirectorClient;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::cloud::CloudUser;
use crate::user::User;
use crate::world::{CREDITS, World, members};

/// Everything that does not hold, in words.
pub(crate) async fn violations(world: &World, user: &User) -> Vec<String> {
    let mut found = Vec::new();
    match look(world, user, &mut found).await {
        Ok(()) => {}
        Err(error) => found.push(format!("somebody does not answer: {}", chain(&*error))),
    }
    found
}

type Looked<T> = Result<T, Box<dyn std::error::Error>>;

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

async fn look(world: &World, user: &User, found: &mut Vec<String>) -> Looked<()> {
    let client = world.client();
    let services = client.service_list().await?;
    let nodes = client.node_list().await?.nodes;
    known_services(user, &services, found);
    for service in services.iter().filter(|service| service.state == State::Running) {
        at_work(&client, service, found).await;
    }
    for application in client.application_list().await? {
        let told = application.reason.as_ref().is_some_and(|reason| !reason.is_empty());
        if !application.state.is_stable() || (application.state == State::Error && !told) {
            let (id, state) = (application.id, application.state);
            found.push(format!("application {id} is {state}: {:?}", application.reason));
        }
    }
    let cloud = world.cloud.user().await?;
    same_in_the_cloud(&cloud, &nodes, found).await?;
    for (role, count) in [
        ("manager", nodes.iter().filter(|node| node.service.is_none()).count()),
        ("agent", nodes.iter().filter(|node| node.service.is_some()).count()),
    ] {
        let running = members(world, role).len();
        if running != count {
            found.push(format!("{running} processes are {role}s of {count} nodes"));
        }
    }
    let [director, cloud] = world.databases();
    for database in [&director, &cloud] {
        consistent(database, found).await?;
    }
    let balance = client.user_view().await?.credits;
    ledger(&director, balance, &nodes, found).await
}

/// Every service is what its user asked for, and there is no other.
fn known_services(user: &User, services: &[Service], found: &mut Vec<String>) {
    for (id, known) in &user.services {
        let service = services.iter().find(|service| service.id == *id);
        if let Err(why) = known.expected.verdict(service) {
            found.push(format!("service {id}: {why}"));
        }
    }
    let unknown: Vec<ServiceId> = services
        .iter()
        .map(|service| service.id)
        .filter(|id| !user.services.contains_key(id))
        .collect();
    if unknown.len() > user.maybe_services {
        found.push(format!("nobody asked for services {unknown:?}"));
    }
}

/// Its manager answers, and so do all its agents.
async fn at_work(client: &DirectorClient, service: &Service, found: &mut Vec<String>) {
    let id = service.id;
    let answer: Result<ScriptStatuses, _> =
        client.service_query(id, "get_script_status", &json!({})).await;
    match answer {
        Ok(statuses) if statuses.nodes.len() == service.nodes as usize => {}
        Ok(statuses) => {
            let (there, nodes) = (statuses.nodes.len(), service.nodes);
            found.push(format!("{there} of the {nodes} nodes of service {id} answer"));
        }
        Err(error) => found.push(format!("service {id} does not answer: {}", chain(&error))),
    }
}

/// The cloud has what the nodes need, and nothing else.
async fn same_in_the_cloud(
    cloud: &CloudUser,
    nodes: &[Node],
    found: &mut Vec<String>,
) -> Looked<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let servers = cloud.servers().await?;
    let there: BTreeSet<String> = servers.iter().map(|server| text(&server["id"])).collect();
    let wanted: BTreeSet<String> = nodes.iter().map(|node| node.server.clone()).collect();
    if there != wanted {
        found.push(format!("the nodes have servers {wanted:?}, the cloud has {there:?}"));
    }
    let idle = servers.iter().filter(|server| server["status"] != "ACTIVE");
    found.extend(idle.map(|server| format!("server {} is {}", server["id"], server["status"])));
    let addresses = cloud.floating_ips().await?;
    let there: BTreeSet<String> =
        addresses.iter().map(|address| text(&address["floating_ip_address"])).collect();
    let wanted: BTreeSet<String> =
        nodes.iter().filter_map(|node| Some(node.public_ip?.to_string())).collect();
    if there != wanted {
        found.push(format!("the nodes have addresses {wanted:?}, the cloud gave {there:?}"));
    }
    if nodes.is_empty() {
        let left = |what: &str, list: Vec<Value>| {
            let names = list.iter().map(|it| format!("{what} {} is left", it["id"]));
            names.collect::<Vec<_>>()
        };
        found.extend(left("volume", cloud.volumes().await?));
        found.extend(left("security group", cloud.security_groups().await?));
    }
    Ok(())
}

async fn open(database: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(database).read_only(true).connect().await
}

/// The database is what `SQLite` and its own rules say it must be.
async fn consistent(database: &Path, found: &mut Vec<String>) -> Looked<()> {
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

/// Every VM that is there was charged once, as a run lasts less than an hour, and the balance is
/// what was granted and not spent.
async fn ledger(
    database: &Path,
    balance: i64,
    nodes: &[Node],
    found: &mut Vec<String>,
) -> Looked<()> {
    let mut connection = open(database).await?;
    let entries: Vec<(String, i64, Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT kind, amount, node, hour FROM credits")
            .fetch_all(&mut connection)
            .await?;
    let of = |wanted: &str| -> Vec<i64> {
        let entries = entries.iter().filter(|(kind, ..)| kind == wanted);
        entries.filter_map(|(_, _, node, _)| *node).collect()
    };
    let (charged, refunded) = (of("charge"), of("refund"));
    let spent = i64::try_from(charged.len() - refunded.len())?;
    if balance != CREDITS - spent {
        let (charges, refunds) = (charged.len(), refunded.len());
        found
            .push(format!("{balance} credits are left after {charges} charges, {refunds} refunds"));
    }
    for id in nodes.iter().map(|node| node.id.0) {
        let times = charged.iter().filter(|charged| **charged == id).count();
        if times != 1 || refunded.contains(&id) {
            found.push(format!("node {id} was charged {times} times"));
        }
    }
    Ok(connection.close().await?)
}
