//! Services: forwarded to the manager, kept by the director.

use std::time::Duration;

use std::collections::BTreeMap;

use futures::TryStreamExt;
use protocol::api::{NodesAdd, ServiceCreate, ServiceStart, State};
use protocol::client::Upload;
use protocol::{ErrorCode, ServiceId};
use serde_json::{Value, json};

use super::World;
use super::cloud::Boot;
use super::world::{NO_SERVICE, generic, refusal, running_service, settled};

#[tokio::test]
async fn a_service_comes_works_and_goes() {
    let world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    assert_eq!(created.service.name, "New generic service");
    assert_eq!((created.service.state, created.application.state), (State::Init, State::Prologue));

    let id = created.service.id;
    let started = user.service_start(id, &ServiceStart::default()).await.unwrap();
    let running = user.service_await(started, State::Running).await.unwrap();
    assert_eq!((running.state, running.nodes), (State::Running, 1));
    let nodes = user.service_nodes(id).await.unwrap().nodes;
    assert_eq!((nodes.len(), nodes[0].role.as_str()), (1, "master"));
    let server = world.cloud.servers().into_iter().find(|server| server.id == nodes[0].server);
    let name = format!("test-world-u1-a1-s{id}-generic-{}", nodes[0].id);
    assert_eq!(server.unwrap().name, name);

    let add = NodesAdd { nodes: BTreeMap::from([("count".to_owned(), 1)]), ..Default::default() };
    user.service_add_nodes(id, &add).await.unwrap();
    let grown = user.service_view(id).await.unwrap();
    let mut grown = grown;
    while grown.nodes < 2 || grown.state != State::Running {
        grown = user.service_changed(id, grown.revision).await.unwrap();
    }
    assert_eq!(user.service_logs(id, &Default::default()).await.unwrap().log, "all is well\n");
    assert_eq!(user.service_rename(id, "Mine").await.unwrap().name, "Mine");

    let stopping = user.service_stop(id).await.unwrap();
    let stopped = user.service_await(stopping, State::Stopped).await.unwrap();
    assert_eq!((stopped.state, stopped.nodes), (State::Stopped, 0));
    let history = user.service_history(id).await.unwrap().state_log;
    let states: Vec<State> = history.iter().map(|change| change.state).collect();
    assert_eq!(
        states,
        [
            State::Init,
            State::Prologue,
            State::Running,
            State::Adapting,
            State::Running,
            State::Epilogue,
            State::Stopped,
        ]
    );
    assert!(history.is_sorted_by_key(|change| change.time));
    assert_eq!(world.cloud.count(), 1, "the manager stays");
    user.service_delete(id).await.unwrap();
    assert_eq!(refusal(user.service_view(id).await).0, ErrorCode::NotFound);
}

#[tokio::test]
async fn no_vm_is_made_from_an_image_that_lacks_what_the_service_needs() {
    let mut world = World::new().await;
    let empty = tempfile::tempdir().unwrap();
    world.image_roots.insert("default".to_owned(), empty.path().to_owned());
    world.restart().await;
    let user = world.login("test").await;
    let php = ServiceCreate { service_type: "php".to_owned(), ..generic() };
    let id = user.service_create(&php).await.unwrap().service.id;
    let (code, message) = refusal(user.service_start(id, &ServiceStart::default()).await);
    assert_eq!(code, ErrorCode::Conflict);
    assert!(message.starts_with("the image of the VMs lacks what php needs: nginx"), "{message}");
    let nodes = user.service_nodes(id).await.unwrap().nodes;
    assert!(nodes.is_empty() && user.service_view(id).await.unwrap().state == State::Init);
    // What needs nothing starts from any image.
    let id = user.service_create(&generic()).await.unwrap().service.id;
    let started = user.service_start(id, &ServiceStart::default()).await.unwrap();
    assert_eq!(user.service_await(started, State::Running).await.unwrap().nodes, 1);
}

#[tokio::test]
async fn the_second_service_needs_no_second_manager() {
    let world = World::new().await;
    let user = world.login("test").await;
    let first = running_service(&user).await;
    let second = user.service_create(&generic()).await.unwrap();
    assert_eq!(second.application.id, first.application);
    assert_eq!(second.application.state, State::Running);
    assert_eq!(world.cloud.count(), 2);
}

