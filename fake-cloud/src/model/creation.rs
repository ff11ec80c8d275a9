//! New servers: what must be true before there are any, and what they are at first.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::{Error, Kind};
use super::life::{State, Task};
use super::quota::{self, Demand};
use super::security::DEFAULT_GROUP;
use super::server::{Fault, NewServers, Plug, Plugs, Server, host_name};
use super::{
    Caller, Device, Flavor, Image, ImageStatus, Model, Network, NetworkId, NewPort, PortId,
    ProjectId, SecurityGroupId, ServerId, Subnet, WantedIp,
};

/// The largest user-data that is taken, in its base64 form.
const USER_DATA_MAX: usize = 65_535;

impl Model {
    /// The servers that a request has made already; refused when it was another request.
    pub fn made_before(
        &self,
        project: ProjectId,
        wanted: &NewServers,
    ) -> Result<Option<Vec<ServerId>>, Error> {
        let Some(wanted) = &wanted.client_token else { return Ok(None) };
        let request = || (project, wanted.token.clone());
        let present = self.servers.at(self.servers.index().requests.of(request()));
        let gone = self.terminated.at(self.terminated.index().requests.of(request()));
        let made: Vec<&Server> = present.chain(gone.map(|gone| &gone.server)).collect();
        if made.iter().any(|server| server.client_token.as_ref() != Some(wanted)) {
            return Err(Error::OtherRequest(wanted.token.clone()));
        }
        Ok((!made.is_empty()).then(|| made.into_iter().map(|server| server.id).collect()))
    }

