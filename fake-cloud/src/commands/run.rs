//! Runs a cloud in the foreground, until it is told to end.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use fake_cloud::image::Store;
use fake_cloud::model::address::AddressRange;
use fake_cloud::settings::{BackendKind, GUEST_PORTS, LibvirtSettings, Listen, NetworkKind};
use fake_cloud::{FakeCloud, Settings};
use tokio::signal::unix::{SignalKind, signal};

use super::regions;

#[derive(Debug, clap::Args)]
#[group(id = "run")]
pub(crate) struct Arguments {
    /// Where the cloud keeps its state; made when missing.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,

    /// Where the API listens; port 0 is any free one [default: 127.0.0.1:5000, and this machine's
    /// address on the network `bridge`]. With the network `loopback` servers get addresses that
    /// begin with the same two numbers.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// The name of the region; more than one, each with a `--region` of its own, are regions side by
    /// side, the first of which knows the users of all. The others listen beside it: at 127.1.0.1
    /// beside 127.0.0.1, elsewhere at the next port [default: RegionOne].
    #[arg(long, value_name = "NAME")]
    region: Vec<String>,

    /// A file that describes the regions: their names, flavors, prices, latency and addresses.
    #[arg(long, value_name = "FILE", conflicts_with = "region")]
    regions: Option<PathBuf>,

    /// What a server is made of.
    #[arg(long, value_enum, default_value_t = BackendKind::Process)]
    backend: BackendKind,

    /// What makes the addresses of servers answer: this machine's loopback interface, or, for root,
    /// a bridge with a network for each server.
    #[arg(long, value_enum, default_value_t = Network::Loopback)]
    network: Network,

    /// The servers' addresses, as in 10.200.0.0/20; networks that users make are in the same /16.
    #[arg(long, value_name = "RANGE")]
    fixed_range: Option<AddressRange>,

    /// The floating IPs, as in 192.168.56.10-192.168.56.99. On a bridge the first address of their
    /// block is this machine's, the second the router's.
    #[arg(long, value_name = "RANGE")]
    floating_range: Option<AddressRange>,

    /// The name of the bridge.
    #[arg(long, value_name = "NAME", default_value = "br200")]
    bridge: String,

    /// Keeps servers on a bridge from what is beyond this machine.
    #[arg(long)]
    no_outside: bool,

    /// Lets everything pass between servers and to them, whatever the security groups say.
    #[arg(long)]
    ignore_security_groups: bool,

    /// Where libvirt is, for servers that are virtual machines; its own default when not given.
    #[arg(long, value_name = "URI", env = "FAKE_CLOUD_LIBVIRT_URI")]
    libvirt_uri: Option<String>,

    /// The TCP ports at which virtual machines answer at their servers' addresses.
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_values_t = GUEST_PORTS)]
    guest_ports: Vec<u16>,

    /// Where the images are that `fake-cloud image` makes: the cloud offers them all.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_IMAGES", default_value_os_t = Store::default_path())]
    images: PathBuf,

    /// Password of the user `admin`.
    #[arg(long, env = "FAKE_CLOUD_PASSWORD", default_value = "secret", hide_env_values = true)]
    password: String,
}

/// What makes the addresses of servers answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Network {
    Loopback,
    Bridge,
}

impl Arguments {
    fn settings(self) -> Result<Settings, Box<dyn Error>> {
        let described = self.regions.as_deref().map(regions::read).transpose()?;
        let regions = described.unwrap_or_else(|| regions::named(self.region));
        let home = regions.first();
        let listen = self.listen.or(home.and_then(|home| home.listen));
        let fixed_range = self.fixed_range.or(home.and_then(|home| home.fixed_range));
        let floating_range = self.floating_range.or(home.and_then(|home| home.floating_range));
        let usual = Listen::Address(listen.unwrap_or(([127, 0, 0, 1], 5000).into()));
        let mut settings = match self.network {
            Network::Loopback => Settings::loopback(self.state, usual, &self.password),
            Network::Bridge => Settings::bridge(self.state, usual, &self.password),
        };
        settings.fixed_range = fixed_range.unwrap_or(settings.fixed_range);
        settings.floating_range = floating_range.unwrap_or(settings.floating_range);
        if self.network == Network::Bridge {
            settings.network = NetworkKind::Bridge { name: self.bridge, outside: !self.no_outside };
            if listen.is_none() {
                let here = settings.floating_range.block().hosts().first;
                settings.listen = Listen::Address((here, 5000).into());
            }
        }
        settings.backend = self.backend;
        settings.enforce_security_groups = !self.ignore_security_groups;
        settings.libvirt = LibvirtSettings { uri: self.libvirt_uri, ports: self.guest_ports };
        settings.image_store = Some(self.images);
        settings.init_program = std::env::current_exe()?;
        regions::apply(regions, &mut settings)?;
        Ok(settings)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let settings = arguments.settings()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let cloud = FakeCloud::start(settings).await?;
    greet(&cloud)?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    cloud.shutdown().await;
    Ok(())
}

/// Where the cloud is, and what a client needs to know of it.
fn greet(cloud: &FakeCloud) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# fake-cloud answers at {}; Ctrl-C ends it", cloud.api_url())?;
    for region in cloud.regions().skip(1) {
        writeln!(out, "# its region {} is at {}", region.name(), region.api_url())?;
    }
    for (name, value) in cloud.credentials("admin").iter().flat_map(|it| it.environment()) {
        writeln!(out, "export {name}='{}'", value.replace('\'', "'\\''"))?;
    }
    let control = cloud.control_access();
    writeln!(out, "export FAKE_CLOUD_CONTROL_URL='{}'", control.url)?;
    writeln!(out, "export FAKE_CLOUD_CONTROL_TOKEN='{}'", control.token)?;
    out.flush()
}
