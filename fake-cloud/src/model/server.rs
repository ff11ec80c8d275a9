//! A server's record.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::error::Error;
use super::index::{Index, Places, Step, Totals};
use super::life::{Refusal, Request, State, Task};
use super::table::record;
use super::{
    Caller, Flavor, ImageId, LaunchVolume, Lock, NetworkId, Options, PortId, ProjectId, Resize,
    SecurityGroupId, ServerGroupId, ServerId, UserId, WantedIp,
};
use crate::backends::ImageSource;

/// How many events of a server are remembered: the latest.
const EVENTS_MAX: usize = 100;

/// A server: what was asked for, and how it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Whose quota it counts against.
    pub project_id: ProjectId,
    /// Who made it.
    pub user_id: UserId,
    /// Its name; several servers may share one.
    pub name: String,
    /// Its name in its own eyes.
    pub hostname: String,
    /// What its owner says of it.
    pub description: Option<String>,
    /// How large it is, as the flavor was when the server was made.
    pub flavor: Flavor,
    /// The image it was made from.
    pub image_id: ImageId,
    /// What the image was when the server was made.
    pub image_source: ImageSource,
    /// The key pair, and its public key when the server was made.
    pub key: Option<(String, String)>,
    /// User-data in base64, as it was given.
    pub user_data: Option<String>,
    /// Free-form properties.
    pub metadata: BTreeMap<String, String>,
    /// Free-form labels.
    pub tags: Vec<String>,
    /// The request that made it, when it said which one it was.
    #[serde(default)]
    pub client_token: Option<ClientToken>,
    /// What is set of it in EC2.
    #[serde(default)]
    pub options: Options,
    /// The security groups it was asked to have.
    pub security_groups: Vec<SecurityGroupId>,
    /// Where it is plugged in; nowhere when there was no address for it.
    pub ports: Vec<PortId>,
    /// Names all servers of one request.
    pub reservation_id: String,
    /// Its number among the servers of its request.
    pub launch_index: u32,
    /// Its number in the cloud.
    pub number: u64,
    /// Opens its part of the metadata service, and no other's.
    pub metadata_token: String,
    /// The group it belongs to.
    #[serde(default)]
    pub group_id: Option<ServerGroupId>,
    /// What was said of where to place it.
    #[serde(default)]
    pub scheduler_hints: Map<String, Value>,
    /// Whether it boots from a volume, not from a disk of its own.
    #[serde(default)]
    pub volume_backed: bool,
    /// What keeps others than the administrator from changing it.
    #[serde(default)]
    pub lock: Option<Lock>,
    /// What it was before it was resized, until that is confirmed or reverted.
    #[serde(default)]
    pub resize: Option<Resize>,
    /// What it is.
    pub state: State,
    /// What is being done to it.
    pub task: Option<Task>,
    /// Why it is in error.
    pub fault: Option<Fault>,
    /// What was done to it so far.
    pub events: Vec<Event>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
    /// When it first ran.
    #[serde(with = "time::serde::rfc3339::option")]
    pub launched: Option<OffsetDateTime>,
}

/// Names a request, so that sending it again does nothing again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The name its sender gave it.
    pub token: String,
    /// A digest of what was asked, to notice when another request bears the same name.
    pub digest: String,
}

/// Why a server is in error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What failed, and why.
    pub message: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// Something that was done to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What was done, as the API names it.
    pub action: String,
    /// The request that asked for it.
    pub request_id: String,
    /// Who asked.
    pub user_id: UserId,
    /// Why it failed.
    pub message: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// What is wanted of new servers.
#[derive(Debug, Clone, Default)]
pub struct NewServers {
    /// Their name; numbered when there are several. Each is called after its id when empty.
    pub name: String,
    /// Whether several share the name instead.
    pub same_name: bool,
    /// What they call themselves, made from the name when not given.
    pub hostname: Option<String>,
    /// What their owner says of them.
    pub description: Option<String>,
    /// The id of their flavor.
    pub flavor: String,
    /// The id of their image; empty when they boot from a volume.
    pub image: String,
    /// The volume that each boots from.
    pub root: Option<LaunchVolume>,
    /// The name of the key pair whose key opens them.
    pub key_name: Option<String>,
    /// User-data in base64.
    pub user_data: Option<String>,
    /// Free-form properties.
    pub metadata: BTreeMap<String, String>,
    /// Free-form labels.
    pub tags: Vec<String>,
    /// Names or ids of security groups, the default one when empty.
    pub security_groups: Vec<String>,
    /// Where to plug them in.
    pub plugs: Plugs,
    /// Volumes that each has from its first start.
    pub volumes: Vec<LaunchVolume>,
    /// What is said of where to place them.
    pub scheduler_hints: Map<String, Value>,
    /// How many there must be at least.
    pub min_count: u32,
    /// How many there should be.
    pub max_count: u32,
    /// Whether none is made for which there is no address, as in EC2; in Nova it is, and fails.
    pub needs_addresses: bool,
    /// The request, for the servers' events.
    pub request_id: String,
    /// What is set of them in EC2.
    pub options: Options,
    /// Names the request; the servers it has made are given when it comes again.
    pub client_token: Option<ClientToken>,
}

/// Where new servers are plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Plugs {
    /// Into the only network that their project can use.
    #[default]
    Auto,
    /// Here, in this order.
    These(Vec<Plug>),
}

/// One place where a new server is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// Into this network, in this subnet and at this address if given.
    Network(NetworkId, WantedIp),
    /// Into this port.
    Port(PortId),
}

impl Server {
    /// What a server is called to which nobody has given a name.
    pub fn default_name(id: ServerId) -> String {
        format!("Server {id}")
    }

