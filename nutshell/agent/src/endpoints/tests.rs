//! The API without a network, over an agent half that says what it was asked.

use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use protocol::{ApplicationId, NodeId, ServiceId};
use serde_json::json;
use services::manager_half::Content;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;

struct Echo(TempDir);

#[async_trait::async_trait]
impl AgentHalf for Echo {
    async fn query(&self, method: &str, parameters: Value) -> Result<Value, ServiceError> {
        Ok(json!(["query", method, parameters]))
    }

    async fn command(&self, method: &str, parameters: Value) -> Result<Value, ServiceError> {
        Ok(json!(["command", method, parameters]))
    }

    async fn upload(
        &self,
        method: &str,
        parameters: Value,
        content: Content,
    ) -> Result<Value, ServiceError> {
        let content: Vec<_> = content.try_collect().await.unwrap();
        Ok(json!(["upload", method, parameters, content.concat().len()]))
    }

    fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("agent.out", self.0.path().join("out"))]
    }
}

const MANAGER: Identity = Identity::Manager { application: ApplicationId(1) };
const AGENT: Identity =
    Identity::Agent { application: ApplicationId(1), service: ServiceId(3), node: NodeId(9) };

async fn call(caller: Option<Identity>, request: HttpRequest<Body>) -> (StatusCode, Value) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("out"), "one\ntwo\n").unwrap();
    std::fs::write(directory.path().join("log"), "of the agent\n").unwrap();
    let log_file = directory.path().join("log");
    let meter = Meter::start(directory.path(), directory.path(), || ());
    let agent = Agent { identity: AGENT, half: Arc::new(Echo(directory)), log_file, meter };
    let address = ([127, 0, 0, 1], 1).into();
    let peer = ConnectInfo(Peer { identity: caller, serial: None, address });
    let (mut head, body) = request.into_parts();
    head.extensions.insert(peer);
    let request = HttpRequest::from_parts(head, body);
    let response = router(Arc::new(agent)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), LONGEST_COMMAND).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn get_request(uri: &str) -> HttpRequest<Body> {
    HttpRequest::get(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_path_is_closed_to_all_but_the_manager() {
    let others = [
        None,
        Some(Identity::Director),
        Some(AGENT),
        Some(Identity::Manager { application: ApplicationId(2) }),
    ];
    for uri in ["/v1/check_agent_process", "/v1/get_logs", "/v1/methods/x", "/nothing"] {
        for caller in others {
            let (status, _) = call(caller, get_request(uri)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{uri} {caller:?}");
        }
        let (status, _) = call(Some(MANAGER), get_request(uri)).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{uri}");
    }
}

#[tokio::test]
async fn only_logs_with_a_name_are_read() {
    let (_, own) = call(Some(MANAGER), get_request("/v1/get_logs")).await;
    assert_eq!(own, json!({ "log": "of the agent\n", "available": ["agent.log", "agent.out"] }));
    let (_, tail) = call(Some(MANAGER), get_request("/v1/get_logs?name=agent.out&lines=1")).await;
    assert_eq!(tail["log"], json!("two\n"));
    for name in ["out", "../../../etc/passwd", "%2Fetc%2Fpasswd", "agent.err"] {
        let uri = format!("/v1/get_logs?name={name}");
        let (status, _) = call(Some(MANAGER), get_request(&uri)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn methods_reach_the_half_by_their_kind() {
    let (_, query) = call(Some(MANAGER), get_request("/v1/methods/look?at=this")).await;
    assert_eq!(query, json!(["query", "look", { "at": "this" }]));
    let post = |kind: &str, body: &str| {
        HttpRequest::post("/v1/methods/act?how=fast")
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let (_, command) = call(Some(MANAGER), post("application/json", "{\"a\":1}")).await;
    assert_eq!(command, json!(["command", "act", { "a": 1 }]));
    let (_, upload) = call(Some(MANAGER), post("application/octet-stream", "12345")).await;
    assert_eq!(upload, json!(["upload", "act", { "how": "fast" }, 5]));
    let (status, _) = call(Some(MANAGER), post("application/json", "{")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
