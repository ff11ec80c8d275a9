//! Credits: an hour at a time, exactly, whatever happens to the director.

use protocol::ErrorCode;
use protocol::api::{Event, State};
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
    assert_eq!(credits(&user).await, CREDITS - 8, "hours without a director count as well");
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
    let add = protocol::api::NodesAdd { nodes: [("node".to_owned(), 1)].into(), cloud: None };
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
