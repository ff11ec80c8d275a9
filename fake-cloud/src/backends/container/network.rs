//! The network of containers: floating addresses lead to their open ports as they do on loopback,
//! everything else is the engine's, guarded in each container.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;
use bollard::models::{ContainerInspectResponse, EndpointSettings};
use tokio::net::TcpSocket;
use uuid::Uuid;

use super::guard::Guard;
use super::{Container, Inner, body, name};
use crate::backends::{BackendError, ServerSpec};
use crate::model::firewall::Firewall;
use crate::network::Network;
use crate::network::loopback::Loopback;
use crate::network::loopback::forward::{Door, Forward};

/// The network of a backend's containers; clones are the same network.
#[derive(Debug, Clone)]
pub struct Containers {
    backend: Container,
    floating: Loopback,
}

/// Where a container is in the engine's network.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fixed: Ipv4Addr,
    endpoint: EndpointSettings,
}

impl Place {
    pub(super) fn of(server: &ServerSpec) -> Self {
        Self { fixed: server.fixed_ip, endpoint: body::endpoint(server) }
    }
}

impl Containers {
    /// The network of this backend, which tells `floating` what is open in containers.
    pub fn new(backend: Container, floating: Loopback) -> Self {
        Self { backend, floating }
    }
}

/// What enforces security groups, where that is possible.
pub(super) async fn guard(gateway: Ipv4Addr) -> Option<Guard> {
    match Guard::open(gateway).await {
        Ok(guard) => Some(guard),
        Err(error) => {
            tracing::warn!(
                %error,
                "security groups are enforced at floating IPs only, and not between containers: \
                 for that the cloud must run as root, with `nft`"
            );
            None
        }
    }
}

/// Lets containers reach the API, which listens where they cannot go.
pub(super) fn relay(gateway: Ipv4Addr, api: SocketAddr) -> Option<Forward> {
    let SocketAddr::V4(api) = api else { return None };
    let from = SocketAddrV4::new(gateway, api.port());
    let door = Door { admits: Box::new(|_| true), keep: Box::new(Some) };
    // Podman gives itself the address with its first container.
    let listener = TcpSocket::new_v4().and_then(|socket| {
        rustix::net::sockopt::set_ip_freebind(&socket, true)?;
        socket.set_reuseaddr(true)?;
        socket.bind(from.into())?;
        socket.listen(1024)
    });
    match listener {
        Ok(listener) => Some(Forward::of(listener, api, door)),
        // The API listens at every address.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        Err(error) => {
            tracing::warn!(%from, %error, "containers cannot reach the metadata service");
            None
        }
    }
}

#[async_trait]
impl Network for Containers {
    async fn associate(&self, floating: Ipv4Addr, fixed: Ipv4Addr) -> io::Result<()> {
        self.floating.associate(floating, fixed).await
    }

    async fn disassociate(&self, floating: Ipv4Addr) {
        self.floating.disassociate(floating).await;
    }

    async fn cut_off(&self, fixed: Ipv4Addr) -> io::Result<()> {
        self.floating.cut_off(fixed).await?;
        self.backend.0.cut_off(fixed).await.map_err(io::Error::other)
    }

    async fn rejoin(&self, fixed: Ipv4Addr) {
        if let Err(error) = self.backend.0.rejoin(fixed).await {
            let error = crate::cloud::chain(&error);
            tracing::error!(%fixed, error, "failed to let a server rejoin the network");
        }
        self.floating.rejoin(fixed).await;
    }

    fn guards(&self) -> bool {
        self.backend.0.settings.enforce
    }

    async fn guard(&self, firewall: Firewall) -> io::Result<()> {
        if let Some(guard) = &self.backend.0.guard {
            guard.follow(firewall.clone()).await?;
        }
        self.floating.guard(firewall).await
    }
}

impl Inner {
    /// The addresses of servers that are cut off.
    fn cut(&self) -> MutexGuard<'_, HashSet<Ipv4Addr>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running server with an address, and its place.
    fn running_at(&self, fixed: Ipv4Addr) -> Option<(Uuid, EndpointSettings)> {
        let places = self.running();
        let (id, place) = places.iter().find(|(_, place)| place.fixed == fixed)?;
        Some((*id, place.endpoint.clone()))
    }

    async fn cut_off(&self, fixed: Ipv4Addr) -> Result<(), BackendError> {
        if !self.cut().insert(fixed) {
            return Ok(());
        }
        match self.running_at(fixed) {
            Some((id, _)) => self.engine.disconnect(&self.network, &name(id)).await,
            // When it starts.
            None => Ok(()),
        }
    }

    async fn rejoin(&self, fixed: Ipv4Addr) -> Result<(), BackendError> {
        if !self.cut().remove(&fixed) {
            return Ok(());
        }
        match self.running_at(fixed) {
            Some((id, place)) => self.engine.connect_to(&self.network, &name(id), place).await,
            None => Ok(()),
        }
    }

    /// Puts a container that is off into its network again, from which it was cut off when it ended.
    pub(super) async fn replace(
        &self,
        server: &ServerSpec,
        container: ContainerInspectResponse,
    ) -> Result<(), BackendError> {
        let networks = container.network_settings.and_then(|it| it.networks).unwrap_or_default();
        if networks.contains_key(&self.network) {
            return Ok(());
        }
        let (place, name) = (body::endpoint(server), name(server.id));
        self.engine.connect_to(&self.network, &name, place).await
    }

    /// Guards a container that was just started, before anything runs in it.
    pub(super) async fn secure(
        &self,
        server: &ServerSpec,
        process: i64,
    ) -> Result<(), BackendError> {
        if let Some(guard) = &self.guard {
            let guarded = guard.enter(server.fixed_ip, process).await;
            guarded.map_err(BackendError::step("enforce the security groups of the server"))?;
        }
        let is_cut = self.cut().contains(&server.fixed_ip);
        if is_cut {
            self.engine.disconnect(&self.network, &name(server.id)).await?;
        }
        Ok(())
    }
}
