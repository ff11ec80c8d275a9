//! Measurements as Prometheus reads them.

use std::fmt::Write;

use protocol::ServiceId;
use protocol::api::usage::{ServiceUsage, Usage};

/// A metric: its name, its kind, what it tells, and where it is found.
type Metric = (&'static str, &'static str, &'static str, fn(&Usage) -> f64);

const METRICS: [Metric; 7] = [
    ("cpu_percent", "gauge", "How busy all processors were.", |usage| usage.cpu_percent),
    ("memory_used_bytes", "gauge", "Memory in use.", |usage| usage.memory_used as f64),
    ("memory_total_bytes", "gauge", "Memory there is.", |usage| usage.memory_total as f64),
    ("disk_used_bytes", "gauge", "In use on the root file system.", |usage| usage.disk_used as f64),
    ("disk_total_bytes", "gauge", "Size of the root file system.", |usage| usage.disk_total as f64),
    ("network_received_bytes_total", "counter", "Received since boot.", |usage| {
        usage.network_received as f64
    }),
    ("network_sent_bytes_total", "counter", "Sent since boot.", |usage| usage.network_sent as f64),
];

/// The latest measurement of each VM, in Prometheus' text format.
#[must_use]
pub fn prometheus(service: ServiceId, usage: &ServiceUsage) -> String {
    let nodes = usage.nodes.iter().map(|(node, history)| (format!("node=\"{node}\""), history));
    let manager = ("node=\"manager\"".to_owned(), &usage.manager);
    let latest: Vec<(String, Usage)> = std::iter::once(manager)
        .chain(nodes)
        .filter_map(|(label, history)| Some((label, *history.samples.last()?)))
        .collect();
    let mut text = String::new();
    for (name, kind, help, value) in METRICS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP nutshell_{name} {help}\n# TYPE nutshell_{name} {kind}");
        for (label, usage) in &latest {
            let value = value(usage);
            let _ = writeln!(text, "nutshell_{name}{{service=\"{service}\",{label}}} {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;
    use protocol::api::usage::UsageHistory;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn each_machine_is_a_line_of_each_metric() {
        let sample = Usage {
            at: OffsetDateTime::UNIX_EPOCH,
            cpu_percent: 12.5,
            memory_used: 1,
            memory_total: 2,
            disk_used: 3,
            disk_total: 4,
            network_received: 5,
            network_sent: 6,
        };
        let history = UsageHistory { samples: vec![sample] };
        let nodes = [(NodeId(4), history), (NodeId(5), UsageHistory::default())].into();
        let usage = ServiceUsage { manager: UsageHistory::default(), nodes };
        let text = prometheus(ServiceId(7), &usage);
        assert!(text.starts_with(
            "# HELP nutshell_cpu_percent How busy all processors were.\n\
             # TYPE nutshell_cpu_percent gauge\n\
             nutshell_cpu_percent{service=\"7\",node=\"4\"} 12.5\n"
        ));
        assert!(text.ends_with("nutshell_network_sent_bytes_total{service=\"7\",node=\"4\"} 6\n"));
        assert_eq!(text.lines().count(), 21);
    }
}
