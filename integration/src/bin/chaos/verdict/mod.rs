//! What must hold once everything has settled, and once everything was deleted.

mod cloud;
mod ledger;

use protocol::ServiceId;
use protocol::api::code::{CodeVersions, Keys};
use protocol::api::generic::ScriptStatuses;
use protocol::api::{Node, NodeState, Service, State, Volume};
use protocol::client::DirectorClient;
use serde_json::json;

use crate::user::User;
use crate::world::{World, members};

/// Everything that does not hold, in words.
pub(crate) async fn violations(world: &World, users: &mut [User]) -> Vec<String> {
    let mut found = Vec::new();
    match look(world, users, &mut found).await {
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

async fn look(world: &World, users: &mut [User], found: &mut Vec<String>) -> Looked<()> {
    let (mut nodes, mut volumes) = (Vec::new(), Vec::new());
    for (number, user) in users.iter_mut().enumerate() {
        look_as(&world.client(number), user, found, &mut nodes, &mut volumes).await?;
    }
    // What the cloud lost and nobody replaces is left to its user.
    let there: Vec<&Node> = nodes.iter().filter(|node| node.state != NodeState::Lost).collect();
    cloud::same(&world.cloud.user().await?, &there, &volumes, found).await?;
    for (role, count) in [
        ("manager", there.iter().filter(|node| node.service.is_none()).count()),
        ("agent", there.iter().filter(|node| node.service.is_some()).count()),
    ] {
        let running = members(world, role).len();
        if running != count {
            found.push(format!("{running} processes are {role}s of {count} nodes"));
        }
    }
    let [director, cloud] = world.databases();
    for database in [&director, &cloud] {
        ledger::consistent(database, found).await?;
    }
    for number in 0..users.len() {
        let account = world.client(number).user_view().await?;
        ledger::balance(&director, account.id, account.credits, found).await?;
    }
    ledger::charges(&director, &nodes, found).await
}

/// What one user sees.
async fn look_as(
    client: &DirectorClient,
    user: &mut User,
    found: &mut Vec<String>,
    nodes: &mut Vec<Node>,
    volumes: &mut Vec<Volume>,
) -> Looked<()> {
    found.extend(user.learn(client).await?);
    let services = client.service_list().await?;
    nodes.extend(client.node_list().await?.nodes);
    known_services(user, &services, found);
    for service in &services {
        volumes.extend(client.service_volumes(service.id).await?.volumes);
        if service.state == State::Running {
            at_work(client, service, found).await;
            code_is_there(client, user, service.id, found).await?;
        }
    }
    for application in client.application_list().await? {
        let id = application.id;
        let told = application.reason.as_ref().is_some_and(|reason| !reason.is_empty());
        if !application.state.is_stable() || (application.state == State::Error && !told) {
            let state = application.state;
            found.push(format!("application {id} is {state}: {:?}", application.reason));
        }
        if user.applications.get(&id).is_some_and(|known| !known.name.may_be(&application.name)) {
            found.push(format!("application {id} is called {}", application.name));
        }
    }
    Ok(())
}

/// Every service is what its user asked for, and there is no other.
fn known_services(user: &User, services: &[Service], found: &mut Vec<String>) {
    for (id, known) in &user.services {
        let service = services.iter().find(|service| service.id == *id);
        if let Err(why) = known.expected.verdict(service) {
            found.push(format!("service {id}: {why}"));
        }
        if let Some(service) = service.filter(|service| !known.name.may_be(&service.name)) {
            found.push(format!("service {id} is called {}", service.name));
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

/// What was uploaded and pushed is there, and so is the key that may push more.
async fn code_is_there(
    client: &DirectorClient,
    user: &User,
    id: ServiceId,
    found: &mut Vec<String>,
) -> Looked<()> {
    let Some(service) = user.services.get(&id) else { return Ok(()) };
    let versions: CodeVersions = client.service_query(id, "list_code", &json!({})).await?;
    let application = user.applications.get(&service.application);
    let pushed = application.into_iter().flat_map(|known| &known.pushed);
    for wanted in service.uploaded.iter().chain(pushed) {
        if !versions.code_versions.iter().any(|version| version.id == *wanted) {
            found.push(format!("service {id} has lost its code version {wanted}"));
        }
    }
    let keys: Keys = client.service_query(id, "list_keys", &json!({})).await?;
    let has_key = !keys.keys.is_empty();
    if application.is_some_and(|known| !known.key.may_be(&has_key)) {
        found.push(format!("service {id} has the keys {:?}", keys.keys));
    }
    Ok(())
}
