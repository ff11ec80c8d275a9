//! Ratchets over the table of endpoints: whatever is added is described.

use std::collections::BTreeSet;

use axum::http::Method;
use protocol::error::ErrorBody;
use protocol::{ErrorCode, Identity};
use serde_json::Value;

use super::registry::Verb;
use super::{api, openapi};
use crate::tests::World;

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
    let token = world.session("test").await;
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
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers()[name], value, "{name}");
    }
    assert_eq!(answer.json::<Value>().await.unwrap()["openapi"], "3.1.0");
}
