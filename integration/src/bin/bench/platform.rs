//! The platform: from nothing to a service that runs, and what it costs.

use std::time::{Duration, Instant};

use integration::{Stack, processes};

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
    table.time("100 servers in parallel, agents answering", &[many(100)], "15 s");
}

#[derive(Default)]
struct Samples {
    up_fresh: Vec<Duration>,
    up_existing: Vec<Duration>,
    manager: Vec<Duration>,
    service: Vec<Duration>,
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
}

fn many(count: u32) -> Duration {
    let stack = Stack::prepared();
    let _ = stack.nutshell(&["up", "--detach"]).ok();
    let _ = stack.cps(&["service", "create", "generic"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let add = (count - 1).to_string();
    timed(|| drop(stack.cps(&["generic", "add-nodes", "1", &add]).ok()))
}
