//! Steps that several operations have: a node's server comes and goes.

use std::collections::BTreeMap;

use cloud::{Cloud, CloudError, NewServer};
use futures::{StreamExt, stream};
use protocol::api::{Node, NodeState};
use protocol::boot::{BootConfig, BootRole};
use protocol::{NodeId, UserId};
use tokio::sync::OnceCell;

use super::volume;
use crate::app::{App, Error, Result, credit};
use crate::db;
use crate::{secrets, user_data};

/// Whose server it is: the installation's id. Nothing without this tag is ever touched.
pub(crate) const TAG_INSTALLATION: &str = "installation";
/// Which application it works for.
pub(crate) const TAG_APPLICATION: &str = "application";
/// Which node it is.
pub(crate) const TAG_NODE: &str = "node";

/// How many servers are asked for, or given back, at a time.
const AT_A_TIME: usize = 32;

/// Does something for each node, many at a time, for all of them even when some fail; the first
/// failure is the result.
async fn each<F>(nodes: &[NodeId], work: impl FnMut(NodeId) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let works: Vec<F> = nodes.iter().copied().map(work).collect();
    let results: Vec<Result<()>> = stream::iter(works).buffer_unordered(AT_A_TIME).collect().await;
    results.into_iter().collect()
}

/// Sees to it that each of the nodes has a server. They are of one kind, and in one cloud.
pub(super) async fn create_all(app: &App, user: UserId, nodes: &[NodeId]) -> Result<()> {
    let common = OnceCell::new();
    each(nodes, |id| create_guarded(app, user, id, &common)).await
}

/// Sees to it that the node has a server.
pub(super) async fn create(app: &App, user: UserId, id: NodeId) -> Result<()> {
    create_all(app, user, &[id]).await
}

/// What the servers of one operation have in common.
struct Common {
    security_groups: Vec<String>,
    memory_mib: Option<u64>,
}

impl Common {
    async fn find(app: &App, node: &Node, service_type: Option<&str>) -> Result<Self> {
        let memory = app.memory_mib(&node.cloud, &node.instance_type);
        let (security_groups, memory_mib) =
            tokio::join!(app.security_groups_ensure(node, service_type), memory);
        Ok(Self { security_groups: security_groups?, memory_mib })
    }
}

/// Sees to it that the node has a server, and records it. What it has in common with others is looked
/// for by whoever comes first.
async fn create_guarded(
    app: &App,
    user: UserId,
    id: NodeId,
    common: &OnceCell<Common>,
) -> Result<()> {
    let found = db::node::view(&mut *app.db.read().await?, id).await?;
    let record = found.ok_or(Error::Cancelled)?;
    let node = record.node;
    if node.state == NodeState::Stopping {
        return Err(Error::Cancelled);
    }
    if !node.server.is_empty() {
        return Ok(());
    }
    let cloud = app.cloud(&node.cloud)?;
    if record.attempted {
        // Asked for once, and killed before the answer was recorded.
        delete_tagged(app, cloud.as_ref(), id).await?;
    }
    let token = secrets::generate();
    let purpose = purpose(app, &node).await?;
    let service_type = purpose.as_ref().map(|purpose| purpose.service_type.as_str());
    let common = common.get_or_try_init(|| Common::find(app, &node, service_type)).await?;
    let mut tx = app.db.write().await?;
    db::node::set_token(&mut tx, id, &secrets::hash(&token)).await?;
    tx.commit().await?;

    let new = new_server(app, user, &node, purpose, common, token);
    let failed = |source| Error::Cloud { cloud: node.cloud.clone(), source };
    let server = cloud.server_create(&new).await.map_err(failed)?;
    let addressless = server.public_ip.or(server.private_ip).is_none();
    let mut tx = app.db.write().await?;
    let (public, private) = (server.public_ip, server.private_ip);
    let wanted = db::node::set_server(&mut tx, id, &server.id, public, private).await?;
    match node.service {
        None => db::application::touch(&mut tx, node.application).await?,
        Some(service) => db::service::touch(&mut tx, service).await?,
    }
    tx.commit().await?;
    if !wanted {
        // Whoever removed the node could not know of this server.
        cloud.server_delete(&server.id).await.map_err(failed)?;
        return Err(Error::Cancelled);
    }
    if addressless {
        let fault = "it has no address".to_owned();
        return Err(failed(CloudError::ServerFailed { name: new.name, fault }));
    }
    app.publish_node_of(&node).await;
    Ok(())
}

/// What a server has to know of the service it works for.
struct Purpose {
    service_type: String,
    startup_script: Option<String>,
}

async fn purpose(app: &App, node: &Node) -> Result<Option<Purpose>> {
    let Some(service) = node.service else { return Ok(None) };
    let mut connection = app.db.read().await?;
    let found = db::service::view(&mut connection, service).await?.ok_or(Error::Cancelled)?;
    let startup_script = db::service::startup_script(&mut connection, service).await?;
    Ok(Some(Purpose { service_type: found.service.service_type, startup_script }))
}

