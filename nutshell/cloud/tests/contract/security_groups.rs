//! Security groups. That they let in what they say is for tests with servers that answer.

use std::collections::BTreeSet;

use cloud::{Admit, CloudError, NewSecurityGroup, NewServer, Protocol};

use crate::for_every_driver;
use crate::world::{TAG, World, new_server, tags};

for_every_driver!(
    a_group_is_made_once,
    a_group_comes_to_admit_what_is_wanted,
    a_group_goes_when_it_guards_nothing,
    a_group_of_the_same_name_that_is_not_ours_is_left_alone,
    a_group_needs_a_tag;
    steered:
    a_group_that_is_as_it_should_be_is_not_touched,
);

fn tcp(first: u16, last: u16) -> Admit {
    Admit::Anyone { protocol: Protocol::Tcp, first, last }
}

fn web() -> NewSecurityGroup {
    let udp = Admit::Anyone { protocol: Protocol::Udp, first: 1, last: 65_535 };
    let admits = BTreeSet::from([Admit::Members, tcp(80, 80), tcp(5556, 65_535), udp]);
    NewSecurityGroup { name: "a1-web".to_owned(), tags: tags(), admits }
}

/// From now on no rule can be made or taken away.
fn freeze_rules(world: &World) {
    for call in [
        "network:security_rules.*",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
    ] {
        world.answers(call, 500, None);
    }
}

async fn a_group_is_made_once(world: &World) {
    let made = world.cloud.security_group_ensure(&web()).await.unwrap();
    assert_eq!(world.cloud.security_group_ensure(&web()).await.unwrap(), made);
    let listed = world.cloud.security_groups(TAG.0, TAG.1).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].id, listed[0].name.as_str()), (&made, "a1-web"));
    assert!(world.cloud.security_groups(TAG.0, "a").await.unwrap().is_empty());
}

async fn a_group_comes_to_admit_what_is_wanted(world: &World) {
    let made = world.cloud.security_group_ensure(&web()).await.unwrap();
    let narrower = NewSecurityGroup { admits: [tcp(443, 443)].into(), ..web() };
    for wanted in [&narrower, &web(), &narrower] {
        assert_eq!(world.cloud.security_group_ensure(wanted).await.unwrap(), made);
    }
}

async fn a_group_that_is_as_it_should_be_is_not_touched(world: &World) {
    let made = world.cloud.security_group_ensure(&web()).await.unwrap();
    let narrower = NewSecurityGroup { admits: [tcp(443, 443)].into(), ..web() };
    freeze_rules(world);
    assert_eq!(world.cloud.security_group_ensure(&web()).await.unwrap(), made);
    world.cloud.security_group_ensure(&narrower).await.unwrap_err();
    world.fake().control().clear().await;
    // Whatever came of the try in vain, the next one brings it to an end.
    assert_eq!(world.cloud.security_group_ensure(&narrower).await.unwrap(), made);
    freeze_rules(world);
    world.cloud.security_group_ensure(&narrower).await.unwrap();
    world.cloud.security_group_ensure(&web()).await.unwrap_err();
}

async fn a_group_goes_when_it_guards_nothing(world: &World) {
    let group = world.cloud.security_group_ensure(&web()).await.unwrap();
    let guarded = NewServer { security_groups: vec![group.clone()], ..new_server() };
    let server = world.cloud.server_create(&guarded).await.unwrap();
    let error = world.cloud.security_group_delete(&group).await.unwrap_err();
    assert!(matches!(error, CloudError::Conflict { .. }), "{error}");
    world.cloud.server_delete(&server.id).await.unwrap();
    for _ in 0..2 {
        world.cloud.security_group_delete(&group).await.unwrap();
    }
    assert!(world.cloud.security_groups(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn a_group_of_the_same_name_that_is_not_ours_is_left_alone(world: &World) {
    let theirs = NewSecurityGroup { tags: [(TAG.0.to_owned(), "a11".to_owned())].into(), ..web() };
    let theirs = world.cloud.security_group_ensure(&theirs).await.unwrap();
    match world.cloud.security_group_ensure(&web()).await {
        Ok(ours) => assert_ne!(ours, theirs),
        // Where names are of one only.
        Err(error) => assert!(matches!(error, CloudError::Conflict { .. }), "{error}"),
    }
    let listed = world.cloud.security_groups(TAG.0, "a11").await.unwrap();
    assert_eq!(listed.iter().map(|group| &group.id).collect::<Vec<_>>(), [&theirs]);
}

async fn a_group_needs_a_tag(world: &World) {
    let untagged = NewSecurityGroup { tags: [].into(), ..web() };
    let error = world.cloud.security_group_ensure(&untagged).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}
