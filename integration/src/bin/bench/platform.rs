//! The platform: from nothing to a service that runs, and what it costs.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use integration::archive::tar_gz;
use integration::{Stack, http, processes, wait_for};

use crate::table::Table;

/// Measures the platform.
pub(crate) fn bench(table: &mut Table, runs: usize) {
    let mut samples = Samples::default();
    for _ in 0..runs {
        measure(&mut samples);
    }
    table.time("up, fresh state", &samples.up_fresh, "1 s, aim 0.3 s");
    table.time("up, existing state", &samples.up_existing, "1 s, aim 0.3 s");
    table.time("application with its manager running", &samples.manager, "1 s, aim 0.3 s");
    table.time("generic service started", &samples.service, "1 s, aim 0.3 s");
    table.time("down, with three VMs", &samples.down, "1 s");
    table.memory("idle: cloud, director, web page", &samples.idle, "60 MiB");
    table.memory("one manager", &samples.manager_memory, "12 MiB");
    table.memory("one agent", &samples.agent_memory, "12 MiB");
    table.time("upload of an archive until its application answers", &samples.upload, "");
    for (count, took) in [1, 10, 50].into_iter().zip(&samples.added) {
        table.time(&format!("{count} more nodes, their agents ready"), took, "");
    }
    table.time("100 servers in parallel, agents answering", &[many(100)], "15 s");
}

#[derive(Default)]
struct Samples {
    up_fresh: Vec<Duration>,
    up_existing: Vec<Duration>,
    manager: Vec<Duration>,
    service: Vec<Duration>,
    upload: Vec<Duration>,
    /// 1, 10 and 50 nodes.
    added: [Vec<Duration>; 3],
    down: Vec<Duration>,
    idle: Vec<u64>,
    manager_memory: Vec<u64>,
    agent_memory: Vec<u64>,
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn measure(samples: &mut Samples) {
    let stack = Stack::prepared();
    let up = || drop(stack.nutshell(&["up", "--detach"]).ok());
    let down = || drop(stack.nutshell(&["down"]).ok());
    let cps = |arguments: &[&str]| drop(stack.cps(arguments).ok());
    samples.up_fresh.push(timed(up));
    samples.idle.extend(processes::pss_kib(stack.pid()));
    down();
    samples.up_existing.push(timed(up));
    cps(&["login"]);
    samples.manager.push(timed(|| cps(&["service", "create", "generic"])));
    samples.service.push(timed(|| cps(&["service", "start", "1"])));
    cps(&["generic", "add-nodes", "1", "1"]);
    let of_role = |role: &str| {
        let found = processes::running(stack.pid(), role);
        found.into_iter().filter_map(processes::pss_kib).collect::<Vec<_>>()
    };
    samples.manager_memory.extend(of_role("manager"));
    samples.agent_memory.extend(of_role("agent"));
    samples.down.push(timed(down));
    up();
    samples.upload.push(timed(|| deploy(&stack)));
    for (samples, count) in samples.added.iter_mut().zip(["1", "10", "50"]) {
        samples.push(timed(|| cps(&["generic", "add-nodes", "1", count])));
        cps(&["generic", "remove-nodes", "1", count]);
    }
}

/// From an archive to an application that answers.
fn deploy(stack: &Stack) {
    let run = "#!/bin/bash\nexec /usr/bin/python3 -m http.server 8000\n";
    let archive = stack.file("app.tar.gz", &tar_gz(&[("run.sh", run)]));
    stack.activate_code("generic", "1", &archive);
    let _ = stack.cps(&["generic", "run", "1"]).ok();
    let nodes = stack.cps(&["generic", "list-nodes", "1"]).ok();
    let address = nodes.lines().next().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    let address: Ipv4Addr = address.expect("an address");
    wait_for("an answer", Duration::from_secs(20), || http::get((address, 8000), "/"));
}

fn many(count: u32) -> Duration {
    let stack = Stack::prepared();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let add = (count - 1).to_string();
    timed(|| drop(stack.cps(&["generic", "add-nodes", "1", &add]).ok()))
}
