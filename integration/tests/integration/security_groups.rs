//! Who reaches whom: the director has the cloud let in what a service offers, and what its own
//! application's nodes say to each other.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use integration::archive::tar_gz;
use integration::stack::Output;
use integration::{Stack, executable, wait_for};
use protocol::api::Node;
use protocol::{AGENT_PORT, MANAGER_PORT, ServiceId};

use crate::story::{answers, deploy, nodes};

/// Serves a page, and says which of its parameters, addresses of agents, it can connect to.
const RUN: &str = r#"#!/bin/bash
for address in "$@"; do
    if timeout 5 bash -c "exec 3<>/dev/tcp/$address/5555"; then echo "$address: in"; else echo "$address: out"; fi
done
echo over
"#;

/// Whether somebody answers there: whoever speaks TLS says at once that this is none.
fn is_answered(address: impl Into<SocketAddr>) -> bool {
    let Ok(mut stream) = TcpStream::connect(address.into()) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = [0];
    stream.write_all(b"is anybody there?\r\n").is_ok()
        && stream.read(&mut answer).is_ok_and(|length| length > 0)
}

async fn node(stack: &Stack, service: i64) -> Node {
    let director = stack.director().await.client;
    director.service_nodes(ServiceId(service)).await.unwrap().nodes.remove(0)
}

#[tokio::test]
async fn a_floating_address_answers_where_its_service_says_and_nowhere_else() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    for service in ["1", "2"] {
        let _ = stack.cps(&["service", "start", service]).ok();
    }
    deploy(&stack, "1");
    let _ = stack.cps(&["generic", "run", "1"]).ok();
    answers(nodes(&stack, "1")[0].1);
    for service in [1, 2] {
        let Node { public_ip, private_ip, .. } = node(&stack, service).await;
        assert!(is_answered((private_ip.unwrap(), AGENT_PORT)), "the agent listens");
        assert!(!is_answered((public_ip.unwrap(), AGENT_PORT)), "but not for everyone");
    }
    let director = stack.director().await.client;
    let manager: Ipv4Addr = director.application_list().await.unwrap()[0].manager.unwrap();
    assert!(is_answered((manager, MANAGER_PORT)), "whoever has a certificate may call it");
}

#[tokio::test]
async fn nodes_reach_those_of_their_own_application_only() {
    let stack = Stack::up();
    for name in ["own", "other"] {
        let _ = stack.cps(&["application", "create", name]).ok();
    }
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    let _ = stack.cps(&["service", "create", "helloworld", "--application", "2"]).ok();
    for service in ["1", "2", "3"] {
        let _ = stack.cps(&["service", "start", service]).ok();
    }
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", RUN)]));
    stack.activate_code("generic", "1", &archive);
    let (one, own, other) = (node(&stack, 1).await, node(&stack, 2).await, node(&stack, 3).await);
    assert_eq!(one.application, own.application);
    assert_ne!(one.application, other.application);
    let (own, other) = (own.private_ip.unwrap(), other.private_ip.unwrap());
    let _ = stack.cps(&["generic", "run", "1", &own.to_string(), &other.to_string()]).ok();
    let id = one.id.to_string();
    let said = wait_for("the end of run.sh", Duration::from_secs(20), || {
        let said = stack.cps(&["generic", "get-agent-log", "1", &id, "-f", "agent.out"]).ok();
        if said.contains("over") { Ok(said) } else { Err(said) }
    });
    assert!(said.contains(&format!("{own}: in")), "{said}");
    assert!(said.contains(&format!("{other}: out")), "{said}");
}

#[test]
fn groups_come_and_go_with_what_they_guard() {
    let stack = Stack::up();
    let environment = stack.environment();
    let openstack = executable::openstack()
        .expect("the `openstack` command is needed: `integration/check` installs it");
    let groups = || {
        let list = ["security", "group", "list", "-f", "value", "-c", "Name"];
        let names = Output::of(stack.program(&openstack).args(list).envs(&environment)).ok();
        names.lines().filter(|name| *name != "default").count()
    };
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    assert_eq!(groups(), 3, "the application's, the managers', Hello World's");
    let _ = stack.cps(&["application", "stop", "1"]).ok();
    assert_eq!(groups(), 0);
}
