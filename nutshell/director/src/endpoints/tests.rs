//! Ratchets over the table of endpoints: whatever is added is described, and nobody gets in who
//! should not.

use std::collections::BTreeSet;

use axum::http::Method;
use protocol::api::{Login, NodesAdd};
use protocol::error::ErrorBody;
use protocol::{ErrorCode, Identity};
use serde_json::{Value, json};

use super::registry::{Endpoint, Role, Verb};
use super::{api, openapi};
use crate::tests::World;
use crate::tests::cloud::Boot;
use crate::tests::vm;
use crate::tests::world::{PASSWORD, running_service};

/// Endpoints that anybody may call: this list may only shrink.
const PUBLIC: [&str; 6] =
    ["healthz", "version", "openapi", "executable_download", "login", "vm_certificate"];

#[test]
fn the_document_of_the_api_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let mut text = serde_json::to_string_pretty(&openapi::document(api().endpoints())).unwrap();
    text.push('\n');
    if std::env::var_os("DIRECTOR_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "openapi.json is not what the endpoints are: run this test with DIRECTOR_BLESS=1"
    );
}

#[test]
fn every_operation_has_one_name_and_one_place() {
    let api = api();
    let names: BTreeSet<_> = api.endpoints().iter().map(|endpoint| endpoint.operation).collect();
    assert_eq!(names.len(), api.endpoints().len());
    for endpoint in api.endpoints() {
        let reads = endpoint.verb == Verb::Get;
        assert!(!(reads && endpoint.input.is_some()), "{}", endpoint.operation);
        assert!(endpoint.summary.ends_with(['.', '?', ')']), "{}", endpoint.operation);
    }
}

#[test]
fn the_public_endpoints_are_those_we_know_of() {
    let api = api();
    let public: BTreeSet<&str> = api
        .endpoints()
        .iter()
        .filter(|endpoint| endpoint.role == Role::Public)
        .map(|endpoint| endpoint.operation)
        .collect();
    assert_eq!(public, BTreeSet::from(PUBLIC));
}

/// Sends what the endpoint takes, on objects of the user `test`; the status of the answer.
macro_rules! status {
    ($client:expr, $world:expr, $endpoint:expr, $token:expr) => {{
        let (url, endpoint, token): (String, &Endpoint, Option<&str>) =
            ($world.url(), $endpoint, $token);
        let path = endpoint.path.replace("{id}", "1").replace("{method}", method(endpoint.verb));
        let verb = Method::from_bytes(endpoint.verb.as_str().to_uppercase().as_bytes()).unwrap();
        let mut request = $client.request(verb, format!("{url}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if endpoint.verb != Verb::Get {
            request = request.json(&body(endpoint.operation));
        }
        request.send().await.unwrap().status().as_u16()
    }};
}

/// A method of generic services that is called by the verb.
fn method(verb: Verb) -> &'static str {
    if verb == Verb::Get { "get_script_status" } else { "run" }
}

/// A body that the endpoint understands.
fn body(operation: &str) -> Value {
    match operation {
        "application_rename" | "service_rename" => json!({ "name": "another" }),
        "service_add_nodes" | "service_remove_nodes" => json!({ "nodes": { "node": 1 } }),
        _ => json!({}),
    }
}

async fn token(world: &World, username: &str) -> String {
    let login = Login { username: username.to_owned(), password: PASSWORD.to_owned() };
    world.anonymous().login(&login).await.unwrap().token
}

#[tokio::test]
async fn nobody_gets_in_without_credentials_or_with_worthless_ones() {
    let world = World::new().await;
    let client = world.trust().client(Identity::Director, None).unwrap();
    for endpoint in api().endpoints().iter().filter(|endpoint| endpoint.role != Role::Public) {
        for token in [None, Some("worthless")] {
            let status = status!(client, world, endpoint, token);
            assert_eq!(status, 401, "{} with {token:?}", endpoint.operation);
        }
    }
}

#[tokio::test]
async fn users_reach_neither_others_objects_nor_what_is_for_vms_or_administrators() {
    let world = World::new().await;
    let service = running_service(&world.login("test").await).await;
    assert_eq!((service.id.0, service.application.0), (1, 1));
    let other = token(&world, "other").await;
    let client = world.trust().client(Identity::Director, None).unwrap();
    for endpoint in api().endpoints() {
        let expected = match endpoint.role {
            Role::Public => continue,
            Role::User if endpoint.path.contains("{id}") => 404,
            Role::User => continue,
            Role::Administrator => 403,
            Role::Manager | Role::Vm => 401,
        };
        let status = status!(client, world, endpoint, Some(other.as_str()));
        assert_eq!(status, expected, "{}", endpoint.operation);
    }
    let administrator = token(&world, "admin").await;
    for endpoint in api().endpoints().iter().filter(|one| one.role == Role::Administrator) {
        let status = status!(client, world, endpoint, Some(administrator.as_str()));
        assert_eq!(status, 200, "{}", endpoint.operation);
    }
}

#[tokio::test]
async fn a_certificate_opens_what_is_for_its_holder_and_nothing_else() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.cloud.boot(Boot::Silent);
    let add = NodesAdd { nodes: [("node".to_owned(), 1)].into(), cloud: None };
    user.service_add_nodes(service.id, &add).await.unwrap();
    world.cloud.await_count(3).await;
    let agent = vm::join(&world.cloud.boots().pop().unwrap()).await.unwrap();
    let client = agent.client_of(Identity::Director).unwrap();
    for endpoint in api().endpoints() {
        let expected = match endpoint.role {
            Role::Public | Role::Vm => continue,
            Role::User | Role::Administrator => 401,
            Role::Manager => 403,
        };
        let status = status!(client, world, endpoint, None);
        assert_eq!(status, expected, "{}", endpoint.operation);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_told_in_the_form_of_the_api() {
    let world = World::new().await;
    let client = world.trust().client(Identity::Director, None).unwrap();
    for (verb, path, status, message) in [
        (Method::GET, "/v1/nonsense", 404, "there is no GET /v1/nonsense in this API"),
        (Method::PUT, "/v1/login", 404, "there is no PUT /v1/login in this API"),
    ] {
        let answer = client.request(verb, format!("{}{path}", world.url())).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.json::<ErrorBody>().await.unwrap().error.message, message);
    }
    let token = token(&world, "test").await;
    let url = format!("{}/v1/services/abc", world.url());
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.json::<ErrorBody>().await.unwrap().error.code, ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn anybody_may_ask_which_director_it_is_and_fetch_the_executable() {
    let world = World::new().await;
    let version = world.anonymous().version().await.unwrap();
    assert_eq!(version["installation"], "test-world");
    let client = world.trust().client(Identity::Director, None).unwrap();
    let answer = client.get(format!("{}/download/nutshell", world.url())).send().await.unwrap();
    let executable = answer.bytes().await.unwrap();
    assert!(executable == std::fs::read("/proc/self/exe").unwrap(), "it comes as it is");
    let answer = client.get(format!("{}/openapi.json", world.url())).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["openapi"], "3.1.0");
}
