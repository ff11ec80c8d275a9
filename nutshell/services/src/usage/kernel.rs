//! What the kernel tells of a machine, read from `/proc`.

use std::io;
use std::path::Path;

/// Time of all processors since boot, in the kernel's ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    all: u64,
}

impl Ticks {
    /// How busy they were since then, in percent.
    pub(super) fn busy_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        let busy = self.busy.saturating_sub(before.busy).min(all);
        if all == 0 { 0.0 } else { busy as f64 * 100.0 / all as f64 }
    }
}

/// Bytes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) used: u64,
    pub(super) total: u64,
}

pub(super) fn ticks() -> io::Result<Ticks> {
    read("/proc/stat", parse_ticks)
}

pub(super) fn memory() -> io::Result<Amount> {
    read("/proc/meminfo", parse_memory)
}

/// Received and sent bytes of all interfaces but the loopback.
pub(super) fn network() -> io::Result<(u64, u64)> {
    read("/proc/net/dev", |text| Some(parse_network(text)))
}

pub(super) fn disk(path: &Path) -> io::Result<Amount> {
    let found = rustix::fs::statvfs(path)?;
    let total = found.f_blocks.saturating_mul(found.f_frsize);
    let free = found.f_bfree.saturating_mul(found.f_frsize);
    Ok(Amount { used: total.saturating_sub(free), total })
}

fn read<T>(path: &str, parse: impl FnOnce(&str) -> Option<T>) -> io::Result<T> {
    parse(&std::fs::read_to_string(path)?)
        .ok_or_else(|| io::Error::other(format!("{path} is not as it was ever known")))
}

/// `cpu  user nice system idle iowait irq softirq steal …`; guests are in user already.
fn parse_ticks(text: &str) -> Option<Ticks> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let fields: Vec<u64> = fields.take(8).map_while(|field| field.parse().ok()).collect();
    let all = fields.iter().sum();
    let idle = fields.get(3)? + fields.get(4)?;
    Some(Ticks { busy: all - idle, all })
}

fn parse_memory(text: &str) -> Option<Amount> {
    let kibibytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (total, available) = (kibibytes("MemTotal:")?, kibibytes("MemAvailable:")?);
    Some(Amount { used: total.saturating_sub(available) << 10, total: total << 10 })
}

fn parse_network(text: &str) -> (u64, u64) {
    let interfaces = text.lines().filter_map(|line| line.split_once(':'));
    let counted = interfaces.filter(|(name, _)| name.trim() != "lo").filter_map(|(_, counts)| {
        let counts: Vec<u64> =
            counts.split_whitespace().map_while(|count| count.parse().ok()).collect();
        Some((*counts.first()?, *counts.get(8)?))
    });
    counted.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_busy_when_they_are_not_idle() {
        let before = parse_ticks("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1").unwrap();
        let after = parse_ticks("cpu  150 0 60 820 60 0 0 10 0 0\n").unwrap();
        assert_eq!(before, Ticks { busy: 150, all: 1000 });
        assert_eq!(after.busy_since(before), 70.0);
        assert_eq!(before.busy_since(before), 0.0);
        assert_eq!(before.busy_since(after), 0.0, "never less than nothing");
        assert_eq!(parse_ticks("intr 1 2"), None);
    }

    #[test]
    fn memory_that_can_be_had_is_not_in_use() {
        let text = "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 600 kB\n";
        assert_eq!(parse_memory(text), Some(Amount { used: 400 << 10, total: 1000 << 10 }));
        assert_eq!(parse_memory("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn all_networks_but_the_loopback_count() {
        let text = "Inter-| Receive\n face |bytes packets\n    lo: 9 1 0 0 0 0 0 0 9 1\n  \
                    eth0: 100 1 0 0 0 0 0 0 20 1 0 0\n  eth1:5 1 0 0 0 0 0 0 6 1 0 0\n";
        assert_eq!(parse_network(text), (105, 26));
    }
}
