//! fake-cloud, beside its peers: start, memory, requests a second, and what a server costs.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::ec2::Ec2;
use crate::load::{self, Request};
use crate::openstack::{self, OpenStack};
use crate::peers::{self, Peer};
use crate::server::Server;
use crate::table::Table;

/// Connections that ask at the same time.
const CONNECTIONS: [usize; 2] = [1, 32];
/// Seconds of load for one figure.
const SECONDS: usize = 3;

/// Measures the cloud.
pub(crate) fn bench(table: &mut Table, runs: usize) {
    // Nothing here speaks TLS, but the client wants to know how it would; there is one yet to be set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let samples = || (0..runs).map(|_| Server::fake_cloud("inert"));
    let (started, idle): (Vec<_>, Vec<_>) =
        samples().map(|server| (server.started, server.idle_memory())).unzip();
    table.time("fake-cloud: start to first answer", &started, "50 ms");
    table.memory("fake-cloud: idle", &idle, "20 MiB");
    identity(table, &runtime);
    lists(table, &runtime);
    many(table, &runtime);
    endurance(table, &runtime);
    real_servers(table, &runtime, runs);
    for peer in peers::installed() {
        beside(table, &runtime, &peer, runs);
    }
}

/// Tokens, which every client asks for first.
fn identity(table: &mut Table, runtime: &Runtime) {
    let server = Server::fake_cloud("inert");
    let issue = openstack::token(&server);
    rates(table, "fake-cloud: tokens issued", &issue, "500/s (Keystone 6.7)");
    let client = runtime.block_on(OpenStack::login(&server, reqwest::Client::new()));
    let validate = client.get("/v3/auth/tokens");
    rates(table, "fake-cloud: tokens validated", &validate, "Keystone 332/s");
}

/// The lists that clients ask for all the time, as they grow.
fn lists(table: &mut Table, runtime: &Runtime) {
    let server = Server::fake_cloud("inert");
    let http = reqwest::Client::new();
    let client = runtime.block_on(OpenStack::login(&server, http.clone()));
    let ec2 = ec2(&server, http);
    let ingredients = runtime.block_on(async {
        client.unlimited().await;
        client.ingredients().await
    });
    let mut there = 0;
    for (count, aim) in [(0, "12,000/s"), (100, "Nova 2/s"), (1000, "600/s")] {
        while there < count {
            runtime.block_on(client.create(&ingredients, 100));
            there += 100;
        }
        let what = format!("servers/detail, {count} servers");
        rates(table, &what, &client.get("/compute/v2.1/servers/detail"), aim);
        let describe = ec2.request(&[("Action", "DescribeInstances")]);
        rates(table, &format!("DescribeInstances, {count} instances"), &describe, aim);
    }
}

/// What the ten-thousandth server costs.
fn many(table: &mut Table, runtime: &Runtime) {
    let server = Server::fake_cloud("inert");
    let http = reqwest::Client::new();
    let client = runtime.block_on(OpenStack::login(&server, http.clone()));
    let ec2 = ec2(&server, http);
    runtime.block_on(client.unlimited());
    let image = runtime.block_on(ec2.image());
    let run = |count| runtime.block_on(ec2.run(&image, "m1.tiny", count));
    let one_by_one: Vec<_> = (0..100).map(|_| run(1)).collect();
    table.time("RunInstances, one", &one_by_one, "2 ms (ministack 2.4, moto 20)");
    let hundreds = |calls| (0..calls).map(|_| run(100)).collect::<Vec<_>>();
    let first = hundreds(9);
    table.time("RunInstances, 100 in a call: 101st to 1,000th", &first, "moto 548 ms");
    table.memory("fake-cloud: with 1,000 servers", &[server.memory()], "");
    let last = hundreds(90).split_off(81);
    table.time("RunInstances, 100 in a call: 9,101st to 10,000th", &last, "the same");
    table.memory("fake-cloud: with 10,000 servers", &[server.memory()], "");
    for (what, calls) in [("101st to 1,000th", first), ("9,101st to 10,000th", last)] {
        let each: Vec<_> = calls.iter().map(|took| *took / 100).collect();
        table.time(&format!("one server of 10,000: the {what}"), &each, "the same");
    }
}

