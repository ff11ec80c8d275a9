//! What may become of servers: every decision, without carrying any of it out.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use uuid::Uuid;

use super::absence::after_absence;
use super::error::{Error, Kind};
use super::life::{Request, State, Task};
use super::quota::{self, Demand};
use super::server::{Fault, Server};
use super::table::Changing;
use super::{Caller, Model, ProjectId, ServerId};
use crate::backends::{ImageSource, ServerSpec, Survivor};
use crate::metadata;

impl Model {
    /// A server that the caller may see.
    pub fn server(&self, caller: &Caller, id: &str) -> Result<&Server, Error> {
        let found = id.parse().ok().and_then(|id| self.servers.get(id));
        found
            .filter(|server| caller.sees(server.project_id))
            .ok_or_else(|| Error::not_found(Kind::Server, id))
    }

    /// A server that the caller may see, to be changed.
    pub fn server_mut(&mut self, caller: &Caller, id: &str) -> Result<Changing<'_, Server>, Error> {
        let id = self.server(caller, id)?.id;
        self.servers.get_mut(id).ok_or_else(|| Error::not_found(Kind::Server, id))
    }

    /// Begins what was asked of a server.
    pub fn begin(
        &mut self,
        caller: &Caller,
        id: &str,
        request: Request,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(ServerId, Task), Error> {
        let mut server = self.server_mut(caller, id)?;
        let task = server.check_request(caller, request)?;
        server.task = Some(task);
        server.begin(request.verb(), request_id, caller.user_id, now);
        Ok((server.id, task))
    }

    /// Records how a task ended, unless another has taken its place. Gives the floating
    /// addresses that lead nowhere from now on.
    pub fn finish(
        &mut self,
        id: ServerId,
        task: Task,
        result: Result<(), String>,
        now: OffsetDateTime,
    ) -> Vec<Ipv4Addr> {
        let Some(mut server) = self.servers.get_mut(id).filter(|server| server.task == Some(task))
        else {
            return Vec::new();
        };
        server.task = None;
        server.updated = now;
        if let Some(event) = server.events.last_mut() {
            event.updated = now;
            event.message = result.as_ref().err().cloned();
        }
        match (result, task.outcome(server.state, server.is_off())) {
            (Ok(()), Some(state)) => {
                if task == Task::RevertingResize
                    && let Some(before) = server.resize.take()
                {
                    server.flavor = before.flavor;
                }
                if state != State::Resized {
                    server.resize = None;
                }
                server.state = state;
                server.fault = None;
                if state == State::Active {
                    server.launched.get_or_insert(now);
                }
                Vec::new()
            }
            (Ok(()), None) => {
                drop(server);
                let Some(server) = self.servers.remove(id) else { return Vec::new() };
                let unrouted = self.unplug(&server.ports, now);
                self.remember(server, now);
                self.release_volumes(id, now);
                unrouted
            }
            (Err(message), _) => {
                server.state = State::Error;
                server.resize = None;
                server.fault = Some(Fault { message, created: now });
                Vec::new()
            }
        }
    }

    /// Records that a server ended by itself; whatever is being done to it then knows better.
    pub fn server_ended(&mut self, id: ServerId, now: OffsetDateTime) -> bool {
        let idle = |server: &Changing<'_, Server>| server.task.is_none();
        let Some(mut server) = self.servers.get_mut(id).filter(idle) else { return false };
        let Server { state, resize, .. } = &mut *server;
        match (*state, resize) {
            (State::Active | State::Paused, _) => *state = State::Stopped,
            (State::Resized, Some(resize)) if !resize.off => resize.off = true,
            _ => return false,
        }
        let user = server.user_id;
        server.begin("stop", "", user, now);
        true
    }

    /// Begins to remove a server that has ended by itself, if it was to be removed then.
    pub fn begin_removal_after_end(&mut self, id: ServerId, now: OffsetDateTime) -> Option<Task> {
        let mut server = self.servers.get_mut(id)?;
        if !server.options.terminates_on_shutdown || server.state != State::Stopped {
            return None;
        }
        let user = server.user_id;
        server.begin("delete", "", user, now);
        server.task = Some(Task::Deleting);
        server.task
    }

    /// Says what a server is, whatever it was and whatever is being done to it.
    pub fn reset_state(
        &mut self,
        caller: &Caller,
        id: &str,
        state: State,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut server = self.server_mut(caller, id)?;
        (server.state, server.task) = (state, None);
        server.begin("resetState", request_id, caller.user_id, now);
        Ok(())
    }

    /// Refuses a server in which no agent could listen now.
    pub fn check_agent(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let server = self.server(caller, id)?;
        server.check_lock(caller)?;
        if server.state == State::Active {
            return Ok(());
        }
        let state = server.state.vm_state();
        Err(Error::Conflict(format!(
            "Cannot 'changePassword' instance {id} while it is in vm_state {state}"
        )))
    }

    /// Decides what each server needs after the cloud itself was away: running ones are started
    /// again, interrupted work is taken up, the rest stays as it was.
    pub fn resume(
        &mut self,
        survivors: &HashMap<Uuid, Survivor>,
        now: OffsetDateTime,
    ) -> Vec<(ServerId, Task)> {
        self.requeue_cut_uploads();
        let needs = |server: &Server| {
            let survivor = survivors.get(&server.id.0).copied();
            let (state, task) = after_absence(server.state, server.task, survivor);
            let quiet = (state, task) == (server.state, server.task) && task.is_none();
            (!quiet).then_some((server.id, state, task))
        };
        let needy: Vec<_> = self.servers.iter().filter_map(needs).collect();
        let mut work = Vec::new();
        for (id, state, task) in needy {
            let Some(mut server) = self.servers.get_mut(id) else { continue };
            (server.state, server.task, server.updated) = (state, task, now);
            work.extend(task.map(|task| (id, task)));
        }
        work
    }

    /// What the backend needs to know to start a server, which finds the cloud at the URL: all but
    /// its neighbours.
    pub fn spec(&self, id: ServerId, cloud_url: &str) -> Option<ServerSpec> {
        let server = self.servers.get(id)?;
        let port = self.primary_port(server)?;
        let image = self.images.get(server.image_id);
        let source = match (&server.image_source, image) {
            // What the image was when the disk was made is below the disk for ever.
            (source @ ImageSource::Directory { .. }, _) | (source, None) => source,
            (_, Some(image)) => &image.source,
        };
        let decoded = |data: &String| STANDARD.decode(data).ok();
        Some(ServerSpec {
            id: id.0,
            hostname: server.hostname.clone(),
            image: source.clone(),
            layer: None,
            vcpus: server.flavor.vcpus,
            memory_mib: server.flavor.ram_mib,
            disk_gib: server.flavor.disk_gib,
            fixed_ip: port.address()?,
            interfaces: self.server_interfaces(server),
            metadata_url: format!("{cloud_url}/metadata/{}", server.metadata_token),
            meta_data: metadata::meta_data(self, server),
            user_data: server.user_data.as_ref().and_then(decoded),
            authorized_keys: server.key.iter().map(|(_, key)| key.clone()).collect(),
            hosts: Vec::new(),
            volumes: self.shown_volumes(id),
        })
    }

    /// Addresses and names of all servers of a project.
    pub fn hosts(&self, project: ProjectId) -> Vec<(Ipv4Addr, String)> {
        self.servers
            .iter()
            .filter(|server| server.project_id == project)
            .filter_map(|server| {
                Some((self.primary_port(server)?.address()?, server.hostname.clone()))
            })
            .collect()
    }

    /// Replaces or adds metadata of a server, within the quota.
    pub fn set_metadata(
        &mut self,
        caller: &Caller,
        id: &str,
        metadata: BTreeMap<String, String>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let server = self.server(caller, id)?;
        server.check_lock(caller)?;
        self.check_metadata(server.project_id, &metadata)?;
        let mut server = self.server_mut(caller, id)?;
        server.metadata = metadata;
        server.updated = now;
        Ok(())
    }

    /// Refuses more metadata than the project's quota allows for one server.
    pub(super) fn check_metadata(
        &self,
        project: ProjectId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let (requested, limit) = (metadata.len() as u64, self.quotas(project).metadata_items);
        quota::check(&[Demand { resource: "metadata_items", used: 0, requested, limit }])
    }
}
