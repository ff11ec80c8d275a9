//! VMs: how they join, what they may do, and when they no longer may.

use protocol::api::State;
use protocol::api::internal::{NodesCreate, NodesDelete, ServiceReport};
use protocol::boot::{BootConfig, BootRole, CertificateRequest};
use protocol::client::VmClient;
use protocol::membership::Membership;
use protocol::{ErrorCode, Identity};

use super::World;
use super::cloud::Boot;
use super::vm;
use super::world::{generic, refusal, running_service, settled};

/// A manager whose test speaks for it: its application has a service, and its token is unused.
pub(super) async fn silent_manager(
    world: &World,
    username: &str,
) -> (BootConfig, protocol::ServiceId) {
    world.cloud.boot(Boot::Silent);
    let user = world.login(username).await;
    let created = user.service_create(&generic()).await.unwrap();
    let application = created.application;
    user.application_await(application, |application| application.manager.is_some()).await.unwrap();
    (world.cloud.boots().pop().unwrap(), created.service.id)
}

pub(super) fn client(membership: &Membership) -> VmClient {
    membership.director().unwrap()
}

pub(super) fn roles(service: protocol::ServiceId, count: usize) -> NodesCreate {
    let roles = vec!["node".to_owned(); count];
    NodesCreate { service, roles, cloud: "default".to_owned(), instance_type: None }
}

#[tokio::test]
async fn a_token_is_good_for_one_certificate_which_can_be_renewed() {
    let world = World::new().await;
    let (boot, _) = silent_manager(&world, "test").await;
    let membership = vm::join(&boot).await.unwrap();
    assert!(vm::join(&boot).await.is_none(), "the token is used up by another key");
    let wrong = BootConfig { token: "0".repeat(64), ..boot.clone() };
    assert!(vm::join(&wrong).await.is_none());

    client(&membership).services_wanted().await.unwrap();
}

#[tokio::test]
async fn the_holder_of_a_known_key_gets_its_certificate_again() {
    let world = World::new().await;
    let (boot, _) = silent_manager(&world, "test").await;
    let anonymous = world.trust().client(Identity::Director, None).unwrap();
    let anonymous = VmClient::new(anonymous, &world.url());
    let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let request = |key: &rcgen::KeyPair, token: Option<&str>| CertificateRequest {
        token: token.map(str::to_owned),
        csr: rcgen::CertificateParams::default().serialize_request(key).unwrap().pem().unwrap(),
    };
    let early = anonymous.certificate(&request(&key, None)).await;
    assert_eq!(refusal(early).0, ErrorCode::Unauthenticated, "nobody knows the key");
    let first = anonymous.certificate(&request(&key, Some(&boot.token))).await.unwrap();
    assert!(first.renew_after_seconds < 24 * 3600);
    // The answer was lost, and much later the certificate is to be renewed.
    for token in [Some(boot.token.as_str()), None] {
        let again = anonymous.certificate(&request(&key, token)).await.unwrap();
        assert_eq!(again.public_ip, first.public_ip);
        assert_ne!(again.certificate, first.certificate);
    }
    for token in [Some(boot.token.as_str()), None] {
        let stolen = anonymous.certificate(&request(&other, token)).await;
        assert_eq!(refusal(stolen).0, ErrorCode::Unauthenticated);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_for_a_while_shuts_no_vm_out() {
    let world = World::new().await;
    let (boot, _) = silent_manager(&world, "test").await;
    let manager = client(&vm::join(&boot).await.unwrap());
    let wrong = time::Duration::days(3);
    world.set_clock(wrong);
    world.app().reconcile_once().await;
    world.set_clock(-wrong);
    manager.services_wanted().await.unwrap();
}

#[tokio::test]
async fn a_malformed_request_does_not_cost_the_token() {
    let world = World::new().await;
    let (boot, _) = silent_manager(&world, "test").await;
    let anonymous = world.trust().client(Identity::Director, None).unwrap();
    let anonymous = VmClient::new(anonymous, &world.url());
    let request = CertificateRequest { token: Some(boot.token.clone()), csr: "no".to_owned() };
    assert_eq!(refusal(anonymous.certificate(&request).await).0, ErrorCode::InvalidRequest);
    assert!(vm::join(&boot).await.is_some());
}

#[tokio::test]
async fn managers_reach_their_own_application_alone() {
    let world = World::new().await;
    let (boot, own) = silent_manager(&world, "test").await;
    let manager = client(&vm::join(&boot).await.unwrap());
    let (other_boot, others) = silent_manager(&world, "other").await;
    let other = client(&vm::join(&other_boot).await.unwrap());

    let wanted = manager.services_wanted().await.unwrap().services;
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].service, own);
    let report = ServiceReport { revision: 1, state: State::Running, reason: None };
    manager.report_service(own, &report).await.unwrap();
    assert_eq!(refusal(manager.report_service(others, &report).await).0, ErrorCode::NotFound);
    let create = roles(others, 1);
    assert_eq!(refusal(manager.create_nodes(&create).await).0, ErrorCode::NotFound);

    world.cloud.boot(Boot::Ready);
    let nodes = other.create_nodes(&roles(others, 2)).await.unwrap().nodes;
    assert_eq!(nodes.len(), 2);
    let ids: Vec<_> = nodes.iter().map(|node| node.id).collect();
    let delete = NodesDelete { nodes: ids.iter().copied().chain([other_boot.node]).collect() };
    manager.delete_nodes(&delete).await.unwrap();
    assert_eq!(other.nodes().await.unwrap().nodes.len(), 2, "others' nodes are not touched");
    assert!(manager.nodes().await.unwrap().nodes.is_empty());

    other.delete_nodes(&delete).await.unwrap();
    assert!(other.nodes().await.unwrap().nodes.is_empty());
    other.delete_nodes(&delete).await.unwrap();
    assert_eq!(world.cloud.count(), 2, "managers do not remove themselves");
}

