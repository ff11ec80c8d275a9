//! What runs on this machine, to see that nothing is left behind.

use std::fs;

/// Ids of the processes whose command line or environment mentions `mark`, such as a state
/// directory. Those of the test itself do not count.
#[must_use]
pub fn mentioning(mark: &str) -> Vec<u32> {
    let own = std::process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            ["cmdline", "environ"].iter().any(|file| {
                fs::read(format!("/proc/{pid}/{file}"))
                    .is_ok_and(|text| contains(&text, mark.as_bytes()))
            })
        })
        .collect()
}

/// Descendants of a process that were started as `nutshell <role>`.
#[must_use]
pub fn running(ancestor: u32, role: &str) -> Vec<u32> {
    let mark = format!("nutshell\0{role}\0");
    descendants(ancestor)
        .into_iter()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|text| contains(&text, mark.as_bytes()))
        })
        .collect()
}

/// Descendants of a process that run a program of this name.
#[must_use]
pub fn named(ancestor: u32, program: &str) -> Vec<u32> {
    let is_it = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == program)
    };
    descendants(ancestor).into_iter().filter(is_it).collect()
}

/// A process and all that it has started, and so on.
#[must_use]
pub fn descendants(ancestor: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut pending = vec![ancestor];
    while let Some(pid) = pending.pop() {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pending.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        found.push(pid);
    }
    found
}

/// Proportional set size of a process in KiB: its memory, shared pages counted in part.
#[must_use]
pub fn pss_kib(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time that a process has used so far, in ticks of the clock.
#[must_use]
pub fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything: state, parent … and as the 12th and 13th the times.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok()).sum()
}

fn contains(text: &[u8], mark: &[u8]) -> bool {
    !mark.is_empty() && text.windows(mark.len()).any(|window| window == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        assert!(pss_kib(std::process::id()).unwrap() > 100);
    }

    #[test]
    fn this_process_uses_the_processor() {
        let ticks = || ticks(std::process::id()).unwrap();
        let before = ticks();
        crate::wait_for("a tick", std::time::Duration::from_secs(60), || {
            // Something to do.
            let after = (0..100_000).fold(ticks(), |ticks, _| std::hint::black_box(ticks));
            if after > before { Ok(()) } else { Err(after) }
        });
    }

    #[test]
    fn nobody_mentions_a_secret_of_this_test() {
        let mark = format!("mark-{}-{}", std::process::id(), line!());
        assert_eq!(mentioning(&mark), Vec::<u32>::new());
    }
}
