//! The network `bridge`, in network namespaces that the tests make: nothing leaves them.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use fake_cloud::settings::{BackendKind, Listen, NetworkKind};
use fake_cloud::{FakeCloud, Settings};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::bridge_networks::isolated_network;
use crate::client::{Client, Stack};
use crate::puppet::{PORT, Puppet, ask};
use crate::security_groups::{default_group, fixed_address, group, lead, open};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// How long a packet that should be lost may take to arrive all the same.
pub(crate) const IN_VAIN: Duration = Duration::from_millis(300);

/// Runs a test in a network namespace of its own, with nothing but a loopback interface.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if !enter_new_network() {
            println!("skipped: only root can make network namespaces");
            return;
        }
        // All its threads are made from this one, and so in the namespace.
        tokio::runtime::Runtime::new().unwrap().block_on(test());
    });
    thread.join().unwrap();
}

#[expect(unsafe_code, reason = "the crate has no safe way to leave a namespace")]
fn enter_new_network() -> bool {
    let network = rustix::thread::UnshareFlags::NEWNET;
    // SAFETY: the unsafe case is `UnshareFlags::FILES`.
    let entered = unsafe { rustix::thread::unshare_unsafe(network) }.is_ok();
    if entered {
        ip("link set lo up");
    }
    entered
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// The interfaces of this thread's namespace, without its loopback interface.
fn interfaces() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
    names.filter(|name| name != "lo").collect()
}

/// The rules of this thread's namespace.
fn rules() -> String {
    let output = Command::new("nft").args(["list", "ruleset"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Turns the settings into those of a cloud with a bridge, where this machine is `192.168.N.1`.
fn on_a_bridge(settings: &mut Settings, third: u8) {
    settings.listen = Listen::Address((Ipv4Addr::new(192, 168, third, 1), 0).into());
    settings.fixed_range = format!("10.{third}.0.0/20").parse().unwrap();
    settings.floating_range = format!("192.168.{third}.10-192.168.{third}.99").parse().unwrap();
    settings.backend = BackendKind::Process;
    settings.network = NetworkKind::Bridge { name: "br200".to_owned(), outside: true };
    settings.init_program = env!("CARGO_BIN_EXE_fake-cloud").into();
}

pub(crate) async fn stack(third: u8) -> (Stack, IpAddr) {
    let stack = Stack::start_with(|settings| on_a_bridge(settings, third)).await;
    (stack, IpAddr::V4(Ipv4Addr::new(192, 168, third, 1)))
}

#[test]
fn servers_answer_at_their_addresses_as_their_groups_allow() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let ada = stack.ada().await;
        let (mut one, two) = tokio::join!(
            Puppet::start(&ada, host, "one", json!({})),
            Puppet::start(&ada, host, "two", json!({})),
        );
        let one_at = fixed_address(&ada, &one.id).await;
        let two_at = fixed_address(&ada, &two.id).await;
        let floating = ada.create_floating_ip().await;
        let floating_at = floating["floating_ip_address"].as_str().unwrap();
        lead(&ada, &floating, &two.id).await;

        // The same port on both, and on the machine itself.
        let _own = TcpListener::bind((host, PORT)).unwrap();
        assert_eq!(one.connect(&two_at, PORT).await, format!("you are {one_at}"));
        ask(&two_at, IN_VAIN).await.expect_err("nobody is let in from outside");
        ask(floating_at, IN_VAIN).await.expect_err("nor by the floating IP");
        assert_eq!(one.connect_in_vain(floating_at, PORT).await, "TimeoutError");

        let group = default_group(&ada).await;
        let rule = open(&ada, &group, json!({"remote_ip_prefix": "0.0.0.0/0"})).await;
        assert_eq!(ask(&two_at, LIMIT).await.unwrap(), format!("you are {host}"));
        assert_eq!(ask(&one_at, LIMIT).await.unwrap(), format!("you are {host}"));
        assert_eq!(ask(floating_at, LIMIT).await.unwrap(), format!("you are {host}"));
        assert_eq!(one.connect(floating_at, PORT).await, "you are 192.168.56.2", "translated");

        assert_eq!(ada.delete(&rule).await, 204);
        ask(&two_at, IN_VAIN).await.expect_err("the rule is gone");
        assert_eq!(
            one.connect(&two_at, PORT).await,
            format!("you are {one_at}"),
            "open stays open"
        );
    });
}

