//! What runs servers and what makes their addresses answer, as the settings ask.

use std::net::TcpListener;
use std::sync::Arc;

#[cfg(feature = "container")]
use crate::backends::container;
use crate::backends::inert::Inert;
use crate::backends::process::{self, Process};
use crate::backends::{Backend, ExitSender};
use crate::fake_cloud::StartError;
#[cfg(feature = "container")]
use crate::model::address::Block;
use crate::network::bridge::{self, Bridge};
use crate::network::loopback::Loopback;
#[cfg(feature = "container")]
use crate::network::loopback::listening::OpenPorts;
use crate::network::{self, Network, PortWatcher, Switch, Wiring};
use crate::settings::{BackendKind, Listen, NetworkKind, Settings};

/// The cloud's surroundings.
#[derive(Debug)]
pub(crate) struct World {
    /// Where the API listens.
    pub(crate) listener: TcpListener,
    /// What runs the servers.
    pub(crate) backend: Arc<dyn Backend>,
    /// What makes addresses answer.
    pub(crate) network: Arc<dyn Network>,
    /// Where servers find the cloud, if not where others do.
    pub(crate) entrance: Option<TcpListener>,
}

impl World {
    /// Makes what the settings ask for.
    pub(crate) async fn open(settings: &Settings, exits: ExitSender) -> Result<Self, StartError> {
        let bridge = match &settings.network {
            NetworkKind::Bridge { name, outside } if settings.backend == BackendKind::Process => {
                Some(Arc::new(bridge(settings, name, *outside).await?))
            }
            NetworkKind::Bridge { .. } | NetworkKind::Loopback => None,
        };
        // Its address may be one of the bridge's network.
        let listener = listen(&settings.listen)?;
        let (backend, network): Pair = match settings.backend {
            BackendKind::Inert => (Arc::new(Inert::default()), Arc::new(network::inert::Inert)),
            BackendKind::Process => {
                let (wiring, network): (Wiring, Arc<dyn Network>) = match &bridge {
                    Some(bridge) => {
                        let switch = Arc::clone(bridge) as Arc<dyn Switch>;
                        (Wiring::Separate(switch), Arc::clone(bridge) as Arc<dyn Network>)
                    }
                    None => {
                        let network = Arc::new(match settings.enforce_security_groups {
                            true => Loopback::guarded(),
                            false => Loopback::new(),
                        });
                        let ports = Arc::clone(&network) as Arc<dyn PortWatcher>;
                        (Wiring::Shared(ports), network)
                    }
                };
                let place = process::Settings {
                    state_dir: settings.state_dir.clone(),
                    init_program: settings.init_program.clone(),
                };
                (Arc::new(Process::open(place, exits, wiring)?), network)
            }
            #[cfg(feature = "container")]
            BackendKind::Container => {
                let ports = Arc::new(container::ports::Ports::default());
                let floating = Loopback::of(Arc::clone(&ports) as Arc<dyn OpenPorts>);
                let place = container::Settings {
                    state_dir: settings.state_dir.join("servers"),
                    init_program: settings.init_program.clone(),
                    block: Block::around(settings.fixed_range.network, 16),
                    engine: None,
                    api: listener.local_addr().map_err(StartError::Socket)?,
                    enforce: settings.enforce_security_groups,
                };
                let watcher: Arc<dyn PortWatcher> = Arc::new(floating.clone());
                let backend = container::Container::open(place, exits, ports, watcher).await?;
                let network = container::network::Containers::new(backend.clone(), floating);
                (Arc::new(backend), Arc::new(network))
            }
            BackendKind::Libvirt => virtual_machines(settings, exits)?,
        };
        let entrance = match bridge {
            Some(bridge) => Some(bridge.listen().await?),
            None => None,
        };
        Ok(Self { listener, backend, network, entrance })
    }
}

fn listen(listen: &Listen) -> Result<TcpListener, StartError> {
    let listener = match listen {
        Listen::Bound(listener) => listener.try_clone().map_err(StartError::Socket)?,
        Listen::Address(address) => TcpListener::bind(address)
            .map_err(|source| StartError::Listen { address: *address, source })?,
    };
    listener.set_nonblocking(true).map_err(StartError::Socket)?;
    Ok(listener)
}

async fn bridge(settings: &Settings, name: &str, outside: bool) -> Result<Bridge, StartError> {
    let fixed = settings.fixed_range.block();
    let wanted = bridge::Settings {
        bridge: name.to_owned(),
        // Networks that users make are in there too.
        fixed: settings.carried().unwrap_or(fixed),
        gateway: fixed.hosts().first,
        public: settings.floating_range.block(),
        outside,
        enforce: settings.enforce_security_groups,
    };
    Ok(Bridge::open(wanted, &settings.state_dir).await?)
}

/// What runs servers, and what makes their addresses answer.
pub(crate) type Pair = (Arc<dyn Backend>, Arc<dyn Network>);

#[cfg(feature = "libvirt")]
fn virtual_machines(settings: &Settings, exits: ExitSender) -> Result<Pair, StartError> {
    use crate::backends::libvirt::{self, Libvirt};

    let network = Arc::new(Loopback::new());
    let place = libvirt::Settings {
        state_dir: settings.state_dir.join("libvirt"),
        uri: settings.libvirt.uri.clone(),
        ports: settings.libvirt.ports.clone(),
    };
    let backend = Libvirt::open(place, exits, Arc::clone(&network) as Arc<dyn PortWatcher>)?;
    Ok((Arc::new(backend), network))
}

#[cfg(not(feature = "libvirt"))]
fn virtual_machines(_: &Settings, _: ExitSender) -> Result<Pair, StartError> {
    Err(StartError::NotBuiltIn)
}