#[tokio::test]
async fn mistakes_are_told_in_one_line() {
    let world = World::new().await;
    let user = world.login("test").await;
    let unknown = ServiceCreate { service_type: "nonsense".to_owned(), ..generic() };
    assert_eq!(
        refusal(user.service_create(&unknown).await),
        (ErrorCode::InvalidRequest, "there is no service type `nonsense`".to_owned())
    );
    let nowhere = ServiceCreate { cloud: Some("mars".to_owned()), ..generic() };
    assert_eq!(
        refusal(user.service_create(&nowhere).await),
        (ErrorCode::NotFound, "there is no cloud `mars`".to_owned())
    );
    assert_eq!(
        refusal(user.service_stop(NO_SERVICE).await),
        (ErrorCode::NotFound, "there is no service 999".to_owned())
    );
    assert_eq!(world.cloud.count(), 0);
    assert!(user.application_list().await.unwrap().is_empty(), "nothing is made on the way");

    let service = running_service(&user).await;
    let add = NodesAdd { nodes: BTreeMap::from([("backend".to_owned(), 1)]), ..Default::default() };
    let refused = refusal(user.service_add_nodes(service.id, &add).await);
    assert_eq!(refused.0, ErrorCode::InvalidRequest);
    let method = user.service_query::<Value>(service.id, "nonsense", &json!({})).await;
    assert_eq!(refusal(method).0, ErrorCode::NotFound);
    let wrong_verb = user.service_query::<Value>(service.id, "run", &json!({})).await;
    assert_eq!(refusal(wrong_verb).0, ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn methods_of_every_kind_reach_the_manager() {
    let world = World::new().await;
    let user = world.login("test").await;
    let id: ServiceId = running_service(&user).await.id;
    let status: Value = user.service_query(id, "get_script_status", &json!({})).await.unwrap();
    assert_eq!(status, json!({ "nodes": {} }));
    let parameters = json!({ "parameters": ["a", "b"] });
    let echoed: Value = user.service_command(id, "run", &parameters).await.unwrap();
    assert_eq!(echoed, parameters);
    let refused = user.service_command::<Value>(id, "run", &json!({ "fail": true })).await;
    assert_eq!(refusal(refused), (ErrorCode::Conflict, "no code is active".to_owned()));

    // Longer than any body that is read whole.
    let content = Upload::from(vec![7_u8; 5 << 20]);
    let query = json!({ "filename": "app.tar.gz" });
    let uploaded: Value = user.service_upload(id, "upload_code", &query, content).await.unwrap();
    assert_eq!(uploaded["length"], 5 << 20);
    let query = json!({ "code_version": "code-abc" });
    let download = user.service_download(id, "download_code", &query).await.unwrap();
    assert_eq!(download.filename, "app.tar.gz");
    let chunks: Vec<_> = download.content.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"the archive");
}

#[tokio::test]
async fn without_a_manager_services_say_what_to_do_and_can_still_be_deleted() {
    let world = World::with(|tuning| {
        tuning.return_timeout = Duration::from_millis(50);
        tuning.replace_lost = false;
    })
    .await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    for server in world.cloud.servers() {
        world.cloud.lose(&server.id);
    }
    let gone = user.service_stop(service.id).await.unwrap_err();
    let told = gone.api().unwrap();
    assert_eq!(told.code, ErrorCode::Unavailable);
    assert!(told.hint.as_ref().unwrap().contains("cps application get-log 1"));

    world.app().reconcile_once().await;
    let application = user.application_view(service.application).await.unwrap();
    assert_eq!(application.state, State::Error);
    assert_eq!(application.reason.as_deref(), Some("the cloud lost its manager"));
    let service = user.service_view(service.id).await.unwrap();
    assert!(service.reason.unwrap().starts_with("the cloud lost node"));

    user.service_delete(service.id).await.unwrap();
    user.application_stop(service.application).await.unwrap();
    assert_eq!(settled(&user, service.application).await.state, State::Stopped);
    world.assert_clean_slate_soon().await;
    let refused = refusal(user.service_start(service.id, &ServiceStart::default()).await);
    assert_eq!(refused.0, ErrorCode::NotFound);
}

#[tokio::test]
async fn nodes_come_all_or_not_at_all() {
    let world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    settled(&user, created.application.id).await;
    world.cloud.fail_after(0);
    let started = user.service_start(created.service.id, &ServiceStart::default()).await.unwrap();
    let failed = user.service_await(started, State::Running).await.unwrap();
    assert_eq!(failed.state, State::Error);
    assert!(failed.reason.unwrap().contains("no free public address"));
    assert_eq!(user.node_list().await.unwrap().nodes.len(), 1, "only the manager is left");
    assert_eq!(world.cloud.count(), 1);
}

#[tokio::test]
async fn a_service_is_deleted_while_its_nodes_are_being_made() {
    let world = World::new().await;
    let user = world.login("test").await;
    let created = user.service_create(&generic()).await.unwrap();
    settled(&user, created.application.id).await;
    world.cloud.boot(Boot::Silent);
    user.service_start(created.service.id, &ServiceStart::default()).await.unwrap();
    world.cloud.await_count(2).await;
    user.service_delete(created.service.id).await.unwrap();
    assert_eq!(world.cloud.count(), 1, "only the manager is left");
    assert!(user.service_list().await.unwrap().is_empty());
}
