//! Web hosting, beside the same nginx and php-fpm without us in the same run.

mod plain;

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use integration::archive::tar_gz;
use integration::{Stack, processes};
use protocol::ServiceId;
use protocol::api::Node;

use crate::load::{self, Answered};
use crate::table::Table;
use plain::Plain;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 16;
/// Seconds of load for one figure.
const SECONDS: usize = 3;

const PROGRAM: &str = "<?php echo 'hello from ', PHP_SAPI, \"\\n\";\n";

/// What is asked for.
const PATHS: [&str; 2] = ["/hello.php", "/a.css"];

/// The layouts of the service, as `add-nodes` makes them of the first VM: backends, web nodes.
const LAYOUTS: [(&str, [&str; 2]); 4] = [
    ("all in one VM", ["0", "0"]),
    ("one proxy, one backend", ["1", "0"]),
    ("one proxy, two backends", ["2", "0"]),
    ("one proxy, one web node, one backend", ["1", "1"]),
];

/// Measures the PHP service. Rounds alternate, so that what else the machine does meets all.
pub(crate) fn bench(table: &mut Table, rounds: usize) {
    let stack = Stack::prepared();
    let _ = stack.nutshell(&["up", "--detach", "--instance-type", instance_type()]).ok();
    let places: Vec<Place> =
        (1..).zip(LAYOUTS).map(|(service, (_, nodes))| deploy(&stack, service, nodes)).collect();
    let plain = Plain::start(&files());
    for path in PATHS {
        let ask =
            |address| load::answered(&format!("http://{address}{path}"), CONNECTIONS, SECONDS);
        let mut directly = Vec::new();
        let mut hosted = vec![Vec::new(); LAYOUTS.len()];
        let mut floating = Vec::new();
        for _ in 0..rounds {
            directly.extend(ask(plain.address));
            for (place, answers) in places.iter().zip(&mut hosted) {
                answers.extend(ask(place.fixed));
            }
            floating.extend(ask(places[0].floating));
        }
        rows(table, &format!("{path}, nginx and php-fpm alone"), &directly, &[]);
        for ((name, _), answers) in LAYOUTS.iter().zip(&hosted) {
            rows(table, &format!("{path}, {name}"), answers, &directly);
        }
        rows(table, &format!("{path}, the first by its floating address"), &floating, &[]);
    }
    drop(plain);
    memory(table, &stack);
    growth(table, &stack, rounds);
    uploads(table, &stack);
}

/// VMs that have as many processors as nginx and php-fpm alone, which have this machine's.
fn instance_type() -> &'static str {
    match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        1 => "m1.small",
        2 => "m1.medium",
        3..=4 => "m1.large",
        _ => "m1.xlarge",
    }
}

/// Where a service answers.
struct Place {
    /// The proxy itself.
    fixed: SocketAddrV4,
    /// What users are told, which the cloud leads there.
    floating: SocketAddrV4,
}

fn files() -> [(&'static str, String); 2] {
    let css: String = (0..256).map(|line| format!(".line-{line} {{ margin: 0 }}\n")).collect();
    [("hello.php", PROGRAM.to_owned()), ("a.css", css)]
}

/// A service of its own with these backends and web nodes beside the first VM.
fn deploy(stack: &Stack, service: i64, [backends, webs]: [&str; 2]) -> Place {
    let id = service.to_string();
    let cps = |arguments: &[&str]| stack.cps(arguments).ok();
    cps(&["service", "create", "php"]);
    cps(&["service", "start", &id]);
    if (backends, webs) != ("0", "0") {
        cps(&["php", "add-nodes", &id, backends, webs, "0"]);
    }
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    stack.activate_code("php", &id, &stack.file("app.tar.gz", &tar_gz(&files)));
    let [floating] = stack.addresses("php", &id)[..] else { panic!("one proxy") };
    let proxy = nodes(stack, service).into_iter().find(|node| node.role == "proxy");
    let fixed = proxy.and_then(|node| node.private_ip).expect("a proxy has an address");
    Place { fixed: SocketAddrV4::new(fixed, floating.port()), floating }
}

fn nodes(stack: &Stack, service: i64) -> Vec<Node> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let director = stack.director().await.client;
        director.service_nodes(ServiceId(service)).await.expect("the nodes").nodes
    })
}

/// Requests a second and the 99th percentile; what part of `beside` that is, round by round.
fn rows(table: &mut Table, what: &str, answers: &[Answered], beside: &[Answered]) {
    let rates: Vec<u64> = answers.iter().map(|one| one.per_second as u64).collect();
    table.row(what, &rates, "requests/s", "");
    let slowest: Vec<Duration> = answers.iter().map(|one| one.percentile_99).collect();
    table.time(&format!("{what}: 99 % within"), &slowest, "");
    if !beside.is_empty() {
        let parts: Vec<u64> = answers
            .iter()
            .zip(beside)
            .map(|(one, other)| (100.0 * one.per_second / other.per_second).round() as u64)
            .collect();
        table.row(&format!("{what}: of nginx and php-fpm alone"), &parts, "%", "at least 95 %");
    }
}

/// What a VM needs beyond nginx and php-fpm.
fn memory(table: &mut Table, stack: &Stack) {
    let memory =
        |pids: Vec<u32>| -> Vec<u64> { pids.into_iter().filter_map(processes::pss_kib).collect() };
    table.memory("a VM's agent", &memory(processes::running(stack.pid(), "agent")), "12 MiB");
    let stores = processes::named(stack.pid(), "redis-server");
    table.memory("the sessions beside a proxy", &memory(stores), "");
}

fn growth(table: &mut Table, stack: &Stack, rounds: usize) {
    let cps = |arguments: &[&str]| drop(stack.cps(arguments).ok());
    let took: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            cps(&["php", "add-nodes", "3", "1", "0", "0"]);
            let took = begin.elapsed();
            cps(&["php", "remove-nodes", "3", "1", "0", "0"]);
            took
        })
        .collect();
    table.time("a backend added, until it serves", &took, "");
}

/// From the upload until every node shows it.
fn uploads(table: &mut Table, stack: &Stack) {
    let mut before = 1;
    for count in [1, 4, 16] {
        if count > before {
            let more = (count - before).to_string();
            let _ = stack.cps(&["php", "add-nodes", "1", &more, "0", "0"]).ok();
        }
        before = count;
        for megabytes in [1, 10, 100] {
            let archive = stack.file("noise.tar", &noise(megabytes));
            let begin = Instant::now();
            stack.activate_code("php", "1", &archive);
            let what = format!("{megabytes} MB from upload to active, on {count} nodes");
            table.time(&what, &[begin.elapsed()], "");
        }
    }
}

/// An archive with a file that cannot be packed.
fn noise(megabytes: usize) -> Vec<u8> {
    let mut content = vec![0; megabytes * 1_000_000];
    rand::fill(&mut content[..]);
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in [("index.html", b"<!DOCTYPE html>".as_slice()), ("noise", &content)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).expect("memory does not fail");
    }
    archive.into_inner().expect("memory does not fail")
}