/// What a million requests leave behind.
fn endurance(table: &mut Table, runtime: &Runtime) {
    let server = Server::fake_cloud("inert");
    let client = runtime.block_on(OpenStack::login(&server, reqwest::Client::new()));
    let ec2 = ec2(&server, reqwest::Client::new());
    let requests = [
        client.get("/v3/auth/tokens"),
        client.get("/compute/v2.1/servers/detail"),
        ec2.request(&[("Action", "DescribeInstances")]),
    ];
    let round = || -> Option<f64> {
        let rates = requests.iter().map(|request| load::rate(request, 32, SECONDS));
        Some(rates.sum::<Option<f64>>()? * SECONDS as f64)
    };
    // What threads and connections need at all is no growth.
    let Some(mut sent) = round() else { return };
    table.memory(&format!("fake-cloud: after {sent:.0} requests"), &[server.memory()], "");
    while sent < 1e6 {
        let Some(more) = round() else { return };
        sent += more;
    }
    table.memory(&format!("fake-cloud: after {sent:.0} requests"), &[server.memory()], "the same");
}

/// Servers that run.
fn real_servers(table: &mut Table, runtime: &Runtime, runs: usize) {
    let server = Server::fake_cloud("process");
    let samples: Vec<_> = runtime.block_on(async {
        let client = OpenStack::login(&server, reqwest::Client::new()).await;
        let ingredients = client.ingredients().await;
        let mut samples = Vec::new();
        for _ in 0..runs.max(5) * 10 {
            samples.push(one_server(&client, &ingredients).await);
        }
        samples
    });
    table.time("POST server → ACTIVE, its process running", &samples, "30 ms (Nova 1,580)");
    let mut sorted = samples;
    sorted.sort_unstable();
    let p99 = sorted[(sorted.len() * 99).div_ceil(100) - 1];
    table.time("the same, 99th percentile", &[p99], "");
}

async fn one_server(client: &OpenStack, ingredients: &(String, String)) -> Duration {
    let (id, mut took) = client.create(ingredients, 1).await;
    let begin = std::time::Instant::now();
    while client.status(&id).await == "BUILD" {}
    took += begin.elapsed();
    client.delete(&id).await;
    took
}

fn beside(table: &mut Table, runtime: &Runtime, peer: &Peer, runs: usize) {
    let Peer { name, start, .. } = peer;
    let started: Vec<_> = (0..runs).map(|_| start().started).collect();
    table.time(&format!("{name}: start to first answer"), &started, "");
    let server = start();
    let client = peers::client(&server, reqwest::Client::new());
    let image = runtime.block_on(client.image());
    table.memory(&format!("{name}: after its first EC2 call"), &[server.memory()], "");
    let describe = client.request(&[("Action", "DescribeInstances")]);
    rates(table, &format!("{name}: DescribeInstances, 0 instances"), &describe, "");
    let run = |count| runtime.block_on(client.run(&image, "t2.micro", count));
    let one_by_one: Vec<_> = (0..20).map(|_| run(1)).collect();
    table.time(&format!("{name}: RunInstances, one"), &one_by_one, "");
    table.time(&format!("{name}: RunInstances, 100 in a call"), &[run(100)], "");
}

/// Answers a second, over one connection and over many.
fn rates(table: &mut Table, what: &str, request: &Request, aim: &str) {
    for connections in CONNECTIONS {
        let rate = load::rate(request, connections, SECONDS);
        let rate: Vec<u64> = rate.map(|rate| rate.round() as u64).into_iter().collect();
        let s = if connections == 1 { "" } else { "s" };
        table.row(&format!("{what}; {connections} connection{s}"), &rate, "/s", aim);
    }
}

fn ec2(server: &Server, http: reqwest::Client) -> Ec2 {
    Ec2 {
        url: server.variable("AWS_ENDPOINT_URL_EC2").to_owned(),
        region: server.variable("AWS_DEFAULT_REGION").to_owned(),
        access: server.variable("AWS_ACCESS_KEY_ID").to_owned(),
        secret: server.variable("AWS_SECRET_ACCESS_KEY").to_owned(),
        http,
    }
}
