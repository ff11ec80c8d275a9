//! Other people's tools: the real `openstack` command against the stack's cloud.

use std::collections::BTreeMap;

use integration::stack::Output;
use integration::{Stack, executable};
use serde_json::Value;

struct Client<'a> {
    stack: &'a Stack,
    environment: BTreeMap<String, String>,
    program: std::path::PathBuf,
}

impl<'a> Client<'a> {
    fn of(stack: &'a Stack) -> Self {
        let program = executable::openstack()
            .expect("the `openstack` command is needed: `integration/check` installs it");
        Self { stack, environment: stack.environment(), program }
    }

    fn run(&self, line: &str) -> Output {
        let arguments = line.split_whitespace();
        Output::of(self.stack.program(&self.program).args(arguments).envs(&self.environment))
    }

    fn json(&self, line: &str) -> Value {
        let text = self.run(&format!("{line} -f json")).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    fn names(&self, line: &str) -> Vec<String> {
        let list = self.json(line);
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["Name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn the_platform_s_servers_are_seen_by_the_openstack_command() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let address = crate::story::nodes(&stack, "1")[0].1.to_string();
    let client = Client::of(&stack);

    assert!(client.json("token issue")["id"].as_str().unwrap().len() >= 32);
    let servers = client.json("server list");
    let servers = servers.as_array().unwrap();
    assert_eq!(servers.len(), 2, "a manager and an agent: {servers:#?}");
    let agent = servers.iter().find(|row| row["Networks"].to_string().contains(&address)).unwrap();
    assert_eq!(agent["Status"], "ACTIVE");
    let name = agent["Name"].as_str().unwrap();
    let shown = client.json(&format!("server show {name}"));
    assert_eq!(shown["id"], agent["ID"]);
    assert_eq!(shown["OS-EXT-STS:vm_state"], "active");
    let console = client.run(&format!("console log show {name}")).ok();
    assert!(console.contains("user-data"), "{console}");
    let floating = client.json("floating ip list");
    let floating = floating.as_array().unwrap();
    assert!(floating.iter().any(|row| row["Floating IP Address"] == address), "{floating:#?}");
    assert!(!client.names("flavor list").is_empty());
    assert!(!client.names("image list").is_empty());
}

#[test]
fn a_server_made_by_the_openstack_command_lives_and_goes() {
    let stack = Stack::up();
    let client = Client::of(&stack);
    let image = client.names("image list").remove(0);
    let flavor = client.names("flavor list").remove(0);
    let script = stack.file("user-data.sh", b"#!/bin/sh\necho greetings from $(hostname)\n");
    let created = client.json(&format!(
        "server create vm1 --image {image} --flavor {flavor} --network private --user-data {script} --wait"
    ));
    assert_eq!(created["status"], "ACTIVE");
    let console = integration::wait_for(
        "the output of user-data",
        std::time::Duration::from_secs(10),
        || {
            let text = client.run("console log show vm1").ok();
            if text.contains("greetings from vm1") { Ok(text) } else { Err(text) }
        },
    );
    assert!(console.contains("greetings from vm1"));
    let address = client.json("floating ip create public")["floating_ip_address"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = client.run(&format!("server add floating ip vm1 {address}")).ok();
    assert!(client.json("server show vm1")["addresses"].to_string().contains(&address));
    let _ = client.run(&format!("server remove floating ip vm1 {address}")).ok();
    let _ = client.run(&format!("floating ip delete {address}")).ok();
    let _ = client.run("server delete vm1 --wait").ok();
    assert!(client.names("server list").is_empty());
    let refused = client.run("server show vm1").failed();
    assert!(refused.contains("No Server found for vm1"), "{refused}");
}