#[test]
fn a_floating_ip_moves_at_once_with_its_connections() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let ada = stack.ada().await;
        let group = default_group(&ada).await;
        open(&ada, &group, json!({})).await;
        let (mut one, two) = tokio::join!(
            Puppet::start(&ada, host, "one", json!({})),
            Puppet::start(&ada, host, "two", json!({})),
        );
        let floating = ada.create_floating_ip().await;
        let floating_at = floating["floating_ip_address"].as_str().unwrap();
        lead(&ada, &floating, &one.id).await;
        // Who has a floating IP is seen with it.
        let two_at = fixed_address(&ada, &two.id).await;
        let second = ada.create_floating_ip().await;
        lead(&ada, &second, &two.id).await;
        let second_at = second["floating_ip_address"].as_str().unwrap();
        assert_eq!(one.connect(second_at, PORT).await, format!("you are {floating_at}"));
        assert_ne!(one.connect(&two_at, PORT).await, format!("you are {floating_at}"));

        let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());
        assert_eq!(ada.put(&path, json!({"floatingip": {"port_id": null}})).await.0, 200);
        ask(floating_at, IN_VAIN).await.expect_err("it leads nowhere");
        assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{}", two.id)).await, 204);
        ask(second_at, IN_VAIN).await.expect_err("its server is gone");
        lead(&ada, &second, &one.id).await;
        assert_eq!(ask(second_at, LIMIT).await.unwrap(), format!("you are {host}"));
    });
}

#[test]
fn other_groups_and_false_addresses_stay_out() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let ada = stack.ada().await;
        let other_group = group(&ada, "other").await;
        let more = json!({"security_groups": [{"name": "other"}]});
        let (one, mut two, mut other) = tokio::join!(
            Puppet::start(&ada, host, "one", json!({})),
            Puppet::start(&ada, host, "two", json!({})),
            Puppet::start(&ada, host, "other", more),
        );
        let one_at = fixed_address(&ada, &one.id).await;
        let other_at = fixed_address(&ada, &other.id).await;
        assert_eq!(other.connect_in_vain(&one_at, PORT).await, "TimeoutError");
        let group = default_group(&ada).await;
        let rule = open(&ada, &group, json!({"remote_group_id": other_group})).await;
        assert_eq!(other.connect(&one_at, PORT).await, format!("you are {other_at}"));
        assert_eq!(ada.delete(&rule).await, 204);
        assert_eq!(other.connect_in_vain(&one_at, PORT).await, "TimeoutError");

        assert_ne!(two.connect_as_in_vain("10.56.0.77", &one_at, PORT).await, "you are 10.56.0.77");
    });
}

#[test]
fn a_server_is_known_by_its_address_where_all_clouds_answer() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let ada = stack.ada().await;
        for name in ["one", "two"] {
            let mut server = Puppet::start(&ada, host, name, json!({})).await;
            let address = fixed_address(&ada, &server.id).await;
            assert_eq!(server.connect("169.254.169.254", 80).await, address);
        }
    });
}

/// A namespace beyond the machine, at `203.0.113.2`, with a puppet's port that answers.
fn world() {
    let (ready, wait) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        assert!(enter_new_network());
        ready.send(rustix::thread::gettid()).unwrap();
        gone.recv().unwrap();
        ip("address add 203.0.113.2/24 dev world");
        ip("link set world up");
        let listener = TcpListener::bind(("203.0.113.2", PORT)).unwrap();
        ready.send(rustix::thread::gettid()).unwrap();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip();
            write!(stream, "you are {peer}").unwrap();
        }
    });
    let thread = wait.recv().unwrap();
    ip(&format!("link add uplink type veth peer name world netns {thread}"));
    ip("address add 203.0.113.1/24 dev uplink");
    ip("link set uplink up");
    go.send(()).unwrap();
    wait.recv().unwrap();
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
}

#[test]
fn servers_reach_the_world_as_the_machine_where_they_may() {
    alone(async || {
        world();
        let (open, host) = stack(56).await;
        let mut inside = Puppet::start(&open.ada().await, host, "vm", json!({})).await;
        assert_eq!(inside.connect("203.0.113.2", PORT).await, "you are 203.0.113.1");
        assert!(rules().contains("masquerade"));

        let closed = Stack::start_with(|settings| {
            on_a_bridge(settings, 57);
            settings.network = NetworkKind::Bridge { name: "br200".to_owned(), outside: false };
        })
        .await;
        let host = IpAddr::V4(Ipv4Addr::new(192, 168, 57, 1));
        let mut inside = Puppet::start(&closed.ada().await, host, "vm", json!({})).await;
        assert_eq!(inside.connect_in_vain("203.0.113.2", PORT).await, "TimeoutError");

        open.cloud.shutdown().await;
        closed.cloud.shutdown().await;
        assert_eq!((interfaces(), rules()), (vec!["uplink".to_owned()], String::new()));
    });
}

