//! Instances: servers as EC2 sees them.

pub(super) mod attributes;
pub(super) mod describe;
mod devices;
pub(super) mod life;
mod options;
pub(super) mod run;
pub(super) mod view;

use std::collections::BTreeMap;

use super::errors::Fault;
use super::ids::{Id, Kind};
use super::operation::Call;
use super::pages::Place;
use super::tags;
use crate::model::life::{State, Task};
use crate::model::{Model, SecurityGroupId, Server, ServerId, Terminated};

pub(super) use devices::is_root;
pub(super) use options::metadata_parameters;

/// A server, or what is remembered of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance<'a> {
    /// What it is, or was at last.
    pub(super) server: &'a Server,
    /// How it went, when it is gone.
    gone: Option<&'a Terminated>,
}

/// A state: EC2's number and name.
pub(super) type InstanceState = (u16, &'static str);

/// It is gone, and remembered.
const TERMINATED: InstanceState = (48, "terminated");

impl Instance<'_> {
    /// Its state in EC2's words. A server in error does not run and can be removed: it counts as
    /// stopped, and its state's reason says why.
    pub(super) fn state(&self) -> InstanceState {
        if self.gone.is_some() { TERMINATED } else { state(self.server) }
    }

    /// Its id.
    pub(super) fn id(&self) -> Id {
        Kind::Instance.id(self.server.id)
    }

    /// Whether only its memory is left.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// The tags it bears.
    fn tags(&self) -> BTreeMap<String, String> {
        tags(self.server)
    }
}

fn state(server: &Server) -> InstanceState {
    match (server.state, server.task) {
        (_, Some(Task::Deleting)) => (32, "shutting-down"),
        (_, Some(Task::PoweringOff)) => (64, "stopping"),
        (State::Building, _) | (State::Stopped, Some(Task::PoweringOn)) => (0, "pending"),
        (State::Resized, _) if !server.is_off() => (16, "running"),
        (State::Active | State::Paused | State::Suspended, _) => (16, "running"),
        (State::Stopped | State::Resized | State::Shelved | State::Error, _) => (80, "stopped"),
    }
}

/// A server's tags: its metadata, and its name if somebody has given it one.
pub(crate) fn tags(server: &Server) -> BTreeMap<String, String> {
    let named = Some(&server.name).filter(|_| !server.has_default_name());
    tags::with_name(&server.metadata, named)
}

/// The security groups that guard a server.
fn groups<'a>(model: &'a Model, server: &Server) -> &'a [SecurityGroupId] {
    model.primary_port(server).map(|port| port.security_groups.as_slice()).unwrap_or_default()
}

/// The project's servers, and then those that are gone; only those after a place if one is given.
fn all<'a>(
    call: &'a Call,
    model: &'a Model,
    after: Option<Place>,
) -> impl Iterator<Item = Instance<'a>> {
    let (alive, gone) = match after {
        None => (0, 0),
        Some((false, place)) => (place, 0),
        Some((true, place)) => (u64::MAX, place),
    };
    let alive = model.servers.after(alive).map(|server| Instance { server, gone: None });
    let gone = model.terminated.after(gone);
    let gone = gone.filter(|gone| gone.is_remembered(call.cloud.now()));
    let gone = gone.map(|gone| Instance { server: &gone.server, gone: Some(gone) });
    alive.chain(gone).filter(|instance| instance.server.project_id == call.project)
}

/// The instances that a request names; all of them must exist.
fn named<'a>(call: &'a Call, model: &'a Model) -> Result<Vec<Instance<'a>>, Fault> {
    let find = |text: &str| find(call, model, text);
    call.params.texts("InstanceId").into_iter().map(find).collect()
}

/// The instance with an id.
pub(super) fn find<'a>(
    call: &'a Call,
    model: &'a Model,
    text: &str,
) -> Result<Instance<'a>, Fault> {
    let missing = || Fault::missing(Kind::Instance, text);
    let (first, last) = Kind::Instance.parse(text)?.range().ok_or_else(missing)?;
    let (first, last) = (ServerId(first), ServerId(last));
    let alive = model.servers.at(model.servers.index().ids.between(first, last));
    let alive = alive.map(|server| Instance { server, gone: None });
    let gone = model.terminated.at(model.terminated.index().ids.between(first, last));
    let gone = gone.filter(|gone| gone.is_remembered(call.cloud.now()));
    let gone = gone.map(|gone| Instance { server: &gone.server, gone: Some(gone) });
    alive
        .chain(gone)
        .find(|instance| instance.server.project_id == call.project)
        .ok_or_else(missing)
}
