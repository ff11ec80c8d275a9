//! Things go wrong when they are told to, in the words of each API; time passes as it is told to.

use std::time::Duration;

use fake_cloud::control::{ControlError, Effect, NewFault, StepWanted, Supply, Transitions};
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, Stack, http};

const SERVERS: &str = "/compute/v2.1/servers";

fn times(count: u64, at: &str, effect: Effect) -> NewFault {
    NewFault { times: Some(count), ..NewFault::new(at, effect) }
}

fn after(status: u16) -> Effect {
    Effect::Error { status, code: None, message: None, after: true }
}

fn all() -> StepWanted {
    StepWanted { count: None, id: None, step: None }
}

async fn server_count(client: &Client) -> usize {
    client.get(SERVERS).await["servers"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_operation_fails_as_often_as_it_should_in_its_own_words() {
    let stack = Stack::start().await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    control.inject(times(2, "compute:servers.list", Effect::error(503))).unwrap();
    let message = Some("Out of luck".to_owned());
    let code = Some("BadLuck".to_owned());
    let worded = Effect::Error { status: 409, code, message, after: false };
    control.inject(times(1, "network:networks.list", worded)).unwrap();

    assert_eq!(stack.with_token("junk").status(Method::GET, SERVERS).await, 401);
    for _ in 0..2 {
        let (status, answer) = ada.refusal(Method::GET, SERVERS).await;
        assert_eq!((status, &answer["serviceUnavailable"]["code"]), (503, &json!(503)));
    }
    assert_eq!(server_count(&ada).await, 0, "only two were to fail");
    let (status, answer) = ada.refusal(Method::GET, "/network/v2.0/networks").await;
    let expected = json!({"type": "BadLuck", "message": "Out of luck", "detail": ""});
    assert_eq!((status, &answer["NeutronError"]), (409, &expected));
    let faults = control.overview().faults;
    assert_eq!(faults.iter().map(|fault| fault.struck).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn an_operation_can_be_done_although_nobody_is_told() {
    let stack = Stack::start().await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    let server = ada.wanted("unlucky", json!({})).await;
    control.inject(times(1, "compute:servers.create", after(500))).unwrap();
    assert_eq!(ada.post(SERVERS, server.clone()).await.0, 500);
    assert_eq!(server_count(&ada).await, 1);
    for (after, count) in [(true, 2), (false, 2)] {
        control.inject(times(1, "compute:servers.create", Effect::Drop { after })).unwrap();
        let answer = ada.request(Method::POST, SERVERS).json(&server).send().await;
        let error = answer.expect_err("the connection closes");
        assert!(error.is_request() && !error.is_connect(), "{error:?}");
        assert_eq!(server_count(&ada).await, count, "{after}");
    }
}

#[tokio::test]
async fn a_step_fails_or_hangs_until_that_is_cleared() {
    let stack = Stack::start_with(|settings| settings.patience = Duration::ZERO).await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    let message = Some("No valid host was found.".to_owned());
    control.inject(times(1, "server.spawning", Effect::Fail { message })).unwrap();
    let failed = ada.create_server("failed").await;
    control.settled().await;
    let failed = ada.server(&failed).await;
    assert_eq!(failed["status"], "ERROR");
    assert_eq!(failed["fault"]["message"], "No valid host was found.");

    let hang = control.inject(times(1, "server.spawning", Effect::Hang)).unwrap();
    let stuck = ada.create_server("stuck").await;
    control.settled().await;
    assert_eq!(ada.server(&stuck).await["status"], "BUILD");
    assert_eq!(control.step(&all()), [], "it is no matter of time");
    control.remove(hang.id).unwrap();
    control.settled().await;
    assert_eq!(ada.server(&stuck).await["status"], "ACTIVE");
}

#[tokio::test]
async fn work_waits_to_be_stepped_or_for_its_time() {
    let stack = Stack::start_with(|settings| {
        settings.transitions = Transitions::Manual;
        settings.patience = Duration::ZERO;
    })
    .await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    let id = ada.create_server("slow").await;
    control.settled().await;
    let status = async || ada.server(&id).await["status"].clone();
    assert_eq!(status().await, "BUILD");
    let stepped = control.step(&all());
    assert_eq!(stepped.len(), 1);
    assert_eq!(
        (stepped[0].step.as_str(), stepped[0].id.to_string()),
        ("server.spawning", id.clone())
    );
    control.settled().await;
    assert_eq!(status().await, "ACTIVE");

    control.set_transitions(Transitions::timed()).unwrap();
    ada.act(&id, json!({"os-stop": null})).await;
    assert_eq!(ada.server(&id).await["OS-EXT-STS:task_state"], "powering-off");
    control.advance_clock(Duration::from_secs(5));
    control.settled().await;
    assert_eq!(status().await, "SHUTOFF");

    control.set_transitions(Transitions::Manual).unwrap();
    let doomed = ada.create_server("doomed").await;
    control.settled().await;
    assert_eq!(ada.delete(&format!("{SERVERS}/{doomed}")).await, 204);
    control.settled().await;
    control.step(&all());
    control.settled().await;
    assert_eq!(ada.status(Method::GET, &format!("{SERVERS}/{doomed}")).await, 404);
    assert_eq!(control.overview().pending, []);
}

#[tokio::test]
async fn pools_and_quotas_are_exhausted_until_that_is_cleared() {
    let stack = Stack::start().await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    control.exhaust(&Supply::Pool("public".to_owned())).unwrap();
    control.exhaust(&Supply::Quota("instances".to_owned())).unwrap();
    let external = ada.get("/network/v2.0/networks?router:external=True").await;
    let floating = json!({"floatingip": {"floating_network_id": external["networks"][0]["id"]}});
    let (status, answer) = ada.post("/network/v2.0/floatingips", floating.clone()).await;
    assert_eq!(
        (status, &answer["NeutronError"]["type"]),
        (409, &json!("IpAddressGenerationFailure"))
    );
    let server = ada.wanted("one-too-many", json!({})).await;
    let (status, answer) = ada.post(SERVERS, server.clone()).await;
    assert_eq!(status, 403);
    assert!(answer["forbidden"]["message"].as_str().unwrap().starts_with("Quota exceeded"));
    control.clear().await;
    assert_eq!(ada.post("/network/v2.0/floatingips", floating).await.0, 201);
    assert_eq!(ada.post(SERVERS, server).await.0, 202);
}

#[tokio::test]
async fn a_server_dies_and_is_cut_off() {
    let stack = Stack::start().await;
    let (ada, control) = (stack.ada().await, stack.cloud.control());
    let id = ada.create_server("web").await;
    control.cut_off("web").await.unwrap();
    assert_eq!(control.overview().cut_off[0].to_string(), id);
    control.rejoin(&id).await.unwrap();
    assert!(control.overview().cut_off.is_empty());
    control.kill("web").await.unwrap();
    assert_eq!(ada.server(&id).await["status"], "SHUTOFF");
    assert!(matches!(control.kill("db").await, Err(ControlError::Missing { .. })));
}

#[tokio::test]
async fn what_can_never_happen_is_refused() {
    let stack = Stack::start().await;
    let control = stack.cloud.control();
    let refused = |fault: NewFault| control.inject(fault).unwrap_err().to_string();
    assert!(refused(NewFault::new("compute:server.create", Effect::error(500))).contains("points"));
    assert!(refused(NewFault::new("server.spawning", Effect::error(500))).contains("no answer"));
    assert!(refused(NewFault::new("ec2:RunInstances", Effect::Hang)).contains("can answer"));
    assert!(refused(NewFault::new("*", Effect::error(200))).contains("400 and 599"));
    let percent = NewFault { percent: Some(101.0), ..NewFault::new("*", Effect::error(500)) };
    assert!(refused(percent).contains("percent"));
    let seconds = [("server.spawn".to_owned(), 1.0)].into();
    assert!(control.set_transitions(Transitions::Timed { seconds }).is_err());
    assert!(control.exhaust(&Supply::Quota("luck".to_owned())).is_err());
}

#[tokio::test]
async fn steering_is_for_who_has_its_token() {
    let stack = Stack::start().await;
    let access = stack.cloud.control_access();
    let ask = |token: String| http().get(&access.url).bearer_auth(token).send();
    assert_eq!(ask(stack.admin().await.token).await.unwrap().status(), 401);
    let overview: serde_json::Value =
        ask(access.token.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(overview["transitions"]["mode"], "immediate");
    let fault = json!({"at": "identity:*", "effect": {"error": {"status": 429}}, "percent": 100});
    let faults = format!("{}/faults", access.url);
    let post = |body: serde_json::Value| {
        http().post(&faults).bearer_auth(&access.token).json(&body).send()
    };
    assert_eq!(post(fault).await.unwrap().status(), 200);
    assert_eq!(stack.ask_token("ada", "lovelace", None).await.status(), 429);
    assert_eq!(post(json!({"at": "x", "effect": "hang"})).await.unwrap().status(), 404);
    assert_eq!(post(json!({"at": "x"})).await.unwrap().status(), 400);
    let cleared = http().delete(&access.url).bearer_auth(&access.token).send().await.unwrap();
    assert_eq!(cleared.status(), 200);
    assert_eq!(stack.ask_token("ada", "lovelace", None).await.status(), 201);
}

#[tokio::test]
async fn a_console_and_what_a_server_uses_can_be_looked_at() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    ada.create_server("vm").await;
    let access = stack.cloud.control_access();
    let get = async |path: &str| {
        let request = http().get(format!("{}/servers/{path}", access.url));
        let answer = request.bearer_auth(&access.token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // Servers that exist in the API only print nothing, and never will.
    for path in ["vm/console", "vm/console?lines=3", "vm/console?follow"] {
        assert_eq!(get(path).await, (200, String::new()), "{path}");
    }
    assert_eq!(get("vm/console?lines=x").await.0, 400);
    assert_eq!(get("other/console?follow").await.0, 404);
    let (status, usage) = get("vm/usage").await;
    assert_eq!((status, usage.contains(r#""memory_bytes":null"#)), (200, true), "{usage}");
}
