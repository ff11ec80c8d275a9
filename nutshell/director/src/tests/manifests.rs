//! Manifests: all of it or nothing, whoever is killed and whatever fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use protocol::ErrorCode;
use protocol::api::{Application, Deployment, InlineFile, Manifest, OperationState, State};
use protocol::client::DirectorClient;
use serde_json::{Value, json};

use super::World;
use super::world::{CREDITS, credits, refusal};
use crate::app::Error;
use crate::operations::Overseer;

const KIND: &str = "manifest_deploy";
const SCRIPT: &str = "#!/bin/sh\necho ready\n";

/// Two services; the first has code and three nodes, the second is not started.
fn manifest() -> Value {
    let archive = InlineFile { name: "code.tar.gz".to_owned(), content: b"the code".to_vec() };
    let script = InlineFile { name: "up.sh".to_owned(), content: SCRIPT.into() };
    json!({
        "Application": "Shop",
        "Services": [
            {
                "Type": "generic",
                "ServiceName": "Workers",
                "Start": 1,
                "Archive": archive.to_url(),
                "StartupScript": script.to_url(),
                "StartupInstances": { "node": 2 },
            },
            { "Type": "helloworld", "Start": 0 },
        ],
    })
}

/// The same, and a volume for one of the nodes.
fn with_volume() -> Value {
    let mut manifest = manifest();
    manifest["Services"][0]["Volumes"] =
        json!([{ "Name": "data", "Size": "1500", "Role": "node", "Node": 2 }]);
    manifest
}

async fn over(user: &DirectorClient, mut deployment: Deployment) -> Deployment {
    while !deployment.is_over() {
        deployment = user.deployment_changed(deployment.id, deployment.revision).await.unwrap();
    }
    deployment
}

async fn deploy(user: &DirectorClient, manifest: &Value) -> Deployment {
    let deployment = user.manifest_deploy(manifest, None).await.unwrap();
    over(user, deployment).await
}

/// What counts of an application, whatever its ids are: type, name, state and nodes of its services,
/// and its code.
async fn shape(user: &DirectorClient, application: &Application) -> Vec<String> {
    let mut shape = Vec::new();
    for service in user.service_list().await.unwrap() {
        if service.application != application.id {
            continue;
        }
        let mut roles = BTreeMap::new();
        for node in user.service_nodes(service.id).await.unwrap().nodes {
            *roles.entry(node.role).or_insert(0) += 1;
        }
        shape
            .push(format!("{} {} {} {roles:?}", service.service_type, service.name, service.state));
        let script = user.service_startup_script(service.id).await.unwrap().script;
        assert_eq!(script, if service.service_type == "generic" { SCRIPT } else { "" });
        let nodes = user.service_nodes(service.id).await.unwrap().nodes;
        for volume in user.service_volumes(service.id).await.unwrap().volumes {
            let of = nodes.iter().position(|node| node.id == volume.node).unwrap();
            shape.push(format!("{} {} of node {of}", volume.name, volume.size_mib));
        }
        if service.service_type == "generic" {
            let code: Value =
                user.service_query(service.id, "list_code", &json!({})).await.unwrap();
            let versions = code["code_versions"].as_array().unwrap();
            let of = |version: &Value| format!("{} {}", version["filename"], version["current"]);
            shape.push(versions.iter().map(of).collect::<Vec<_>>().join(","));
        }
    }
    shape
}

#[track_caller]
fn assert_done(deployment: &Deployment) {
    let done = (deployment.state, deployment.done);
    assert_eq!(done, (OperationState::Done, deployment.steps.len()), "{:?}", deployment.error);
}

async fn assert_deployed(world: &World, user: &DirectorClient, deployment: &Deployment) {
    assert_done(deployment);
    let application = user.application_view(deployment.application).await.unwrap();
    assert_eq!((application.name.as_str(), application.state), ("Shop", State::Running));
    assert_eq!(
        shape(user, &application).await,
        [
            r#"generic Workers RUNNING {"master": 1, "node": 2}"#,
            r#""code.tar.gz" true"#,
            "helloworld New helloworld service INIT {}",
        ]
    );
    assert_eq!(world.cloud.count(), 4);
    assert_eq!(kept_files(world), 0);
    let with_script = |data: &&String| data.contains("\necho ready\n");
    // No manager; and once more what was begun anew after a kill.
    let servers = world.cloud.user_data();
    assert!(servers.iter().filter(with_script).count() >= 3);
    assert!(!servers.iter().any(|one| with_script(&one) && one.contains("kind=manager")));
}

/// Nothing is left of a deployment that failed.
async fn assert_nothing_made(world: &World, user: &DirectorClient, deployment: &Deployment) {
    assert_eq!(deployment.state, OperationState::Failed);
    assert!(deployment.error.is_some());
    assert!(user.application_list().await.unwrap().is_empty());
    assert!(user.service_list().await.unwrap().is_empty());
    world.assert_clean_slate_soon().await;
    assert_eq!(kept_files(world), 0);
}