fn new_server(
    app: &App,
    user: UserId,
    node: &Node,
    purpose: Option<Purpose>,
    common: &Common,
    token: String,
) -> NewServer {
    let (service_type, startup_script) =
        purpose.map(|purpose| (purpose.service_type, purpose.startup_script)).unzip();
    let startup_script = startup_script.flatten();
    let name = server_name(&app.installation, user, node, service_type.as_deref());
    let role = match (node.service, service_type) {
        (Some(service), Some(service_type)) => BootRole::Agent { service, service_type },
        _ => BootRole::Manager,
    };
    let boot = BootConfig {
        installation: app.installation.clone(),
        director_url: app.url.clone(),
        ca_certificate: app.authority.certificate().to_owned(),
        token,
        node: node.id,
        cloud: node.cloud.clone(),
        application: node.application,
        role,
        memory_mib: common.memory_mib,
        autoscaling_minute: app.autoscaling_minute,
    };
    let tags = BTreeMap::from([
        (TAG_INSTALLATION.to_owned(), app.tag.clone()),
        (TAG_APPLICATION.to_owned(), node.application.to_string()),
        (TAG_NODE.to_owned(), node.id.to_string()),
    ]);
    let user_data =
        user_data::script(&boot, &app.executable.sha256, startup_script.as_deref()).into_bytes();
    let instance_type = Some(node.instance_type.clone());
    let security_groups = common.security_groups.clone();
    NewServer { name, instance_type, user_data, security_groups, tags }
}

/// The name of a node's server: people read there whose it is.
fn server_name(
    installation: &str,
    user: UserId,
    node: &Node,
    service_type: Option<&str>,
) -> String {
    let application = node.application;
    match (node.service, service_type) {
        (Some(service), Some(kind)) => {
            format!("{installation}-u{user}-a{application}-s{service}-{kind}-{}", node.id)
        }
        _ => format!("{installation}-u{user}-a{application}-mgr"),
    }
}

/// Sees to it that none of the nodes has a server.
pub(super) async fn delete_all(app: &App, nodes: &[NodeId]) -> Result<()> {
    each(nodes, |id| delete(app, id)).await
}

/// Sees to it that the node has no server and no volumes.
pub(super) async fn delete(app: &App, id: NodeId) -> Result<()> {
    let found = db::node::view(&mut *app.db.read().await?, id).await?;
    // Without a record of it there was nothing, or it is gone; stray servers are the reconciler's.
    let Some(record) = found else { return Ok(()) };
    let node = record.node;
    let cloud = app.cloud(&node.cloud)?;
    volume::refuse_of_node(app, id).await?;
    if !node.server.is_empty() {
        let failed = |source| Error::Cloud { cloud: node.cloud.clone(), source };
        cloud.server_delete(&node.server).await.map_err(failed)?;
    } else if record.attempted {
        delete_tagged(app, cloud.as_ref(), id).await?;
    }
    // Afterwards: a server that is gone has let go of them.
    volume::delete_of_node(app, &node).await
}

/// Deletes whatever servers carry the node's tag.
async fn delete_tagged(app: &App, cloud: &dyn Cloud, id: NodeId) -> Result<()> {
    let failed = |source| Error::Cloud { cloud: cloud.name().to_owned(), source };
    let own = cloud.servers(TAG_INSTALLATION, &app.tag).await.map_err(failed)?;
    let wanted = id.to_string();
    for server in own.iter().filter(|server| server.tags.get(TAG_NODE) == Some(&wanted)) {
        cloud.server_delete(&server.id).await.map_err(failed)?;
    }
    Ok(())
}

/// How the account of nodes that go is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// They worked: every hour that has started is charged.
    Charge,
    /// They never came to work: what was charged is given back.
    Refund,
}

/// Removes the records of nodes whose servers are gone.
pub(super) async fn forget(app: &App, nodes: &[NodeId], account: Account) -> Result<()> {
    let mut gone = Vec::new();
    let mut tx = app.db.write().await?;
    for id in nodes {
        let Some(record) = db::node::view(&mut tx, *id).await? else { continue };
        match account {
            Account::Charge => {
                credit::charge(&mut tx, &record, app.meter.shows(), app.now()).await?;
            }
            Account::Refund => db::credit::refund(&mut tx, *id, app.now()).await?,
        }
        db::node::delete(&mut tx, *id).await?;
        match record.node.service {
            None => db::application::touch(&mut tx, record.node.application).await?,
            Some(service) => db::service::touch(&mut tx, service).await?,
        }
        gone.push(record);
    }
    tx.commit().await?;
    if let Some(first) = gone.first() {
        app.publish_credits(first.user).await;
    }
    for record in &gone {
        app.publish_node_of(&record.node).await;
    }
    Ok(())
}

/// Waits until the manager or agent in the node has reported.
pub(super) async fn await_ready(app: &App, id: NodeId) -> Result<()> {
    let decided = |node: &Node| (node.state == NodeState::Ready).then_some(Ok(()));
    app.node_await(id, decided).await.map(|_| ())
}

/// Waits until all of them have; the first that fails ends the waiting.
pub(super) async fn await_all_ready(app: &App, nodes: &[NodeId]) -> Result<()> {
    let waits: Vec<_> = nodes.iter().map(|id| await_ready(app, *id)).collect();
    futures::future::try_join_all(waits).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use protocol::{ApplicationId, ServiceId};

    use super::*;

    #[test]
    fn a_server_is_named_after_its_user_application_and_service() {
        let application = ApplicationId(2);
        let mut node = Node { application, service: None, ..Node::example(9, "manager") };
        assert_eq!(server_name("home", UserId(1), &node, None), "home-u1-a2-mgr");
        node.service = Some(ServiceId(3));
        assert_eq!(
            server_name("home", UserId(1), &node, Some("generic")),
            "home-u1-a2-s3-generic-9"
        );
    }
}