    /// Records new servers, each with a port of its own; all of them or none.
    pub fn create_servers(
        &mut self,
        caller: &Caller,
        project: ProjectId,
        wanted: &NewServers,
        now: OffsetDateTime,
    ) -> Result<Vec<ServerId>, Error> {
        let flavor = self
            .flavor(caller, &wanted.flavor)
            .map_err(|_| Error::Invalid(format!("Flavor {} could not be found.", wanted.flavor)))?
            .clone();
        let (image_id, image_source) = match &wanted.root {
            Some(root) => self.image_of_volume(caller, project, root, now)?,
            None => {
                let image = self.bootable_image(caller, &wanted.image)?;
                check_fit(&flavor, image)?;
                (image.id, image.source.clone())
            }
        };
        check_user_data(wanted.user_data.as_deref())?;
        let key = match &wanted.key_name {
            Some(name) => Some(
                self.key_pair(caller.user_id, name)
                    .map_err(|_| Error::Invalid("Invalid key_name provided.".to_owned()))?,
            ),
            None => None,
        };
        let key = key.map(|key| (key.name.clone(), key.public_key.clone()));
        let groups = self.groups_for(project, &wanted.security_groups)?;
        self.check_metadata(project, &wanted.metadata)?;
        let count = self.affordable(project, &flavor, wanted.min_count, wanted.max_count)?;
        let plugs = self.check_plugs(caller, project, &wanted.plugs, count)?;
        let count = match wanted.needs_addresses {
            true => self.addressable(&plugs, wanted.min_count, count)?,
            false => count,
        };
        self.check_launch_volumes(caller, project, wanted, count, now)?;
        let group = wanted.scheduler_hints.get("group").and_then(Value::as_str);
        let group = group.map(|group| self.join_group(caller, group, count)).transpose()?;
        let crowded = group.is_some_and(|(_, fits)| !fits) || !self.takes_servers();

        let reservation_id = format!("r-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let mut ids = Vec::new();
        for index in 0..count {
            let id = ServerId::random();
            let name = match wanted.max_count {
                _ if wanted.name.is_empty() => Server::default_name(id),
                1 => wanted.name.clone(),
                _ if wanted.same_name => wanted.name.clone(),
                _ => format!("{}-{}", wanted.name, index + 1),
            };
            let plugged = if crowded {
                Err(Error::NoHost)
            } else {
                self.plug_in(id, project, &plugs, &groups, now)
            };
            let (ports, fault) = match plugged {
                Ok(ports) => (ports, None),
                Err(error @ Error::NoAddress(_)) => {
                    let message = format!("Build of instance {id} aborted: {error}");
                    (Vec::new(), Some(Fault { message, created: now }))
                }
                Err(error @ Error::NoHost) => {
                    (Vec::new(), Some(Fault { message: error.to_string(), created: now }))
                }
                Err(error) => return Err(error),
            };
            let failed = fault.is_some();
            let mut server = Server {
                id,
                project_id: project,
                user_id: caller.user_id,
                hostname: host_name(wanted.hostname.as_deref().unwrap_or(&name)),
                name,
                description: wanted.description.clone(),
                flavor: flavor.clone(),
                image_id,
                image_source: image_source.clone(),
                key: key.clone(),
                user_data: wanted.user_data.clone(),
                metadata: wanted.metadata.clone(),
                tags: wanted.tags.clone(),
                client_token: wanted.client_token.clone(),
                options: wanted.options.clone(),
                security_groups: groups.clone(),
                ports,
                reservation_id: reservation_id.clone(),
                launch_index: index,
                number: self.servers.iter().next_back().map_or(1, |last| last.number + 1),
                metadata_token: Uuid::new_v4().simple().to_string(),
                group_id: group.map(|(id, _)| id),
                scheduler_hints: wanted.scheduler_hints.clone(),
                volume_backed: wanted.root.is_some(),
                lock: None,
                resize: None,
                state: if failed { State::Error } else { State::Building },
                task: (!failed).then_some(Task::Spawning),
                fault,
                events: Vec::new(),
                created: now,
                updated: now,
                launched: None,
            };
            server.begin("create", &wanted.request_id, caller.user_id, now);
            self.servers.insert(server);
            if !failed {
                self.launch_volumes(caller, project, id, wanted, now)?;
            }
            ids.push(id);
        }
        Ok(ids)
    }

    fn bootable_image(&self, caller: &Caller, id: &str) -> Result<&Image, Error> {
        self.active_image(caller, id).map_err(|error| match error {
            Error::NotFound { .. } => Error::Invalid("Can not find requested image".to_owned()),
            other => other,
        })
    }

    /// An image that the caller may see and that has its content.
    pub(crate) fn active_image(&self, caller: &Caller, id: &str) -> Result<&Image, Error> {
        let image = self.image(caller, id)?;
        match image.status {
            ImageStatus::Active => Ok(image),
            ImageStatus::Queued
            | ImageStatus::Saving
            | ImageStatus::Uploading
            | ImageStatus::Deactivated => Err(Error::Invalid(format!("Image {id} is not active."))),
        }
    }

    fn groups_for(
        &self,
        project: ProjectId,
        names: &[String],
    ) -> Result<Vec<SecurityGroupId>, Error> {
        if names.is_empty() {
            let default = self.find_security_group(project, DEFAULT_GROUP);
            return Ok(default.map(|group| group.id).into_iter().collect());
        }
        let missing = |name: &String| {
            Error::Invalid(format!("Security group {name} not found for project {project}."))
        };
        let find = |name: &String| {
            self.find_security_group(project, name).map(|group| group.id).map_err(|_| missing(name))
        };
        names.iter().map(find).collect()
    }

    /// The places to plug each server into; plugging in can fail for want of a free address only.
    fn check_plugs(
        &self,
        caller: &Caller,
        project: ProjectId,
        plugs: &Plugs,
        count: u32,
    ) -> Result<Vec<Plug>, Error> {
        let plugs = match plugs {
            Plugs::Auto => vec![Plug::Network(self.only_network(project)?, WantedIp::default())],
            Plugs::These(plugs) => plugs.clone(),
        };
        let new = plugs.iter().filter(|plug| matches!(plug, Plug::Network(..))).count();
        self.check_ports(project, new as u64 * u64::from(count))?;
        for (index, plug) in plugs.iter().enumerate() {
            self.check_plug(caller, *plug, count)?;
            if matches!(plug, Plug::Port(_)) && plugs[..index].contains(plug) {
                return Err(Error::Invalid("Port is given more than once.".to_owned()));
            }
        }
        Ok(plugs)
    }

    /// The only network that a project can plug servers into.
    pub(super) fn only_network(&self, project: ProjectId) -> Result<NetworkId, Error> {
        let usable = |network: &&Network| {
            !network.external && (network.project_id == project || network.is_shared_with(project))
        };
        let mut usable = self.networks.iter().filter(usable);
        match (usable.next(), usable.next()) {
            (Some(only), None) => Ok(only.id),
            (None, _) => Err(Error::Conflict("No network to plug the server into".to_owned())),
            (Some(_), Some(_)) => Err(Error::Conflict(
                "Multiple possible networks found, use a Network ID to be more specific."
                    .to_owned(),
            )),
        }
    }

    pub(super) fn check_plug(&self, caller: &Caller, plug: Plug, count: u32) -> Result<(), Error> {
        match plug {
            Plug::Network(id, wanted) => {
                let missing = |_| Error::Invalid(format!("Network {id} could not be found."));
                let network = self.network(caller, &id.to_string()).map_err(missing)?;
                if network.external && !caller.is_admin {
                    return Err(Error::Forbidden(format!(
                        "It is not allowed to create an interface on external network {id}"
                    )));
                }
                if self.subnets_of(id).next().is_none() {
                    return Err(Error::Invalid(format!(
                        "Network {id} requires a subnet in order to boot instances on."
                    )));
                }
                if wanted.address.is_some() {
                    check_single(count, "fixed IP")?;
                    self.choose_fixed_ips(id, Some(&[wanted]), None)?;
                }
                Ok(())
            }
            Plug::Port(id) => {
                let port = self
                    .port(caller, &id.to_string())
                    .map_err(|_| Error::Invalid(format!("Port id {id} could not be found.")))?;
                if !matches!(port.device, Device::Nothing | Device::Other { .. }) {
                    return Err(Error::Conflict(format!("Port {id} is still in use.")));
                }
                if port.fixed_ips.is_empty() {
                    return Err(Error::Invalid(format!(
                        "Port {id} requires a FixedIP in order to be used."
                    )));
                }
                check_single(count, "configured port ID")
            }
        }
    }

    /// How many servers of the flavor the quota allows, at least `min`.
    fn affordable(
        &self,
        project: ProjectId,
        flavor: &Flavor,
        min: u32,
        max: u32,
    ) -> Result<u32, Error> {
        let (quotas, usage) = (self.quotas(project), self.usage(project));
        let demand = |resource, used, requested, limit| Demand { resource, used, requested, limit };
        let fits = |count: u32| {
            let count = u64::from(count);
            quota::check(&[
                demand("cores", usage.cores, count * u64::from(flavor.vcpus), quotas.cores),
                demand("instances", usage.instances, count, quotas.instances),
                demand("ram", usage.ram, count * flavor.ram_mib, quotas.ram),
            ])
        };
        match fits(max) {
            Ok(()) => Ok(max),
            Err(refusal) => (min..max).rev().find(|count| fits(*count).is_ok()).ok_or(refusal),
        }
    }

    /// How many servers with these places there are addresses for, at least `min`.
    fn addressable(&self, plugs: &[Plug], min: u32, max: u32) -> Result<u32, Error> {
        let mut wanted: BTreeMap<_, u32> = BTreeMap::new();
        for plug in plugs {
            if let Plug::Network(network, WantedIp { subnet_id, address: None }) = plug {
                *wanted.entry((*network, *subnet_id)).or_default() += 1;
            }
        }
        wanted.into_iter().try_fold(max, |count, ((network, subnet), each)| {
            self.check_pool(network)?;
            let meant = |it: &&Subnet| subnet.is_none_or(|id| it.id == id);
            let meant = self.subnets_of(network).filter(meant);
            let free: u64 = meant.map(|subnet| self.free_addresses(subnet)).sum();
            let enough = u32::try_from(free / u64::from(each)).unwrap_or(u32::MAX);
            if enough < min { Err(Error::NoAddress(network)) } else { Ok(count.min(enough)) }
        })
    }

    /// Plugs a server into all of its places, or into none.
    fn plug_in(
        &mut self,
        server: ServerId,
        project: ProjectId,
        plugs: &[Plug],
        groups: &[SecurityGroupId],
        now: OffsetDateTime,
    ) -> Result<Vec<PortId>, Error> {
        let mut ports = Vec::new();
        for plug in plugs {
            match self.plug_into(server, project, *plug, groups, now) {
                Ok(port) => ports.push(port),
                Err(error) => {
                    self.unplug(&ports, now);
                    return Err(error);
                }
            }
        }
        Ok(ports)
    }

    /// Plugs a server into one place.
    pub fn plug_into(
        &mut self,
        server: ServerId,
        project: ProjectId,
        plug: Plug,
        groups: &[SecurityGroupId],
        now: OffsetDateTime,
    ) -> Result<PortId, Error> {
        let (id, new) = match plug {
            Plug::Port(id) => (id, false),
            Plug::Network(network_id, wanted) => {
                let anywhere = wanted == WantedIp::default();
                let port = NewPort {
                    fixed_ips: (!anywhere).then(|| vec![wanted]),
                    security_groups: groups.to_vec(),
                    ..NewPort::on(network_id, project)
                };
                (self.create_port(port, now)?, true)
            }
        };
        let mut port = self.ports.get_mut(id).ok_or_else(|| Error::not_found(Kind::Port, id))?;
        port.device = Device::Server(server);
        port.goes_with_server = new;
        port.standard.touch(now);
        Ok(id)
    }
}

pub(super) fn check_fit(flavor: &Flavor, image: &Image) -> Result<(), Error> {
    if flavor.ram_mib < image.min_ram {
        return Err(Error::Invalid("Flavor's memory is too small for requested image.".to_owned()));
    }
    if flavor.disk_gib < image.min_disk {
        return Err(Error::Invalid(
            "Flavor's disk is smaller than the minimum size specified in image metadata."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses to give several servers what only one can have.
pub(super) fn check_single(count: u32, what: &str) -> Result<(), Error> {
    if count == 1 {
        return Ok(());
    }
    Err(Error::Invalid(format!("Unable to launch multiple instances with a single {what}.")))
}

/// Refuses user-data that is too long or no base64.
pub(crate) fn check_user_data(user_data: Option<&str>) -> Result<(), Error> {
    let Some(user_data) = user_data else { return Ok(()) };
    if user_data.len() > USER_DATA_MAX {
        return Err(Error::Invalid(format!(
            "Invalid input for field/attribute user_data. Value is longer than {USER_DATA_MAX} \
             characters."
        )));
    }
    STANDARD.decode(user_data).map(drop).map_err(|_| {
        Error::Invalid(
            "Invalid input for field/attribute user_data. Value is not valid base64.".to_owned(),
        )
    })
}