#[tokio::test]
async fn agents_may_report_and_nothing_else() {
    let world = World::new().await;
    let user = world.login("test").await;
    let service = running_service(&user).await;
    world.cloud.boot(Boot::Silent);
    let add =
        protocol::api::NodesAdd { nodes: [("node".to_owned(), 1)].into(), ..Default::default() };
    user.service_add_nodes(service.id, &add).await.unwrap();
    world.cloud.await_count(3).await;
    let boot = world.cloud.boots().pop().unwrap();
    assert!(matches!(boot.role, BootRole::Agent { .. }));
    let agent = client(&vm::join(&boot).await.unwrap());
    assert_eq!(refusal(agent.nodes().await).0, ErrorCode::Forbidden);
    assert_eq!(refusal(agent.create_nodes(&roles(service.id, 1)).await).0, ErrorCode::Forbidden);
    agent.ready().await.unwrap();
}

#[tokio::test]
async fn a_vm_that_goes_is_refused_at_once_also_when_another_takes_its_name() {
    let world = World::new().await;
    let (boot, service) = silent_manager(&world, "test").await;
    let user = world.login("test").await;
    let first = client(&vm::join(&boot).await.unwrap());
    first.services_wanted().await.unwrap();
    user.application_stop(boot.application).await.unwrap();
    assert_eq!(refusal(first.services_wanted().await).0, ErrorCode::Unauthenticated);
    settled(&user, boot.application).await;

    let started = user.application_start(boot.application, None).await.unwrap();
    user.application_await(started, |application| application.manager.is_some()).await.unwrap();
    let boot = world.cloud.boots().pop().unwrap();
    let second = client(&vm::join(&boot).await.unwrap());
    second.ready().await.unwrap();
    assert_eq!(second.services_wanted().await.unwrap().services[0].service, service);
    assert_eq!(refusal(first.services_wanted().await).0, ErrorCode::Unauthenticated);
    assert_eq!(refusal(first.ready().await).0, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_batch_of_nodes_is_made_in_parallel_or_not_at_all() {
    let world = World::new().await;
    let (boot, service) = silent_manager(&world, "test").await;
    let manager = client(&vm::join(&boot).await.unwrap());
    world.cloud.boot(Boot::Ready);
    world.cloud.fail_after(7);
    let refused = refusal(manager.create_nodes(&roles(service, 20)).await);
    assert_eq!(refused.0, ErrorCode::CloudFailed);
    assert_eq!(world.cloud.count(), 1, "only the manager is left");
    let nodes = manager.create_nodes(&roles(service, 20)).await.unwrap().nodes;
    assert_eq!(nodes.len(), 20);
    assert_eq!(world.cloud.count(), 21);
    let user = world.login("test").await;
    assert_eq!(super::world::credits(&user).await, super::world::CREDITS - 21);
    let refused = refusal(manager.create_nodes(&roles(service, 80)).await);
    assert_eq!(refused.0, ErrorCode::InsufficientCredits);
    assert_eq!(
        refusal(manager.create_nodes(&roles(service, 0)).await).0,
        ErrorCode::InvalidRequest
    );
}
