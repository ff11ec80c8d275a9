//! Who may call, and what may be called.

use protocol::client::AgentClient;
use protocol::{AGENT_PORT, ApplicationId, ErrorCode, Identity, NodeId, ServiceId};
use serde_json::json;

use crate::world::{APPLICATION, SERVICE, World, refusal};

#[tokio::test]
async fn a_manager_listens_to_the_director_alone() {
    let world = World::new("generic").await;
    let agent = Identity::Agent { application: APPLICATION, service: SERVICE, node: NodeId(2) };
    for caller in [
        agent,
        Identity::Manager { application: APPLICATION },
        Identity::Manager { application: ApplicationId(2) },
    ] {
        let refused = world.client_of(caller).check_process().await.unwrap_err();
        assert_eq!(refusal(refused).code, ErrorCode::Forbidden, "{caller}");
    }
    assert!(!world.client.check_process().await.unwrap().version.is_empty());
}

#[tokio::test]
async fn an_agent_listens_to_its_manager_alone() {
    let world = World::new("helloworld").await;
    world.startup().await;
    let node = world.nodes().remove(0);
    let callee = Identity::Agent { application: APPLICATION, service: SERVICE, node: node.id };
    let url = format!("https://{}:{AGENT_PORT}", node.address().unwrap());
    let call = async |caller| {
        let authority = &world.director.authority;
        let holder = authority.holder(caller);
        let client = authority.trust().client(callee, Some(holder)).unwrap();
        AgentClient::new(client, &url).check_agent_process().await
    };
    for caller in [Identity::Director, callee, Identity::Manager { application: ApplicationId(2) }]
    {
        let refused = refusal(call(caller).await.unwrap_err());
        assert_eq!(refused.code, ErrorCode::Forbidden, "{caller}");
    }
    call(Identity::Manager { application: APPLICATION }).await.unwrap();
    let anonymous = world.director.authority.trust().client(callee, None).unwrap();
    assert!(AgentClient::new(anonymous, &url).check_agent_process().await.is_err());
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let world = World::new("generic").await;
    let unknown = world.client.shutdown(ServiceId(99)).await.unwrap_err();
    assert_eq!(refusal(unknown).message, "there is no service 99");
    let method = world.command("load_dump", json!({})).await.unwrap_err();
    assert_eq!(method.message, "a generic service has no method `load_dump`");
    let verb = world.query("run").await.unwrap_err();
    assert_eq!(verb.message, "`run` is called by POST");
    let early = world.command("run", json!({})).await.unwrap_err();
    assert_eq!(early.message, "Service 7 is INIT: `run` is possible only when it is RUNNING");
    let odd = world.command("enable_code", json!({ "code_version": "../x" })).await.unwrap_err();
    assert_eq!(odd.code, ErrorCode::InvalidRequest);
}
