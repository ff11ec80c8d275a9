//! The failure matrix: whatever step fails, nothing is left; whatever step runs twice, all is well.

use std::sync::{Arc, Mutex};

use protocol::api::{ServiceStart, State};
use protocol::client::DirectorClient;

use super::World;
use super::world::{CREDITS, credits, generic, running_service, settled};
use crate::app::Error;
use crate::operations::Overseer;

/// Which steps of an operation were done, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Lets one step of an operation fail, once, after it has had its effect.
fn failing(kind: &'static str, step: String) -> Overseer {
    let failed = Mutex::new(false);
    Overseer(Arc::new(move |of, at| {
        let mut failed = failed.lock().unwrap();
        if of == kind && at == step && !*failed {
            *failed = true;
            return Err(Error::Cancelled);
        }
        Ok(0)
    }))
}

/// Has every step of an operation done twice.
fn repeating(kind: &'static str, seen: Seen) -> Overseer {
    Overseer(Arc::new(move |of, at| {
        if of != kind {
            return Ok(0);
        }
        seen.lock().unwrap().push(at.to_owned());
        Ok(1)
    }))
}

/// Does the work with every step done twice, then once more for each step with that step failing.
/// The last argument of `check` tells the name of the step that failed.
async fn matrix(
    kind: &'static str,
    work: impl AsyncFn(&World, &DirectorClient),
    check_failed: impl AsyncFn(&World, &DirectorClient, &str),
) {
    let seen = Seen::default();
    let overseer = repeating(kind, Arc::clone(&seen));
    let world = World::with(|tuning| tuning.overseer = Some(overseer)).await;
    let user = world.login("test").await;
    work(&world, &user).await;
    let steps = seen.lock().unwrap().clone();
    assert!(!steps.is_empty(), "{kind} did nothing");
    for step in steps {
        let overseer = failing(kind, step.clone());
        let world = World::with(|tuning| tuning.overseer = Some(overseer)).await;
        let user = world.login("test").await;
        check_failed(&world, &user, &step).await;
    }
}

#[tokio::test]
async fn application_start_survives_repetition_and_unwinds_from_every_step() {
    matrix(
        "application_start",
        async |_, user| {
            running_service(user).await;
        },
        async |world, user, step| {
            let created = user.service_create(&generic()).await.unwrap();
            let failed = settled(user, created.application.id).await;
            // The last step is what makes it run: its effect stays visible until it is undone.
            let failed = match failed.state {
                State::Running => {
                    let failed = user.application_await(failed, |now| now.state == State::Error);
                    failed.await.unwrap()
                }
                _ => failed,
            };
            assert_eq!(failed.state, State::Error, "{step}");
            world.assert_clean_slate_soon().await;
            assert_eq!(credits(user).await, CREDITS, "{step}");
        },
    )
    .await;
}

#[tokio::test]
async fn nodes_create_survives_repetition_and_unwinds_from_every_step() {
    matrix(
        "nodes_create",
        async |_, user| {
            running_service(user).await;
        },
        async |world, user, step| {
            let created = user.service_create(&generic()).await.unwrap();
            let id = created.service.id;
            let started = user.service_start(id, &ServiceStart::default()).await.unwrap();
            let failed = user.service_await(started, State::Running).await.unwrap();
            assert_eq!((failed.state, failed.nodes), (State::Error, 0), "{step}");
            assert_eq!(world.cloud.count(), 1, "{step}: only the manager is left");
            assert_eq!(credits(user).await, CREDITS - 1, "{step}");
        },
    )
    .await;
}

/// What removes is done again until it is through: by the reconciler, after a failure.
async fn removal(
    kind: &'static str,
    prepare: impl AsyncFn(&DirectorClient),
    remove: impl AsyncFn(&DirectorClient),
    left: usize,
) {
    matrix(
        kind,
        async |world, user| {
            prepare(user).await;
            remove(user).await;
            world.cloud.await_count(left).await;
        },
        async |world, user, step| {
            prepare(user).await;
            remove(user).await;
            world.app().operations_given_up().await;
            world.app().reconcile_once().await;
            world.app().operations_given_up().await;
            assert_eq!(world.cloud.count(), left, "{step}");
            let mut connection = world.app().db.read().await.unwrap();
            let under_way = crate::db::operation::list_under_way(&mut connection).await.unwrap();
            assert!(under_way.is_empty(), "{step}: {under_way:?}");
        },
    )
    .await;
}

async fn prepare(user: &DirectorClient) {
    running_service(user).await;
}

#[tokio::test]
async fn application_stop_survives_repetition_and_failure() {
    removal(
        "application_stop",
        prepare,
        async |user| {
            let id = user.application_list().await.unwrap()[0].id;
            user.application_stop(id).await.unwrap();
        },
        0,
    )
    .await;
}

#[tokio::test]
async fn application_delete_survives_repetition_and_failure() {
    removal(
        "application_delete",
        prepare,
        async |user| {
            let id = user.application_list().await.unwrap()[0].id;
            // Told when a step failed; the work goes on.
            let _ = user.application_delete(id).await;
        },
        0,
    )
    .await;
}

#[tokio::test]
async fn service_delete_survives_repetition_and_failure() {
    removal(
        "service_delete",
        prepare,
        async |user| {
            let id = user.service_list().await.unwrap()[0].id;
            let _ = user.service_delete(id).await;
        },
        1,
    )
    .await;
}

#[tokio::test]
async fn nodes_delete_survives_repetition_and_failure() {
    removal(
        "nodes_delete",
        prepare,
        async |user| {
            let id = user.service_list().await.unwrap()[0].id;
            let stopping = user.service_stop(id).await.unwrap();
            user.service_await(stopping, State::Stopped).await.unwrap();
        },
        1,
    )
    .await;
}