#[test]
fn two_clouds_stand_side_by_side_and_one_can_go() {
    alone(async || {
        let ((one, host), (two, other_host)) = (stack(56).await, stack(57).await);
        let (ada, bob) = (one.ada().await, two.ada().await);
        let mut server = Puppet::start(&ada, host, "one", json!({})).await;
        Puppet::start(&bob, other_host, "two", json!({})).await;
        two.cloud.shutdown().await;
        let address = fixed_address(&ada, &server.id).await;
        assert_eq!(server.connect("169.254.169.254", 80).await, address);
        one.cloud.shutdown().await;
        assert_eq!(interfaces(), Vec::<String>::new());
    });
}

#[test]
fn addresses_that_this_machine_uses_are_refused() {
    alone(async || {
        ip("address add 10.56.0.1/32 dev lo");
        let directory = tempfile::tempdir().unwrap();
        let listen = Listen::Address(([127, 0, 0, 1], 0).into());
        let mut settings = Settings::bridge(directory.path().to_owned(), listen, "secret");
        on_a_bridge(&mut settings, 56);
        let error = FakeCloud::start(settings).await.unwrap_err().to_string();
        assert!(error.contains("10.56.0.1/32, which overlaps with 10.56.0.0/16"), "{error}");
    });
}

/// A cloud in a process of its own; gives the process when the cloud answers, and what it prints.
fn spawn(state: &std::path::Path) -> (std::process::Child, String) {
    let mut cloud = Command::new(env!("CARGO_BIN_EXE_fake-cloud"))
        .args(["--network", "bridge", "--listen", "192.168.56.1:0", "--state"])
        .arg(state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut greeting = String::new();
    let mut lines = BufReader::new(cloud.stdout.as_mut().unwrap());
    while !greeting.contains("CONTROL_TOKEN") {
        assert!(lines.read_line(&mut greeting).unwrap() > 0, "{greeting}");
    }
    (cloud, greeting)
}

/// At every boot tells whoever listens there which interfaces and addresses it has, and stays.
const REPORTER: &str = r#"#!/bin/sh
cat > /etc/rc.local <<'END'
#!/usr/bin/python3
import socket, subprocess
out = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True).stdout
words = [line.split() for line in out.splitlines()]
report = " ".join(w[1] + "=" + w[3] for w in words if w[1] != "lo")
listener = socket.create_connection(("192.168.56.1", @PORT@))
listener.sendall((report + "\n").encode())
listener.recv(1)
END
chmod 755 /etc/rc.local
exec /etc/rc.local
"#;

/// How many processes have this in their command line.
fn processes_with(text: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let commands = processes.filter_map(|path| std::fs::read(path.join("cmdline")).ok());
    commands.filter(|command| String::from_utf8_lossy(command).contains(text)).count()
}

#[test]
fn a_killed_cloud_leaves_nothing_and_the_next_start_brings_its_servers_back() {
    alone(async || {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let state = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let (mut cloud, greeting) = spawn(state.path());
        assert_eq!(interfaces().len(), 1);
        let admin = Client::of_environment(&greeting).await;
        let (back, _) = isolated_network(&admin, "back").await;
        let script = REPORTER.replace("@PORT@", &listener.local_addr().unwrap().port().to_string());
        let networks = [admin.network("private").await, back].map(|id| json!({"uuid": id}));
        let wanted = json!({
            "networks": networks, "user_data": base64::engine::general_purpose::STANDARD.encode(script),
        });
        let id = admin.create_server_with("vm", wanted).await;
        let report = || {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            (line, stream)
        };
        let (first, _open) = report();
        let addresses = admin.server(&id).await["addresses"].take();
        let expected = ["private", "back"].map(|it| addresses[it][0]["addr"].as_str().unwrap());
        assert!(
            first.starts_with(&format!("eth0={}/20 eth1={}/", expected[0], expected[1])),
            "{first}"
        );
        // In the command line of its init.
        let directory = state.path().display().to_string();
        let running = processes_with(&directory);
        assert!(running > 0);

        for _ in 0..2 {
            cloud.kill().unwrap();
            cloud.wait().unwrap();
            cloud = spawn(state.path()).0;
            let (again, _open) = report();
            assert_eq!(again, first, "the same addresses at the same interfaces");
            assert_eq!(interfaces().len(), 1, "one leg, the new one");
            assert_eq!(processes_with(&directory), running, "its processes, once");
            assert_eq!(rules().matches("table").count(), 1);
        }
        kill_process(Pid::from_child(&cloud), Signal::TERM).unwrap();
        assert!(cloud.wait().unwrap().success());
        assert_eq!((interfaces(), rules()), (vec![], String::new()));
        assert_eq!(processes_with(&directory), 0);
    });
}