fn kept_files(world: &World) -> usize {
    std::fs::read_dir(&world.app().deployments).unwrap().count()
}

#[tokio::test]
async fn an_application_is_deployed_downloaded_and_deployed_again() {
    let world = World::new().await;
    let user = world.login("test").await;
    let begun = user.manifest_deploy(&manifest(), None).await.unwrap();
    assert_eq!(
        begun.steps,
        [
            "Starting the manager",
            "Workers: setting the startup script",
            "Workers: uploading code.tar.gz",
            "Workers: starting",
            "Workers: growing to 1 master, 2 node",
        ]
    );
    let first = over(&user, begun).await;
    assert_deployed(&world, &user, &first).await;

    let downloaded: Manifest = user.application_manifest(first.application).await.unwrap();
    let second = deploy(&user, &json!(downloaded)).await;
    assert_eq!(second.state, OperationState::Done, "{:?}", second.error);
    let one = user.application_view(first.application).await.unwrap();
    let two = user.application_view(second.application).await.unwrap();
    assert_eq!(two.name, "Shop (2)");
    assert_eq!(shape(&user, &two).await, shape(&user, &one).await);
    let again = user.application_manifest(two.id).await.unwrap();
    assert_eq!(again.services, downloaded.services);
}

#[tokio::test]
async fn volumes_come_back_to_the_same_places_before_the_code() {
    let world = World::new().await;
    let user = world.login("test").await;
    let first = deploy(&user, &with_volume()).await;
    assert_done(&first);
    assert_eq!(
        first.steps[2..],
        [
            "Workers: starting",
            "Workers: growing to 1 master, 2 node",
            "Workers: volume data of 1500 MB for node 2",
            "Workers: uploading code.tar.gz",
        ]
    );
    let downloaded = user.application_manifest(first.application).await.unwrap();
    let volume = &downloaded.services[0].volumes[0];
    assert_eq!((volume.name.as_str(), volume.size, volume.node), ("data", 1500, Some(2)));
    let second = deploy(&user, &json!(downloaded)).await;
    assert_done(&second);
    let one = user.application_view(first.application).await.unwrap();
    let two = user.application_view(second.application).await.unwrap();
    assert_eq!(shape(&user, &two).await, shape(&user, &one).await);
    assert!(shape(&user, &one).await.contains(&"data 1500 of node 2".to_owned()));
}

#[tokio::test]
async fn administrators_register_manifests_for_everybody() {
    let world = World::new().await;
    let (user, administrator) = (world.login("test").await, world.login("admin").await);
    let shop = json!({ "Description": "A shop", "Services": [{ "Type": "generic" }] });
    administrator.manifest_register("shop", &manifest()).await.unwrap();
    let kept = administrator.manifest_register("shop", &shop).await.unwrap();
    assert_eq!((kept.description.as_str(), kept.registered), ("A shop", true));
    let listed = user.manifest_list().await.unwrap();
    assert_eq!(listed.last(), Some(&kept));
    assert!(listed.iter().any(|one| one.name == "generic" && !one.registered));

    let (code, _) = refusal(user.manifest_register("mine", &shop).await);
    assert_eq!(code, ErrorCode::Forbidden);
    for (name, manifest) in [("generic", &shop), ("a b", &shop), ("bad", &json!({}))] {
        let (code, _) = refusal(administrator.manifest_register(name, manifest).await);
        assert_eq!(code, ErrorCode::InvalidRequest, "{name}");
    }
    administrator.manifest_unregister("shop").await.unwrap();
    let again = refusal(administrator.manifest_unregister("shop").await);
    assert_eq!(again.0, ErrorCode::NotFound);
    assert_eq!(user.manifest_list().await.unwrap().len(), listed.len() - 1);
}

