//! A director that is killed: the next one finishes or undoes what it left.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::api::{ServiceStart, State};

use super::World;
use super::cloud::Boot;
use super::world::{CREDITS, credits, generic, running_service, settled};
use crate::operations::Overseer;

#[tokio::test]
async fn what_runs_goes_on_running() {
    let mut world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.restart().await;
    world.app().reconcile_once().await;
    let again = user.service_view(service.id).await.unwrap();
    assert_eq!((again.state, again.nodes), (State::Running, 1));
    let stopping = user.service_stop(service.id).await.unwrap();
    user.service_await(stopping, State::Stopped).await.unwrap();
    assert_eq!(world.cloud.count(), 1);
}

#[tokio::test]
async fn a_start_goes_on_whatever_step_the_director_was_killed_at() {
    for step in ["node_record", "server_create", "manager_ready", "services_push"] {
        let mut world = World::new().await;
        let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
        let wanted = step.to_owned();
        let hold = Overseer(Arc::new(move |_, at| {
            if at == wanted {
                let _ = reached.send(());
            }
            Ok(0)
        }));
        world.restart_overseen(Some(hold)).await;
        let user = world.login("test").await;
        let created = user.service_create(&generic()).await.unwrap();
        wait.recv().await.unwrap();
        world.restart_overseen(None).await;
        let application = settled(&user, created.application.id).await;
        assert_eq!(application.state, State::Running, "{step}: {:?}", application.reason);
        assert_eq!(world.cloud.count(), 1, "{step}");
        assert_eq!(credits(&user).await, CREDITS - 1, "{step}");
    }
}

#[tokio::test]
async fn a_server_whose_creation_was_never_answered_is_replaced() {
    let mut world = World::new().await;
    let user = world.login("test").await;
    world.cloud.get_stuck();
    let created = user.service_create(&generic()).await.unwrap();
    world.cloud.await_count(1).await;
    let first = world.cloud.servers().remove(0);
    world.restart().await;
    assert_eq!(settled(&user, created.application.id).await.state, State::Running);
    let servers = world.cloud.servers();
    assert_eq!(servers.len(), 1);
    assert_ne!(servers[0].id, first.id);
}

#[tokio::test]
async fn nodes_that_nobody_waits_for_any_more_are_removed() {
    let mut world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    settled(&user, created.application.id).await;
    world.cloud.boot(Boot::Silent);
    user.service_start(created.service.id, &ServiceStart::default()).await.unwrap();
    world.cloud.await_count(2).await;
    world.restart().await;
    world.cloud.await_count(1).await;
    world.app().operations_given_up().await;
    assert_eq!(user.node_list().await.unwrap().nodes.len(), 1);
    assert_eq!(credits(&user).await, CREDITS - 1);
}

#[tokio::test]
async fn a_cloud_that_is_away_delays_a_removal_and_loses_nothing() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.cloud.unreachable(true);
    user.application_stop(service.application).await.unwrap();
    world.app().operations_given_up().await;
    let stuck = user.application_view(service.application).await.unwrap();
    assert_eq!(stuck.state, State::Epilogue);
    assert_eq!(
        stuck.reason.as_deref(),
        Some("cloud `default` does not answer; it will be tried again")
    );
    world.cloud.unreachable(false);
    world.app().reconcile_once().await;
    assert_eq!(settled(&user, service.application).await.state, State::Stopped);
    world.assert_clean_slate_soon().await;
}

#[tokio::test]
async fn only_our_orphans_are_removed() {
    let world = World::new().await;
    let user = world.login("test").await;
    running_service(&user).await;
    world.cloud.stray(&[world.tag(), ("node", "4711")]);
    let foreign = world.cloud.stray(&[("installation", "test-world"), ("node", "4711")]);
    let untagged = world.cloud.stray(&[]);
    let without_node = world.cloud.stray(&[world.tag()]);
    world.app().reconcile_once().await;
    let left: Vec<String> = world.cloud.servers().into_iter().map(|server| server.id).collect();
    assert_eq!(left.len(), 5, "{left:?}");
    for kept in [foreign, untagged, without_node] {
        assert!(left.contains(&kept), "{kept}");
    }
}

#[tokio::test]
async fn a_director_ends_at_once_also_while_somebody_waits() {
    let mut world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    let application = settled(&user, created.application.id).await;
    let mut events = user.events().await.unwrap();
    let poll = user.application_changed(application.id, application.revision);
    let took = Mutex::new(Duration::ZERO);
    let stop = async {
        tokio::task::yield_now().await;
        let began = Instant::now();
        world.stop().await;
        *took.lock().unwrap() = began.elapsed();
    };
    let _ = tokio::join!(poll, stop);
    let took = *took.lock().unwrap();
    // The poll alone would take 25 s. What is promised is less, but other tests run beside this.
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!matches!(events.next().await, Ok(Some(_))));
}
