//! What runs servers and what makes their addresses answer, as the settings ask.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use crate::backends::inert::Inert;
use crate::backends::process::{self, Process};
use crate::backends::{Backend, ExitSender};
use crate::fake_cloud::StartError;
use crate::network::bridge::{self, Bridge};
use crate::network::loopback::Loopback;
use crate::network::{self, Network, PortWatcher, Switch, Wiring};
use crate::settings::{BackendKind, NetworkKind, Settings};

/// The cloud's surroundings.
pub(crate) struct World {
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
        if settings.backend == BackendKind::Inert {
            let (backend, network) = (Inert::default(), network::inert::Inert);
            return Ok(Self {
                backend: Arc::new(backend),
                network: Arc::new(network),
                entrance: None,
            });
        }
        let place = process::Settings {
            state_dir: settings.state_dir.join("servers"),
            init_program: settings.init_program.clone(),
        };
        match &settings.network {
            NetworkKind::Loopback => {
                let network = Arc::new(match settings.enforce_security_groups {
                    true => Loopback::guarded(),
                    false => Loopback::new(),
                });
                let wiring = Wiring::Shared(Arc::clone(&network) as Arc<dyn PortWatcher>);
                let backend = Arc::new(Process::open(place, exits, wiring)?);
                Ok(Self { backend, network, entrance: None })
            }
            NetworkKind::Bridge { name, outside } => {
                let network = Arc::new(bridge(settings, name, *outside).await?);
                let entrance = Some(network.listen().await?);
                let wiring = Wiring::Separate(Arc::clone(&network) as Arc<dyn Switch>);
                let backend = Arc::new(Process::open(place, exits, wiring)?);
                Ok(Self { backend, network, entrance })
            }
        }
    }
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
    Ok(Bridge::open(wanted, &identity(&settings.state_dir)).await?)
}

/// The state directory, whatever it was called this time.
fn identity(state_dir: &Path) -> std::path::PathBuf {
    state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned())
}
