//! Security groups come before the servers they guard, and go after them.

use std::collections::BTreeSet;

use cloud::{Admit, NewSecurityGroup, SecurityGroups as _};
use protocol::api::State;

use super::World;
use super::world::{generic, running_service, settled};

#[tokio::test]
async fn a_server_is_guarded_by_its_applications_group_and_that_of_its_kind() {
    let world = World::new().await;
    let user = world.login("test").await;
    running_service(&user).await;
    let kinds: BTreeSet<String> = world
        .cloud
        .servers()
        .iter()
        .map(|server| {
            let guards = world.cloud.guards(&server.id);
            let [application, kind] = &guards[..] else { panic!("{guards:?}") };
            assert!(application.name.ends_with("-application-1"), "{}", application.name);
            assert_eq!(application.admits, BTreeSet::from([Admit::Members]));
            kind.name.rsplit('-').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds, BTreeSet::from(["generic".to_owned(), "managers".to_owned()]));
}

#[tokio::test]
async fn the_last_application_takes_all_groups_with_it() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    let stopping = user.application_stop(service.application).await.unwrap();
    user.application_await(stopping, |application| application.state == State::Stopped)
        .await
        .unwrap();
    assert_eq!(world.cloud.groups(), []);
}

#[tokio::test]
async fn what_a_failure_left_goes_and_what_is_not_ours_stays() {
    let world = World::new().await;
    let user = world.login("test").await;
    let foreign = [("installation".to_owned(), "another".to_owned())];
    let foreign = NewSecurityGroup { name: "web".into(), tags: foreign.into(), admits: [].into() };
    world.cloud.security_group_ensure(&foreign).await.unwrap();
    world.cloud.fail_after(0);
    let created = user.service_create(&generic()).await.unwrap();
    assert_eq!(settled(&user, created.application.id).await.state, State::Error);
    world.app().operations_given_up().await;
    world.app().reconcile_once().await;
    assert_eq!(world.cloud.groups(), [foreign]);
}
