//! Credits: an hour at a time, exactly, whatever happens to the director.

use protocol::ErrorCode;
use protocol::api::{CreditGrant, Event, State};
use time::Duration;

use super::World;
use super::world::{CREDITS, credits, generic, refusal, running_service, settled};

#[tokio::test]
async fn every_started_hour_of_every_vm_is_charged_once() {
    let mut world = World::new().await;
    let user = world.login("test").await;
    running_service(&user).await;
    assert_eq!(credits(&user).await, CREDITS - 2, "a manager and an agent");
    let mut events = user.events().await.unwrap();
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 2, "the first hour is not over");

    world.advance(Duration::HOUR);
    world.app().reconcile_once().await;
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 4);
    let told = events.next().await.unwrap();
    assert_eq!(told, Some(Event::Credits { credits: CREDITS - 4 }));

    world.stop().await;
    world.advance(Duration::hours(2));
    world.start().await;
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 4, "nobody could have stopped anything meanwhile");
    world.set_clock(Duration::hours(5));
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 4, "no time has passed");
    world.set_clock(Duration::hours(-9));
    world.advance(Duration::HOUR);
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 6, "an hour has passed");
}

#[tokio::test]
async fn at_zero_everything_stops_until_an_administrator_gives_more() {
    let world = World::new().await;
    let user = world.login("test").await;
    let admin = world.login("admin").await;
    let id = user.user_view().await.unwrap().id;
    let grant = |amount| CreditGrant { amount, note: None };
    admin.credits_grant(id, &grant(3 - CREDITS)).await.unwrap();
    let service = running_service(&user).await;
    assert_eq!(credits(&user).await, 1);
    world.app().reconcile_once().await;
    assert_eq!(settled(&user, service.application).await.state, State::Running);

    // Both VMs begin another hour, and the credit is for one.
    world.advance(Duration::HOUR);
    world.app().reconcile_once().await;
    world.assert_clean_slate_soon().await;
    let application = settled(&user, service.application).await;
    assert_eq!(application.state, State::Stopped);
    assert_eq!(application.reason.as_deref(), Some("stopped, because no credits were left"));
    assert_eq!(credits(&user).await, 0, "what nobody can pay is not charged");
    let refused = refusal(user.application_start(application.id, None).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);

    admin.credits_grant(id, &grant(5)).await.unwrap();
    user.application_start(application.id, None).await.unwrap();
    let application = settled(&user, service.application).await;
    assert_eq!((application.state, application.reason), (State::Running, None));
}

#[tokio::test]
async fn a_lost_vm_costs_nothing_any_more() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let agent = user.service_nodes(service.id).await.unwrap().nodes.remove(0);
    world.cloud.lose(&agent.server);
    // Nor does the one that cannot take its place.
    world.cloud.fail_after(0);
    world.app().reconcile_once().await;
    let mut shown = user.service_view(service.id).await.unwrap();
    while !shown.reason.as_ref().is_some_and(|reason| reason.contains("no free public address")) {
        shown = user.service_changed(service.id, shown.revision).await.unwrap();
    }
    world.advance(Duration::hours(3));
    user.application_stop(service.application).await.unwrap();
    settled(&user, service.application).await;
    assert_eq!(credits(&user).await, CREDITS - 5, "the manager's four hours and the agent's one");
}

#[tokio::test]
async fn the_last_hour_is_charged_when_the_vm_goes() {
    let world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    let id = created.application.id;
    settled(&user, id).await;
    world.advance(Duration::minutes(61));
    user.application_stop(id).await.unwrap();
    settled(&user, id).await;
    assert_eq!(credits(&user).await, CREDITS - 2);
    world.advance(Duration::hours(5));
    world.app().reconcile_once().await;
    assert_eq!(credits(&user).await, CREDITS - 2);
}

#[tokio::test]
async fn without_credits_nothing_starts() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.advance(Duration::hours(50));
    world.app().reconcile_once().await;
    assert!(credits(&user).await <= 0);
    let refused = refusal(user.service_start(service.id, &Default::default()).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    let add =
        protocol::api::NodesAdd { nodes: [("node".to_owned(), 1)].into(), ..Default::default() };
    let refused = refusal(user.service_add_nodes(service.id, &add).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    user.application_stop(service.application).await.unwrap();
    assert_eq!(settled(&user, service.application).await.state, State::Stopped);
    let refused = refusal(user.application_start(service.application, None).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    let refused = refusal(user.service_create(&generic()).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    assert_eq!(user.service_list().await.unwrap().len(), 1, "nothing is made on the way");
}