    /// Whether nobody has given it a name.
    pub fn has_default_name(&self) -> bool {
        self.name.strip_prefix("Server ").is_some_and(|id| id == self.id.to_string())
    }

    /// The value of the API's `status`, which tells state and task in one word.
    pub fn status(&self) -> &'static str {
        match (self.state, self.task) {
            (State::Building, _) => "BUILD",
            (State::Active | State::Stopped | State::Error, Some(Task::Rebuilding)) => "REBUILD",
            (State::Active | State::Stopped, Some(Task::Resizing)) => "RESIZE",
            (State::Resized, Some(Task::RevertingResize)) => "REVERT_RESIZE",
            (State::Active, Some(Task::SoftReboot)) => "REBOOT",
            (State::Active, Some(Task::HardReboot | Task::Restarting)) => "HARD_REBOOT",
            (State::Active, _) => "ACTIVE",
            (State::Paused, _) => "PAUSED",
            (State::Suspended, _) => "SUSPENDED",
            (State::Stopped, _) => "SHUTOFF",
            (State::Resized, _) => "VERIFY_RESIZE",
            (State::Shelved, _) => "SHELVED_OFFLOADED",
            (State::Error, _) => "ERROR",
        }
    }

    /// What the machine calls it.
    pub fn instance_name(&self) -> String {
        format!("instance-{:08x}", self.number)
    }

    /// Whether it is off, and stays so when it is rebuilt or resized.
    pub fn is_off(&self) -> bool {
        self.resize.as_ref().map_or(self.state == State::Stopped, |resize| resize.off)
    }

    /// Whether it has a place on a machine.
    pub fn is_placed(&self) -> bool {
        !matches!(self.state, State::Building | State::Shelved)
    }

    /// The task that a request would begin, unless the server's state or its lock forbids that.
    pub(super) fn check_request(&self, caller: &Caller, request: Request) -> Result<Task, Error> {
        self.check_lock(caller)?;
        let refusal = |obstacle| Refusal { server: self.id, request, obstacle };
        let task = request.begin(self.state, self.task).map_err(refusal)?;
        if self.ports.is_empty() && request != Request::Delete {
            let id = self.id;
            return Err(Error::Conflict(format!("Instance {id} has no address and cannot run")));
        }
        Ok(task)
    }

    /// The value of the API's `power_state`.
    pub fn power_state(&self) -> u8 {
        match self.state {
            State::Building | State::Error => 0,
            State::Active => 1,
            State::Resized if !self.is_off() => 1,
            State::Paused => 3,
            State::Stopped | State::Suspended | State::Resized | State::Shelved => 4,
        }
    }

    /// Notes that something begins to be done to it.
    pub(super) fn begin(
        &mut self,
        action: &str,
        request_id: &str,
        user: UserId,
        now: OffsetDateTime,
    ) {
        self.updated = now;
        if self.events.len() == EVENTS_MAX {
            self.events.remove(0);
        }
        self.events.push(Event {
            action: action.to_owned(),
            request_id: request_id.to_owned(),
            user_id: user,
            message: None,
            started: now,
            updated: now,
        });
    }
}

/// A name that a host can have, made from a server's name as Nova makes it.
pub fn host_name(name: &str) -> String {
    let mut host: String = name
        .chars()
        .filter_map(|c| match c {
            ' ' | '_' => Some('-'),
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => {
                Some(c.to_ascii_lowercase())
            }
            _ => None,
        })
        .collect();
    host.truncate(63);
    let host = host.trim_matches(['.', '-']);
    if host.is_empty() { "server".to_owned() } else { host.to_owned() }
}

record!(Server, ServerId, "server", ServerIndex);

/// What is known of all servers together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServerIndex {
    /// How many each project has.
    pub projects: Totals<ProjectId>,
    /// The virtual processors of each project's.
    pub cores: Totals<ProjectId>,
    /// The memory of each project's, in MiB.
    pub ram: Totals<ProjectId>,
    /// Them by id.
    pub ids: Places<ServerId>,
    /// Them by group.
    pub groups: Places<ServerGroupId>,
    /// Them by the project and the name of the request that made them.
    pub requests: Places<(ProjectId, String)>,
    /// Hashed, so that the time of a search tells nothing of how much of a guess is right.
    metadata_tokens: HashMap<String, u64>,
}

impl ServerIndex {
    /// The place of the server that a token of the metadata service belongs to.
    pub fn by_metadata_token(&self, token: &str) -> impl Iterator<Item = u64> {
        self.metadata_tokens.get(token).copied().into_iter()
    }
}

impl Index<Server> for ServerIndex {
    fn take(&mut self, step: Step, place: u64, server: &Server) {
        self.projects.take(step, server.project_id, 1);
        self.cores.take(step, server.project_id, server.flavor.vcpus.into());
        self.ram.take(step, server.project_id, server.flavor.ram_mib);
        self.ids.take(step, place, server.id);
        if let Some(group) = server.group_id {
            self.groups.take(step, place, group);
        }
        if let Some(request) = &server.client_token {
            self.requests.take(step, place, (server.project_id, request.token.clone()));
        }
        match step {
            Step::In => self.metadata_tokens.insert(server.metadata_token.clone(), place),
            Step::Out => self.metadata_tokens.remove(&server.metadata_token),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_one_that_a_host_can_have() {
        for (name, host) in [
            ("web_1", "web-1"),
            ("My Server", "my-server"),
            ("-.a.-", "a"),
            ("äöü", "server"),
            (&"x".repeat(80), &"x".repeat(63)),
        ] {
            assert_eq!(host_name(name), host);
        }
    }
}