#[tokio::test]
async fn a_deployment_is_nobody_elses() {
    let world = World::new().await;
    let user = world.login("test").await;
    let deployment = deploy(&user, &json!({ "Services": [] })).await;
    assert_eq!((deployment.state, world.cloud.count()), (OperationState::Done, 0));
    let other = world.login("other").await;
    assert_eq!(refusal(other.deployment_view(deployment.id).await).0, ErrorCode::NotFound);
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_anything_is_made() {
    let world = World::new().await;
    let user = world.login("test").await;
    let wrong = json!({ "Services": [{ "Type": "hadoop" }, { "Type": "generic", "Start": 7 }] });
    let (code, message) = refusal(user.manifest_deploy(&wrong, None).await);
    assert_eq!(code, ErrorCode::InvalidRequest);
    assert!(message.contains("Services[0].Type: `hadoop` services are not in this"), "{message}");
    assert!(message.contains("; Services[1].Start: it is neither 0 nor 1"), "{message}");
    let dear = json!({ "Services": [
        { "Type": "generic", "Start": 1, "StartupInstances": { "node": CREDITS } },
    ] });
    let refused = refusal(user.manifest_deploy(&dear, None).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    assert_eq!(
        refusal(user.manifest_deploy(&manifest(), Some("mars")).await).0,
        ErrorCode::NotFound
    );
    assert!(user.application_list().await.unwrap().is_empty());
    assert_eq!(kept_files(&world), 0);
}

#[tokio::test]
async fn files_are_fetched_before_anything_runs() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/code.tar.gz", get(async || "the code"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = World::new().await;
    let user = world.login("test").await;

    let mut fetched = manifest();
    fetched["Services"][0]["Archive"] = json!(format!("{server}/missing.tar.gz?key=secret"));
    let failed = deploy(&user, &fetched).await;
    assert_eq!(failed.steps[0], format!("Fetching {server}/missing.tar.gz"));
    let error = failed.error.clone().unwrap();
    assert_eq!(error.message, format!("{server}/missing.tar.gz answers 404 Not Found"));
    assert_nothing_made(&world, &user, &failed).await;
    assert_eq!(credits(&user).await, CREDITS, "no server was made");

    fetched["Services"][0]["Archive"] = json!(format!("{server}/code.tar.gz"));
    let deployment = deploy(&user, &fetched).await;
    assert_deployed(&world, &user, &deployment).await;
}

/// Counts how often a step of a deployment was done, and has a say at one of them.
fn at_step(nth: usize, say: impl Fn() -> Result<u32, Error> + Send + Sync + 'static) -> Overseer {
    let seen = AtomicUsize::new(0);
    Overseer(Arc::new(move |kind, step| {
        if (kind, step) != (KIND, "deploy") || seen.fetch_add(1, Ordering::Relaxed) != nth {
            return Ok(0);
        }
        say()
    }))
}

#[tokio::test]
async fn whatever_step_fails_nothing_is_left() {
    for nth in 0..6 {
        let overseer = at_step(nth, || Err(Error::Cancelled));
        let world = World::with(|tuning| tuning.overseer = Some(overseer)).await;
        let user = world.login("test").await;
        let failed = deploy(&user, &with_volume()).await;
        assert_eq!(failed.done, nth);
        assert_nothing_made(&world, &user, &failed).await;
    }
}

#[tokio::test]
async fn whatever_server_the_cloud_refuses_nothing_is_left() {
    for servers in 0..4 {
        let world = World::new().await;
        let user = world.login("test").await;
        world.cloud.fail_after(servers);
        let failed = deploy(&user, &manifest()).await;
        let error = failed.error.as_ref().unwrap();
        assert!(error.message.contains("no free public address"), "{error:?}");
        assert_nothing_made(&world, &user, &failed).await;
    }
}

#[tokio::test]
async fn a_step_that_is_done_twice_is_done_once() {
    let overseer = Overseer(Arc::new(|kind, _| Ok(u32::from(kind == KIND))));
    let world = World::with(|tuning| tuning.overseer = Some(overseer)).await;
    let user = world.login("test").await;
    let deployment = deploy(&user, &with_volume()).await;
    assert_done(&deployment);
    assert_eq!(world.cloud.volumes().len(), 1);
}

#[tokio::test]
async fn a_deployment_goes_on_whatever_step_the_director_was_killed_at() {
    for nth in 0..6 {
        let mut world = World::new().await;
        let (reached, mut wait) = tokio::sync::mpsc::unbounded_channel();
        let hold = at_step(nth, move || {
            let _ = reached.send(());
            Ok(0)
        });
        world.restart_overseen(Some(hold)).await;
        let user = world.login("test").await;
        let begun = user.manifest_deploy(&with_volume(), None).await.unwrap();
        wait.recv().await.unwrap();
        world.restart_overseen(None).await;
        assert_done(&over(&user, begun).await);
        assert_eq!((world.cloud.volumes().len(), kept_files(&world)), (1, 0));
    }
}

#[tokio::test]
async fn a_user_who_changes_their_mind_ends_a_deployment() {
    let world = World::new().await;
    let user = world.login("test").await;
    world.cloud.boot(super::cloud::Boot::Silent);
    let begun = user.manifest_deploy(&manifest(), None).await.unwrap();
    world.cloud.await_count(1).await;
    user.application_delete(begun.application).await.unwrap();
    let ended = over(&user, begun).await;
    assert_nothing_made(&world, &user, &ended).await;
}

#[tokio::test]
async fn files_that_no_deployment_knows_are_removed_at_a_start() {
    let mut world = World::new().await;
    let stray = world.app().deployments.join("stray");
    std::fs::create_dir_all(&stray).unwrap();
    std::fs::write(stray.join("0"), "left by a crash").unwrap();
    world.restart().await;
    assert!(!stray.exists());
}
