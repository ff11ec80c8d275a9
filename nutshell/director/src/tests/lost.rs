//! VMs that the cloud loses.

use protocol::api::{NodeState, State};
use protocol::client::VmClient;
use protocol::{ErrorCode, Identity};
use time::Duration;

use super::World;
use super::vm;
use super::world::{refusal, running_service, settled};

/// The server of a service's only node, and that of its manager.
fn servers(world: &World) -> (String, String) {
    let servers = world.cloud.servers();
    let id = |manager: bool| {
        let found = servers.iter().find(|server| server.name.ends_with("-mgr") == manager);
        found.unwrap().id.clone()
    };
    (id(false), id(true))
}

#[tokio::test]
async fn a_lost_agent_is_replaced_by_its_manager() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let before = user.service_nodes(service.id).await.unwrap().nodes.remove(0);
    world.cloud.lose(&servers(&world).0);
    world.app().reconcile_once().await;
    world.cloud.await_count(2).await;
    let service = user.service_view(service.id).await.unwrap();
    let service = user.service_await(service, State::Running).await.unwrap();
    let nodes = user.service_nodes(service.id).await.unwrap().nodes;
    let ready: Vec<_> = nodes.iter().filter(|node| node.state == NodeState::Ready).collect();
    assert_eq!(ready.len(), 1, "{nodes:?}");
    assert_ne!(ready[0].id, before.id);
}

#[tokio::test]
async fn a_lost_manager_is_replaced_and_the_lost_one_refused() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let old = vm::join(&world.cloud.boots()[0]).await;
    assert!(old.is_none(), "its token is used");
    let (agent, manager) = servers(&world);
    world.cloud.lose(&manager);
    world.app().reconcile_once().await;
    let application = user.application_view(service.application).await.unwrap();
    assert_eq!(application.state, State::Prologue, "{:?}", application.reason);
    let application = settled(&user, service.application).await;
    assert_eq!(application.state, State::Running, "{:?}", application.reason);
    let (same_agent, new_manager) = servers(&world);
    assert_eq!(same_agent, agent, "what works goes on working");
    assert_ne!(new_manager, manager);
    let stopping = user.service_stop(service.id).await.unwrap();
    user.service_await(stopping, State::Stopped).await.unwrap();
}

#[tokio::test]
async fn a_manager_that_cannot_be_replaced_is_tried_again_a_few_times() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.cloud.lose(&servers(&world).1);
    world.cloud.fail_after(0);
    world.app().reconcile_once().await;
    let failed = settled(&user, service.application).await;
    assert_eq!(failed.state, State::Error);
    assert!(failed.reason.unwrap().contains("no free public address"));
    world.app().operations_given_up().await;
    world.app().reconcile_once().await;
    assert_eq!(settled(&user, service.application).await.state, State::Error, "not at once");
    world.advance(Duration::seconds(6));
    world.app().reconcile_once().await;
    assert_eq!(settled(&user, service.application).await.state, State::Running);
}

#[tokio::test]
async fn an_agent_that_cannot_be_replaced_is_tried_again_later() {
    let world = World::new().await;
    let user = world.login("test").await;
    let mut service = running_service(&user).await;
    world.cloud.lose(&servers(&world).0);
    world.cloud.fail_after(0);
    world.app().reconcile_once().await;
    let failed = |reason: &String| reason.contains("no free public address");
    while !service.reason.as_ref().is_some_and(failed) {
        service = user.service_changed(service.id, service.revision).await.unwrap();
    }
    world.app().reconcile_once().await;
    assert_eq!(world.cloud.count(), 1, "not at once");
    world.advance(Duration::seconds(6));
    world.app().reconcile_once().await;
    world.cloud.await_count(2).await;
    while service.nodes != 1 {
        service = user.service_changed(service.id, service.revision).await.unwrap();
    }
}

/// Lets so many seconds pass, of which the director sees every second; the manager answers it.
async fn watch(world: &World, seconds: i64) {
    for _ in 0..seconds / 2 {
        world.advance(Duration::seconds(2));
        world.app().listen_once().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_is_not_heard_of_is_replaced_and_a_manager_that_answers_is_not() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let before = user.service_nodes(service.id).await.unwrap().nodes.remove(0);
    let (agent, manager) = servers(&world);
    world.app().listen_once().await.unwrap();
    watch(&world, 18).await;
    assert_eq!(user.service_nodes(service.id).await.unwrap().nodes[0].state, NodeState::Ready);
    // Both are silent by now: the manager is asked first, and answers; then it is the agent's turn.
    watch(&world, 4).await;
    world.app().reconcile_once().await;
    let mut service = user.service_view(service.id).await.unwrap();
    while service.nodes != 1 || servers(&world).0 == agent {
        service = user.service_changed(service.id, service.revision).await.unwrap();
    }
    let nodes = user.service_nodes(service.id).await.unwrap().nodes;
    let ready: Vec<_> = nodes.iter().filter(|node| node.state == NodeState::Ready).collect();
    assert_eq!(ready.len(), 1, "{nodes:?}");
    assert_ne!(ready[0].id, before.id);
    assert_eq!(servers(&world).1, manager);
}

#[tokio::test]
async fn a_director_that_was_away_gives_nobody_up() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.app().listen_once().await.unwrap();
    watch(&world, 18).await;
    world.advance(Duration::hours(9));
    world.app().listen_once().await.unwrap();
    watch(&world, 18).await;
    assert_eq!(user.service_nodes(service.id).await.unwrap().nodes[0].state, NodeState::Ready);
}

#[tokio::test]
async fn an_agent_with_volumes_is_left_to_its_user() {
    let world = World::new().await;
    let (manager, service, node) = super::volumes::manager(&world).await;
    manager.create_volume(&super::volumes::data(service, node.id)).await.unwrap();
    world.cloud.lose(&node.server);
    world.app().reconcile_once().await;
    let user = world.login("test").await;
    let shown = user.service_view(service).await.unwrap();
    let reason = "and it is not replaced: it has volumes, which its removal deletes";
    assert!(shown.reason.is_some_and(|told| told.ends_with(reason)));
    assert_eq!(world.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn the_certificate_of_a_lost_manager_is_worth_nothing() {
    let world = World::new().await;
    let (boot, _) = super::vms::silent_manager(&world, "test").await;
    let membership = vm::join(&boot).await.unwrap();
    let lost: VmClient = super::vms::client(&membership);
    lost.ready().await.unwrap();
    let user = world.login("test").await;
    settled(&user, boot.application).await;
    world.cloud.lose(&servers_of_manager(&world));
    world.app().reconcile_once().await;
    assert_eq!(refusal(lost.services_wanted().await).0, ErrorCode::Unauthenticated);
    assert!(membership.client_of(Identity::Director).is_ok());
}

fn servers_of_manager(world: &World) -> String {
    world.cloud.servers()[0].id.clone()
}
