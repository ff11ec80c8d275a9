//! Runs a cloud until it is told to end.

use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use fake_cloud::image::Store;
use fake_cloud::model::address::AddressRange;
use fake_cloud::settings::{BackendKind, GUEST_PORTS, LibvirtSettings, Listen};
use fake_cloud::{Builder, FakeCloud};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::regions;

/// The user whom the commands know.
pub(super) const ADMIN: &str = "admin";

/// Where a cloud listens that is kept.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

#[derive(Debug, clap::Args)]
#[group(id = "run")]
pub(crate) struct Arguments {
    /// Where the cloud keeps its state; made when missing. Without it the cloud is a temporary one,
    /// of which nothing is left when it ends.
    // Not from FAKE_CLOUD_STATE, which names a cloud that runs already.
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,

    /// Where the API listens; port 0 is any free one [default: 127.0.0.1:5000; anywhere for a
    /// temporary cloud; this machine's address on the network `bridge`]. With the network
    /// `loopback` servers get addresses that begin with the same two numbers.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// The name of the region [default: RegionOne]. Several, each with a `--region` of its own, stand
    /// side by side; the first one knows the users of all, the others listen beside it: at
    /// 127.1.0.1 beside 127.0.0.1.
    #[arg(long, value_name = "NAME")]
    region: Vec<String>,

    /// A file that describes the regions: names, flavors, prices, latency.
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
    /// The cloud that is meant.
    pub(super) fn builder(self) -> Result<Builder, Box<dyn Error>> {
        let init_program = std::env::current_exe()?;
        let described = self.regions.as_deref().map(regions::read).transpose()?;
        let regions = described.unwrap_or_else(|| regions::named(self.region));
        let mut builder = regions::add(regions, FakeCloud::builder().password(&self.password));
        if let Some(state) = self.state {
            builder = builder.state_dir(state).listen(USUAL);
        }
        if let Some(address) = self.listen {
            builder = builder.listen(address);
        }
        Ok(builder.settings(move |settings| {
            if self.network == Network::Bridge {
                settings.put_on_bridge(&self.bridge, !self.no_outside);
            }
            settings.backend = self.backend;
            if (self.backend, self.network) == (BackendKind::Inert, Network::Loopback) {
                settings.run_nothing();
            }
            settings.fixed_range = self.fixed_range.unwrap_or(settings.fixed_range);
            settings.floating_range = self.floating_range.unwrap_or(settings.floating_range);
            if self.network == Network::Bridge && self.listen.is_none() {
                let here = settings.floating_range.block().hosts().first;
                settings.listen = Listen::Address((here, 5000).into());
            }
            settings.enforce_security_groups = !self.ignore_security_groups;
            settings.libvirt = LibvirtSettings { uri: self.libvirt_uri, ports: self.guest_ports };
            settings.image_store = Some(self.images);
            settings.init_program = init_program;
        }))
    }
}

/// Runs a cloud in the foreground.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    until_asked(arguments, greet).await
}

/// Runs a cloud until it is told to end; `ready` is called once it answers.
pub(super) async fn until_asked(
    arguments: Arguments,
    ready: impl FnOnce(&FakeCloud) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut ending = Ending::listen()?;
    let cloud = arguments.builder()?.start().await?;
    ready(&cloud)?;
    ending.asked(&cloud).await;
    cloud.shutdown().await;
    Ok(())
}

/// The signals that ask for the end.
pub(super) struct Ending([Signal; 2]);

impl Ending {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    /// Comes back when the cloud is to end.
    pub(super) async fn asked(&mut self, cloud: &FakeCloud) {
        let Self([interrupt, terminate]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = cloud.shutdown_requested() => {}
        }
    }
}

/// Where the cloud is, and what a client needs to know of it.
pub(super) fn greet(cloud: &FakeCloud) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    writeln!(out, "# fake-cloud answers at {}", cloud.api_url())?;
    for region in cloud.regions().skip(1) {
        writeln!(out, "# its region {} is at {}", region.name(), region.api_url())?;
    }
    for (name, value) in cloud.control().environment(ADMIN)? {
        writeln!(out, "{}", export(name, &value))?;
    }
    Ok(out.flush()?)
}

/// A variable as a POSIX shell is told it.
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::export;

    #[test]
    fn a_value_survives_the_shell() {
        assert_eq!(export("A", "it's $HOME"), r"export A='it'\''s $HOME'");
    }
}
