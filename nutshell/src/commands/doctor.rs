//! `nutshell doctor`: what this machine can do, and what follows from it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use agent::Need;
use fake_cloud::backends::process::{Capability, capabilities};
use fake_cloud::network::bridge;
use serde::Serialize;

use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;

/// One thing a machine can have.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    /// Whether `nutshell up` can do without.
    #[serde(skip)]
    optional: bool,
    available: bool,
    detail: String,
}

impl From<Capability> for Finding {
    fn from(Capability { name, available, detail }: Capability) -> Self {
        Self { name, optional: OPTIONAL.contains(&name), available, detail }
    }
}

/// Prints all findings, then what they mean for VMs.
pub(crate) fn doctor(printer: &Printer) -> Result<Exit, Failure> {
    let mut findings: Vec<Finding> = capabilities().into_iter().map(Finding::from).collect();
    findings.push(bridge::capability().into());
    findings.push(docker());
    findings.push(libvirt());
    findings.extend(services());
    printer.answer(&findings, |findings| {
        let lines: Vec<String> = findings.iter().map(|finding| line(printer, finding)).collect();
        format!("{}\n\n{}", lines.join("\n"), conclusion(findings))
    });
    Ok(Exit::Success)
}

fn line(printer: &Printer, finding: &Finding) -> String {
    let mark = match finding.available {
        true => printer.paint("32", "✓ yes"),
        false => printer.paint("33", "✗ no "),
    };
    format!("{mark}  {:20} {}", finding.name, finding.detail)
}

fn conclusion(findings: &[Finding]) -> String {
    let missing: Vec<&str> = findings
        .iter()
        .filter(|finding| !finding.available && !finding.optional)
        .map(|finding| finding.name)
        .collect();
    match missing.is_empty() {
        true => "`nutshell up` works here; its VMs are processes, well separated.".to_owned(),
        false => format!(
            "`nutshell up` works here; its VMs are processes, less separated for want of: {}.",
            missing.join(", ")
        ),
    }
}

/// What other kinds of VM would need; nothing depends on it yet.
const OPTIONAL: [&str; 3] = ["network bridge", "docker", "libvirt"];

fn docker() -> Finding {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let sockets = match host.strip_prefix("unix://") {
        Some(path) => vec![PathBuf::from(path)],
        None => vec!["/run/docker.sock".into(), "/run/podman/podman.sock".into()],
    };
    first_answering("docker", "a container engine answers at", &sockets)
}

fn libvirt() -> Finding {
    let sockets = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"].map(PathBuf::from);
    let mut finding = first_answering("libvirt", "libvirt answers at", &sockets);
    if finding.available && !Path::new("/dev/kvm").exists() {
        finding.detail.push_str(", without /dev/kvm: machines will be slow");
    }
    finding
}

/// The first socket where somebody answers, or why nobody does.
fn first_answering(name: &'static str, good: &str, sockets: &[PathBuf]) -> Finding {
    let mut reasons = Vec::new();
    for socket in sockets {
        match UnixStream::connect(socket) {
            Ok(_) => {
                let detail = format!("{good} {}", socket.display());
                return Finding { name, optional: true, available: true, detail };
            }
            Err(error) => {
                let error = error.to_string();
                let reason = error.split(" (os error").next().unwrap_or(&error).to_lowercase();
                reasons.push(format!("{}: {reason}", socket.display()));
            }
        }
    }
    Finding { name, optional: true, available: false, detail: reasons.join("; ") }
}

/// What services find in VMs that have this machine's own system.
fn services() -> impl Iterator<Item = Finding> {
    agent::service_types().iter().filter_map(|kind| {
        let needs = agent::needs(&kind.name);
        let missing = |essential: bool| {
            let lacks = |need: &&Need| need.essential == essential && need.find().is_err();
            needs.iter().filter(lacks).map(|need| need.package).collect::<Vec<_>>().join(" ")
        };
        let (missing, useful) = (missing(true), missing(false));
        let detail = match (missing.is_empty(), useful.is_empty()) {
            (false, _) => format!(
                "VMs lack what `sudo apt-get install --no-install-recommends {missing}` brings; or \
                 use an image that has it: provisioning/README.md"
            ),
            (true, false) => format!(
                "VMs with this machine's system have what the service needs; most applications \
                 want {useful} too"
            ),
            (true, true) => "VMs with this machine's system have what the service needs".to_owned(),
        };
        let (name, available) = (kind.title.as_str(), missing.is_empty());
        (!needs.is_empty()).then_some(Finding { name, optional: true, available, detail })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &'static str, available: bool) -> Finding {
        let optional = OPTIONAL.contains(&name);
        Finding { name, optional, available, detail: String::new() }
    }

    #[test]
    fn a_socket_counts_when_somebody_answers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let sockets = [directory.path().join("none"), path.clone()];
        let found = first_answering("docker", "an engine answers at", &sockets);
        assert!(!found.available);
        assert!(found.detail.contains("no such file"), "{}", found.detail);
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let found = first_answering("docker", "an engine answers at", &sockets);
        assert!(found.available);
        assert!(found.detail.ends_with("/socket"));
    }

    #[test]
    fn what_is_missing_is_named_unless_nothing_needs_it() {
        let good = [finding("namespaces", true), finding("docker", false)];
        assert!(conclusion(&good).ends_with("well separated."));
        let poor = [finding("namespaces", true), finding("overlay", false)];
        assert!(conclusion(&poor).ends_with("for want of: overlay."));
    }
}
