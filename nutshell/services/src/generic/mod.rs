//! The Generic service: the user's own code, driven by five scripts.
//!
//! One node is the master, all others are plain nodes; they differ in name only. The manager keeps
//! the code versions and brings the active one to every agent; the agents run the scripts.

pub(crate) mod agent_half;
mod default_code;
mod distribution;
mod install;
pub(crate) mod manager_half;
mod mounts;
mod record;
mod scripts;
mod volume;
mod wire;

use protocol::AGENT_PORT;
use protocol::api::{MethodKind, MethodSummary, PortRange, Role, ServiceType};

use crate::code;

/// The one node of this role is there from start to stop.
const MASTER: &str = "master";
const NODE: &str = "node";

/// The image of its VMs needs nothing more.
pub(crate) const NEEDS: &[crate::Need] = &[];

/// The catalogue's entry.
pub(crate) fn service_type() -> ServiceType {
    let role = |name: &str, initial| Role { name: name.to_owned(), initial };
    let method = |name: &str, kind, description: &str| MethodSummary {
        name: name.to_owned(),
        kind,
        description: description.to_owned(),
    };
    use MethodKind::{Command, Query};
    ServiceType {
        name: "generic".to_owned(),
        title: "Generic".to_owned(),
        description: "Runs your own code on any number of nodes, driven by five scripts".to_owned(),
        roles: vec![role(NODE, 0), role(MASTER, 1)],
        // What users' scripts serve is meant to be reached; the agent is not.
        ports: vec![
            PortRange::tcp(1, AGENT_PORT - 1),
            PortRange::tcp(AGENT_PORT + 1, u16::MAX),
            PortRange::udp(1, u16::MAX),
        ],
        methods: code::methods::summaries("an archive with the scripts")
            .into_iter()
            .chain([
                method("run", Command, "Starts run.sh on every node"),
                method(
                    "interrupt",
                    Command,
                    "Starts interrupt.sh; the second time, kills all scripts",
                ),
                method("cleanup", Command, "Starts cleanup.sh on every node"),
                method(
                    "create_volume",
                    Command,
                    "Makes a volume for a node, at /media/<name> there",
                ),
                method("list_volumes", Query, "Lists the volumes of the nodes"),
                method(
                    "delete_volume",
                    Command,
                    "Takes a volume from its node, with all that is on it",
                ),
                method("get_script_status", Query, "Tells what became of each script on each node"),
            ])
            .collect(),
    }
}
