//! Interfaces of servers that are there already: plugged in and pulled out.

use std::net::Ipv4Addr;

use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::life::{Obstacle, State};
use super::{Caller, FixedIp, Model, Plug, Port, PortId, Server, ServerId, WantedIp};
use crate::backends::{Interface, InterfaceAddress};

/// Where to plug in a server that is there already.
#[derive(Debug, Clone, Default)]
pub struct AttachPlug {
    /// The network; the only one that the project can use when neither is given.
    pub network: Option<String>,
    /// The address on the network.
    pub address: Option<Ipv4Addr>,
    /// The port.
    pub port: Option<String>,
}

impl Model {
    /// Plugs a server into one more place.
    pub fn attach_interface(
        &mut self,
        caller: &Caller,
        server: &str,
        wanted: &AttachPlug,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<PortId, Error> {
        let server = self.server(caller, server)?;
        check_server(caller, "attach_interface", server)?;
        let (id, project) = (server.id, server.project_id);
        let groups = server.security_groups.clone();
        let plug = match (&wanted.port, &wanted.network) {
            (Some(port), _) => Plug::Port(self.port(caller, port)?.id),
            (None, Some(network)) => {
                let place = WantedIp::at(wanted.address);
                Plug::Network(self.network(caller, network)?.id, place)
            }
            (None, None) => {
                let only = self.only_network(project);
                let only = only.map_err(|error| Error::Invalid(error.to_string()))?;
                Plug::Network(only, WantedIp::default())
            }
        };
        self.check_plug(caller, plug, 1)?;
        let port = self.plug_into(id, project, plug, &groups, now)?;
        if let Some(mut server) = self.servers.get_mut(id) {
            server.ports.push(port);
            server.begin("attach_interface", request_id, caller.user_id, now);
        }
        Ok(port)
    }

    /// Pulls a server out of a port; a port that was made for it goes. Gives the floating
    /// addresses that lead nowhere from now on.
    pub fn detach_interface(
        &mut self,
        caller: &Caller,
        server: &str,
        port: &str,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<Ipv4Addr>, Error> {
        let server = self.server(caller, server)?;
        check_server(caller, "detach_interface", server)?;
        let id = server.id;
        let port = self.interface(server, port)?;
        // What runs answers at this address: nobody else must get it meanwhile.
        let primary = self.primary_port(server).is_some_and(|primary| primary.id == port);
        if primary && server.state != State::Stopped {
            return Err(Error::Conflict(refusal(
                "detach_interface",
                id,
                Obstacle::State(server.state),
            )));
        }
        if let Some(mut server) = self.servers.get_mut(id) {
            server.ports.retain(|known| *known != port);
            server.begin("detach_interface", request_id, caller.user_id, now);
        }
        Ok(self.unplug(&[port], now))
    }

    /// The interfaces of a server that have addresses, the one that it is known by first.
    pub(crate) fn server_interfaces(&self, server: &Server) -> Vec<Interface> {
        let address = |fixed: &FixedIp| {
            let subnet = self.subnets.get(fixed.subnet_id)?;
            let (address, gateway) = (fixed.address, subnet.gateway);
            Some(InterfaceAddress { address, subnet: subnet.block, gateway })
        };
        let routes = |fixed: &FixedIp| {
            let routes = self.subnets.get(fixed.subnet_id).map(|it| it.host_routes.as_slice());
            routes.unwrap_or_default().iter().map(|route| (route.destination, route.nexthop))
        };
        let interface = |port: &Port| Interface {
            mac: port.mac.clone(),
            mtu: self.networks.get(port.network_id).map(|network| network.mtu),
            routes: port.fixed_ips.iter().flat_map(routes).collect(),
            addresses: port.fixed_ips.iter().filter_map(address).collect(),
        };
        let interfaces = self.ports_of(server).map(interface);
        interfaces.filter(|interface| !interface.addresses.is_empty()).collect()
    }

    /// The port of a server with an id.
    pub fn interface(&self, server: &Server, port: &str) -> Result<PortId, Error> {
        let mut ports = server.ports.iter().copied();
        let found = ports.find(|known| known.to_string() == port);
        found.ok_or_else(|| Error::not_found(Kind::Port, port))
    }
}

fn check_server(caller: &Caller, verb: &str, server: &Server) -> Result<(), Error> {
    server.check_lock(caller)?;
    let obstacle = match (server.state, server.task) {
        (State::Active | State::Paused | State::Stopped, None) => return Ok(()),
        (State::Active | State::Paused | State::Stopped, Some(task)) => Obstacle::Task(task),
        (
            state @ (State::Building
            | State::Suspended
            | State::Resized
            | State::Shelved
            | State::Error),
            _,
        ) => Obstacle::State(state),
    };
    Err(Error::Conflict(refusal(verb, server.id, obstacle)))
}

fn refusal(verb: &str, server: ServerId, obstacle: Obstacle) -> String {
    format!("Cannot '{verb}' instance {server} while it is in {obstacle}")
}
