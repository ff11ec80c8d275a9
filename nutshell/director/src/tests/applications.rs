//! Applications: made, named, started, stopped, deleted.

use protocol::ErrorCode;
use protocol::api::{ApplicationCreate, Event, State};

use super::World;
use super::cloud::Boot;
use super::world::{CREDITS, NO_APPLICATION, credits, generic, refusal, running_service, settled};

#[tokio::test]
async fn names_are_made_up_kept_apart_and_changed() {
    let world = World::new().await;
    let user = world.login("test").await;
    let create = ApplicationCreate::default();
    let first = user.application_create(&create).await.unwrap();
    let second = user.application_create(&create).await.unwrap();
    assert_eq!(first.name, "New Application");
    assert_eq!(second.name, "New Application (2)");
    assert_eq!(first.state, State::Init);
    let taken = refusal(user.application_rename(second.id, "New Application").await);
    assert_eq!(taken.0, ErrorCode::Conflict);
    let renamed = user.application_rename(second.id, " Shop ").await.unwrap();
    assert_eq!(renamed.name, "Shop");
    assert!(renamed.revision > second.revision);
    assert_eq!(refusal(user.application_rename(second.id, " ").await).0, ErrorCode::InvalidRequest);
    assert_eq!(user.application_list().await.unwrap().len(), 2);
    assert_eq!(refusal(user.application_view(NO_APPLICATION).await).0, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_manager_comes_and_goes() {
    let world = World::new().await;
    let user = world.login("test").await;
    let created = user.application_create(&ApplicationCreate::default()).await.unwrap();
    let started = user.application_start(created.id, None).await.unwrap();
    assert_eq!((started.state, started.cloud.as_deref()), (State::Prologue, Some("default")));
    let running = settled(&user, created.id).await;
    assert_eq!(running.state, State::Running);
    let nodes = user.node_list().await.unwrap().nodes;
    assert_eq!(nodes.len(), 1);
    assert_eq!(running.manager, nodes[0].public_ip);
    let server = &world.cloud.servers()[0];
    assert_eq!(server.name, format!("test-world-u1-a{}-mgr", created.id));
    assert_eq!(server.tags["installation"], world.tag().1);
    assert_eq!(server.tags["application"], created.id.to_string());
    assert_eq!(server.tags["node"], nodes[0].id.to_string());
    assert_eq!(
        user.application_logs(created.id, &Default::default()).await.unwrap().log,
        "all is well\n"
    );
    assert_eq!(refusal(user.application_start(created.id, None).await).0, ErrorCode::Conflict);

    let stopping = user.application_stop(created.id).await.unwrap();
    assert_eq!(stopping.state, State::Epilogue);
    let stopped = settled(&user, created.id).await;
    assert_eq!((stopped.state, stopped.manager), (State::Stopped, None));
    world.assert_clean_slate_soon().await;
    let refused = refusal(user.application_logs(created.id, &Default::default()).await);
    assert_eq!(refused, (ErrorCode::Conflict, format!("application {} is STOPPED", created.id)));

    user.application_start(created.id, None).await.unwrap();
    assert_eq!(settled(&user, created.id).await.state, State::Running);
    user.application_delete(created.id).await.unwrap();
    assert_eq!(refusal(user.application_view(created.id).await).0, ErrorCode::NotFound);
    world.assert_clean_slate_soon().await;
}

#[tokio::test]
async fn a_stopped_application_keeps_its_services() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let idle = user.service_create(&generic()).await.unwrap().service;
    user.application_stop(service.application).await.unwrap();
    settled(&user, service.application).await;
    let services = user.service_list().await.unwrap();
    let states: Vec<_> = services.iter().map(|service| (service.id, service.state)).collect();
    assert_eq!(states, [(service.id, State::Stopped), (idle.id, State::Init)]);
    world.assert_clean_slate_soon().await;

    user.application_start(service.application, None).await.unwrap();
    let again = user.service_start(service.id, &Default::default()).await.unwrap();
    let again = user.service_await(again, State::Running).await.unwrap();
    assert_eq!(again.state, State::Running);
    user.application_delete(service.application).await.unwrap();
    assert!(user.service_list().await.unwrap().is_empty());
    world.assert_clean_slate_soon().await;
}

#[tokio::test]
async fn a_cloud_that_refuses_leaves_the_reason_and_nothing_else() {
    let world = World::new().await;
    let user = world.login("test").await;
    world.cloud.fail_after(0);
    let created = user.service_create(&generic()).await.unwrap();
    let failed = settled(&user, created.application.id).await;
    assert_eq!(failed.state, State::Error);
    let reason = failed.reason.unwrap();
    assert!(reason.contains("no free public address in the pool public"), "{reason}");
    world.assert_clean_slate_soon().await;
    assert_eq!(credits(&user).await, CREDITS, "what never worked is not charged");

    let start = refusal(user.service_start(created.service.id, &Default::default()).await);
    assert_eq!(start.0, ErrorCode::Conflict);
    assert!(start.1.contains("no free public address"), "{}", start.1);
    user.application_start(created.application.id, None).await.unwrap();
    assert_eq!(settled(&user, created.application.id).await.state, State::Running);
}

#[tokio::test]
async fn a_manager_that_never_reports_is_given_up() {
    let limit = std::time::Duration::from_millis(200);
    let world = World::with(|tuning| tuning.ready_timeout = limit).await;
    let user = world.login("test").await;
    world.cloud.boot(Boot::Silent);
    let created = user.service_create(&generic()).await.unwrap();
    let failed = settled(&user, created.application.id).await;
    assert_eq!(failed.state, State::Error);
    assert!(failed.reason.unwrap().contains("the manager did not report"));
    world.assert_clean_slate_soon().await;
    assert_eq!(credits(&user).await, CREDITS);
}

#[tokio::test]
async fn stopping_ends_a_start() {
    let world = World::new().await;
    let user = world.login("test").await;
    world.cloud.boot(Boot::Silent);
    let created = user.service_create(&generic()).await.unwrap();
    let application = created.application;
    let known =
        user.application_await(application, |application| application.manager.is_some()).await;
    assert_eq!(known.unwrap().state, State::Prologue, "the address is told before it runs");
    user.application_stop(created.service.application).await.unwrap();
    assert_eq!(settled(&user, created.service.application).await.state, State::Stopped);
    world.assert_clean_slate_soon().await;
    assert_eq!(credits(&user).await, CREDITS);
}

#[tokio::test]
async fn users_hear_of_their_own_and_of_nothing_else() {
    let world = World::new().await;
    let user = world.login("test").await;
    let other = world.login("other").await;
    let mut events = user.events().await.unwrap();
    other.application_create(&ApplicationCreate::default()).await.unwrap();
    let own = user.application_create(&ApplicationCreate::default()).await.unwrap();
    user.application_delete(own.id).await.unwrap();
    match events.next().await.unwrap().unwrap() {
        Event::Application { application } => assert_eq!(application, own),
        event => panic!("unexpected {event:?}"),
    }
    loop {
        match events.next().await.unwrap().unwrap() {
            Event::Application { application } => assert_eq!(application.id, own.id),
            Event::ApplicationDeleted { id } => break assert_eq!(id, own.id),
            event => panic!("unexpected {event:?}"),
        }
    }
}

#[tokio::test]
async fn a_long_poll_is_answered_by_the_change() {
    let world = World::new().await;
    let user = world.login("test").await;
    let own = user.application_create(&ApplicationCreate::default()).await.unwrap();
    let poll = user.application_changed(own.id, own.revision);
    let rename = async {
        // The poll is under way first: it is polled first.
        tokio::task::yield_now().await;
        user.application_rename(own.id, "Shop").await.unwrap()
    };
    let (changed, _) = tokio::join!(poll, rename);
    assert_eq!(changed.unwrap().name, "Shop");
}
