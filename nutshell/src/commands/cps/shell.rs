//! `cps shell`: into a VM. Where it runs on this machine it is entered as it is; anywhere else its
//! user has a key for SSH.
//!
//! This process becomes the one that does it: signals, the size of the window and the exit code
//! need no translation.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use protocol::api::{Node, NodeState};

use super::{Caller, CpsError};
use crate::args::Shell;
use crate::commands::env::quoted;
use crate::diagnostics::Exit;
use crate::stack::{self, StateDirectory};

/// What a shell in a VM finds, and nothing of this machine's.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Opens a shell in a node of a service, or runs a command there.
pub(crate) async fn shell(
    caller: &Caller<'_>,
    wanted: Shell,
    state: Option<&Path>,
) -> Result<Exit, CpsError> {
    let service = caller.service_id(&wanted.service.service).await?;
    let nodes = caller.client.service_nodes(service).await?.nodes;
    let node = nodes.into_iter().find(|node| node.id == wanted.node);
    let node = node.ok_or(CpsError::UnknownNode { node: wanted.node, service })?;
    if node.state != NodeState::Ready {
        return Err(CpsError::NodeNotReady(node.id));
    }
    let mut command = match local_stack(caller, state) {
        Some(state) if stack::is_here(&state, &node.server) => {
            // None while it boots.
            let process = stack::first_process(&state, &node.server);
            let process = process.ok_or(CpsError::NodeNotReady(node.id))?;
            let way = Way {
                process,
                namespaces: others(process),
                as_root: rustix::process::geteuid().is_root(),
            };
            entering(&way, &wanted.command)
        }
        _ => ssh(&node, &wanted)?,
    };
    // Returns only when it could not.
    let source = command.exec();
    let program = command.get_program().to_string_lossy().into_owned();
    Err(CpsError::Program { program, source })
}

/// The stack on this machine, when the director is its own.
fn local_stack(caller: &Caller<'_>, state: Option<&Path>) -> Option<StateDirectory> {
    let state = StateDirectory::choose(state).ok()?;
    let installation = stack::Installation::load(&state).ok()?;
    (installation.addresses.director_url() == caller.client.url()).then_some(state)
}

/// The namespaces that a VM may have of its own: as /proc names them, and as `nsenter` does.
const NAMESPACES: [(&str, &str); 7] = [
    ("user", "--user"),
    ("cgroup", "--cgroup"),
    ("ipc", "--ipc"),
    ("uts", "--uts"),
    ("net", "--net"),
    ("pid", "--pid"),
    ("mnt", "--mount"),
];

/// How a VM of this machine is entered.
struct Way {
    /// Through which process.
    process: u32,
    /// Which of its namespaces are entered.
    namespaces: Vec<&'static str>,
    /// Whether root of this machine enters: anybody else is root in there already, and may not
    /// become it.
    as_root: bool,
}

/// The namespaces of a process that are not this one's: nobody but root may enter their own.
fn others(process: u32) -> Vec<&'static str> {
    let of = |process: &str, name: &str| std::fs::read_link(format!("/proc/{process}/ns/{name}"));
    let differ = |name: &str| match (of("self", name), of(&process.to_string(), name)) {
        (Ok(own), Ok(other)) => own != other,
        _ => false,
    };
    NAMESPACES.iter().filter(|(name, _)| differ(name)).map(|(_, option)| *option).collect()
}

fn entering(way: &Way, command: &[OsString]) -> Command {
    let mut enter = Command::new("nsenter");
    enter.args(["--target", &way.process.to_string()]).args(&way.namespaces);
    if !way.as_root {
        enter.arg("--preserve-credentials");
    }
    enter.args(["--wdns=/root", "--", "env", "-i"]);
    enter.args([PATH, "HOME=/root", "USER=root", "LANG=C.UTF-8"]);
    if let Some(terminal) = std::env::var_os("TERM") {
        enter.arg(setting("TERM", &terminal));
    }
    match command {
        [] => enter.args(["/bin/bash", "--login"]),
        words => enter.args(words),
    };
    enter
}

fn setting(name: &str, value: &OsStr) -> OsString {
    let mut setting = OsString::from(name);
    setting.push("=");
    setting.push(value);
    setting
}

fn ssh(node: &Node, wanted: &Shell) -> Result<Command, CpsError> {
    let address = node.address().ok_or(CpsError::NodeNotReady(node.id))?;
    Ok(ssh_to(&address.to_string(), wanted, std::io::stdin().is_terminal()))
}

/// The words of the command arrive as they were typed: SSH hands one line to a shell over there.
fn ssh_to(address: &str, wanted: &Shell, terminal: bool) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.arg("-l").arg(&wanted.login);
    if terminal && !wanted.command.is_empty() {
        ssh.arg("-t");
    }
    ssh.arg(address);
    if !wanted.command.is_empty() {
        let words = wanted.command.iter().map(|word| quoted(&word.to_string_lossy()));
        ssh.arg("--").arg(words.collect::<Vec<_>>().join(" "));
    }
    ssh
}

#[cfg(test)]
mod tests {
    use protocol::{NodeId, ServiceId};

    use super::*;
    use crate::args::ServiceRef;

    fn words(command: &Command) -> Vec<String> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_vm_of_this_machine_is_entered_with_nothing_of_this_machine_s_environment() {
        let way = |as_root| Way { process: 42, namespaces: vec!["--user", "--pid"], as_root };
        let line = words(&entering(&way(true), &["id".into(), "-u".into()])).join(" ");
        let begin = "nsenter --target 42 --user --pid --wdns=/root -- env -i PATH=";
        assert!(line.starts_with(begin), "{line}");
        assert!(line.ends_with(" id -u"), "{line}");
        let line = words(&entering(&way(false), &[])).join(" ");
        assert!(line.contains(" --preserve-credentials "), "{line}");
        assert!(
            words(&entering(&way(true), &[])).ends_with(&["/bin/bash".into(), "--login".into()])
        );
    }

    #[test]
    fn a_command_goes_over_ssh_word_by_word() {
        let wanted = |command: &[&str]| Shell {
            service: crate::args::ServiceArgument { service: ServiceRef::Id(ServiceId(1)) },
            node: NodeId(2),
            login: "admin".to_owned(),
            command: command.iter().map(Into::into).collect(),
        };
        let line =
            |command: &[&str], terminal| words(&ssh_to("192.0.2.7", &wanted(command), terminal));
        assert_eq!(line(&[], true), ["ssh", "-l", "admin", "192.0.2.7"]);
        assert_eq!(
            line(&["sh", "-c", "echo $HOME"], false),
            ["ssh", "-l", "admin", "192.0.2.7", "--", "sh -c 'echo $HOME'"]
        );
        assert_eq!(line(&["top"], true)[3], "-t");
    }
}
