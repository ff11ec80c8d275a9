//! Everything that can be chosen about a cloud; nothing is hard-coded elsewhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::backends::ImageSource;
use crate::clock::{Clock, SystemClock};
use crate::control::Transitions;
use crate::image::unpack::Limits;
use crate::model::AccessKeyPair;
use crate::model::address::{AddressRange, Block};
use crate::model::quota::Quotas;

/// Everything that can be chosen about a cloud.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the cloud keeps its state; made when missing.
    pub state_dir: PathBuf,
    /// Where the API listens.
    pub listen: Listen,
    /// The region's name in the catalogue.
    pub region: String,
    /// How long the way to the region's APIs takes: every answer comes so much later, by the
    /// cloud's clock. Its servers have no such way to their metadata.
    pub latency: Duration,
    /// Other regions: [`Settings::region_beside`] makes one. Who may ask, the time and the state
    /// directory are this region's, the home region's, in all of them.
    pub regions: Vec<Settings>,
    /// The name of the network that servers are plugged into.
    pub private_network: String,
    /// The addresses that servers get.
    pub fixed_range: AddressRange,
    /// The name of the network, and pool, that floating IPs come from.
    pub public_network: String,
    /// The floating IPs.
    pub floating_range: AddressRange,
    /// What a server is made of.
    pub backend: BackendKind,
    /// What makes servers' addresses answer.
    pub network: NetworkKind,
    /// Whether the network lets pass only what security groups let pass, as far as it can.
    pub enforce_security_groups: bool,
    /// How virtual machines are run, when servers are such.
    pub libvirt: LibvirtSettings,
    /// The executable that becomes a server's first process: one that calls
    /// [`crate::guest::run_if_guest`] at the start of its `main`.
    pub init_program: PathBuf,
    /// The images that everyone can use.
    pub images: Vec<ImageSettings>,
    /// A directory with images that `fake-cloud image` keeps: everyone can use them too.
    pub image_store: Option<PathBuf>,
    /// How large a root file system may be that a user uploads.
    pub image_limits: Limits,
    /// The flavors.
    pub flavors: Vec<FlavorSettings>,
    /// The user who may do everything, and their project.
    pub admin: UserSettings,
    /// Other users and their projects.
    pub users: Vec<UserSettings>,
    /// What each project may use.
    pub quotas: Quotas,
    /// The largest image that may be uploaded, in bytes.
    pub image_size_max: u64,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// How long an answer may wait for the work it began, so that a client's first look finds it
    /// done: the `openstack` command looks once at once, and then only every five seconds.
    pub patience: Duration,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long the work after a call takes, such as that from BUILD to ACTIVE.
    pub transitions: Transitions,
    /// Where the dice of faults that have no seed of their own begin.
    pub seed: u64,
}

/// Where the API listens.
#[derive(Debug, Clone)]
pub enum Listen {
    /// At this address; port 0 for any free one.
    Address(SocketAddr),
    /// On a socket that is bound already.
    Bound(Arc<TcpListener>),
}

impl Listen {
    /// The address, if the socket has one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Bound(listener) => listener.local_addr().ok(),
        }
    }

    /// The address of the machine.
    pub(crate) fn ip(&self) -> Option<Ipv4Addr> {
        match self.address()?.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }
}

/// What a server is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BackendKind {
    /// Nothing: servers exist in the API only.
    Inert,
    /// Processes of this machine, as separate from it as it allows.
    Process,
    /// Virtual machines of libvirt; only in builds with the cargo feature `libvirt`.
    Libvirt,
    /// Containers of Docker or Podman. Their fixed addresses cannot be loopback ones: such a range
    /// becomes the one that begins with `10` instead of `127`.
    #[cfg(feature = "container")]
    Container,
}

/// What makes the addresses of servers answer. Without servers that run, nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkKind {
    /// Addresses of this machine's loopback interface: needs no privileges.
    Loopback,
    /// A bridge, and for each server a network of its own: needs root.
    Bridge {
        /// The bridge's name; nobody else sees it.
        name: String,
        /// Whether servers may reach what is beyond this machine, where the machine forwards
        /// packets.
        outside: bool,
    },
}

/// How virtual machines are run.
#[derive(Debug, Clone)]
pub struct LibvirtSettings {
    /// Where libvirt is, as `qemu:///session`; its own default when not given.
    pub uri: Option<String>,
    /// The TCP ports of guests that are reached at their servers' addresses.
    pub ports: Vec<u16>,
}

/// The ports of virtual machines that are reached when nobody says which: those of SSH and the web.
pub const GUEST_PORTS: [u16; 4] = [22, 80, 443, 8080];

/// An image that everyone can use.
#[derive(Debug, Clone)]
pub struct ImageSettings {
    /// Its name.
    pub name: String,
    /// Where its root file system comes from.
    pub source: ImageSource,
    /// Free-form properties.
    pub properties: BTreeMap<String, String>,
}

/// A flavor.
#[derive(Debug, Clone, PartialEq)]
pub struct FlavorSettings {
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// Root disk in GiB.
    pub disk_gib: u64,
    /// What an hour of it costs; the API shows it as the extra spec [`PRICE`].
    pub price_per_hour: f64,
}

/// The largest packet on this machine's loopback interface.
const LOOPBACK_MTU: u32 = 65_535;

/// The largest packet elsewhere.
const MTU: u32 = 1500;

/// The largest image that may be uploaded when nothing else is said: a tebibyte, as in Glance.
const IMAGE_SIZE_MAX: u64 = 1 << 40;

/// The extra spec of a flavor that holds its price.
pub const PRICE: &str = "price:per_hour";

/// A user.
#[derive(Debug, Clone)]
pub struct UserSettings {
    /// The name they log in with.
    pub name: String,
    /// Their password.
    pub password: String,
    /// The project they work in; made when missing.
    pub project: String,
    /// Their roles there.
    pub roles: Vec<String>,
    /// Their key for the EC2 API; one is made up and kept when not given.
    pub access_key: Option<AccessKeyPair>,
}

impl UserSettings {
    /// A user who may use a project.
    pub fn member(name: &str, password: &str, project: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            project: project.to_owned(),
            roles: vec!["member".to_owned(), "reader".to_owned()],
            access_key: None,
        }
    }
}

impl FlavorSettings {
    /// The sizes that OpenStack clouds have by custom.
    pub fn customary() -> Vec<Self> {
        let sizes = [
            ("m1.tiny", 1, 512, 1, 0.01),
            ("m1.small", 1, 2048, 20, 0.02),
            ("m1.medium", 2, 4096, 40, 0.04),
            ("m1.large", 4, 8192, 80, 0.08),
            ("m1.xlarge", 8, 16384, 160, 0.16),
        ];
        let flavor = |(name, vcpus, ram_mib, disk_gib, price_per_hour): (&str, _, _, _, _)| Self {
            name: name.to_owned(),
            vcpus,
            ram_mib,
            disk_gib,
            price_per_hour,
        };
        sizes.into_iter().map(flavor).collect()
    }
}

impl Settings {
    /// A cloud whose addresses all begin with `127.<second byte of the listening address>`, so
    /// that any number of clouds fit on one machine: fixed ones `127.N.16.0/20`, floating ones
    /// `127.N.1.10` to `127.N.1.254`.
    pub fn loopback(state_dir: PathBuf, listen: Listen, admin_password: &str) -> Self {
        let net = listen.ip().filter(Ipv4Addr::is_loopback).map_or(0, |ip| ip.octets()[1]);
        let range = |first: [u8; 2], last: [u8; 2]| AddressRange {
            network: Ipv4Addr::new(127, net, first[0], 0),
            prefix: if first[0] == last[0] { 24 } else { 20 },
            first: Ipv4Addr::new(127, net, first[0], first[1]),
            last: Ipv4Addr::new(127, net, last[0], last[1]),
        };
        Self {
            state_dir,
            listen,
            region: "RegionOne".to_owned(),
            latency: Duration::ZERO,
            regions: Vec::new(),
            private_network: "private".to_owned(),
            fixed_range: range([16, 2], [31, 254]),
            public_network: "public".to_owned(),
            floating_range: range([1, 10], [1, 254]),
            backend: BackendKind::Inert,
            network: NetworkKind::Loopback,
            enforce_security_groups: true,
            libvirt: LibvirtSettings { uri: None, ports: GUEST_PORTS.to_vec() },
            init_program: PathBuf::from("/proc/self/exe"),
            images: vec![ImageSettings {
                name: "host".to_owned(),
                source: ImageSource::Host { extra_files: Vec::new() },
                properties: BTreeMap::new(),
            }],
            image_store: None,
            image_limits: Limits::default(),
            flavors: FlavorSettings::customary(),
            admin: UserSettings {
                roles: vec!["admin".to_owned(), "member".to_owned(), "reader".to_owned()],
                ..UserSettings::member("admin", admin_password, "admin")
            },
            users: Vec::new(),
            quotas: Quotas::default(),
            image_size_max: IMAGE_SIZE_MAX,
            token_lifetime: Duration::from_secs(3600),
            patience: Duration::from_millis(30),
            clock: Arc::new(SystemClock::default()),
            transitions: Transitions::Immediate,
            seed: 0,
        }
    }

    /// A cloud of processes with a network of their own each, which needs root: servers are at
    /// `10.200.0.0/20`, floating IPs `192.168.56.10` to `192.168.56.99`, this machine is `192.168.56.1`
    /// there.
    pub fn bridge(state_dir: PathBuf, listen: Listen, admin_password: &str) -> Self {
        let mut settings = Self::loopback(state_dir, listen, admin_password);
        settings.put_on_bridge("br200", true);
        settings
    }

    /// Makes of a cloud one like [`Settings::bridge`]: under which name its bridge is, and whether
    /// servers reach what is beyond this machine.
    pub fn put_on_bridge(&mut self, name: &str, outside: bool) {
        let range = |prefix, first: [u8; 4], last: [u8; 4]| AddressRange {
            network: Block::around(first.into(), prefix).network,
            prefix,
            first: first.into(),
            last: last.into(),
        };
        self.fixed_range = range(20, [10, 200, 0, 2], [10, 200, 15, 254]);
        self.floating_range = range(24, [192, 168, 56, 10], [192, 168, 56, 99]);
        self.backend = BackendKind::Process;
        self.network = NetworkKind::Bridge { name: name.to_owned(), outside };
    }

    /// Makes of a cloud on loopback addresses one whose servers exist in the API only, with room
    /// for many: 16,381 addresses from `127.N.64.0/18`, and for each project what sixteen have
    /// else.
    pub fn run_nothing(&mut self) {
        let [first, second, ..] = self.fixed_range.network.octets();
        let at = |third, fourth| Ipv4Addr::new(first, second, third, fourth);
        self.fixed_range =
            AddressRange { network: at(64, 0), prefix: 18, first: at(64, 2), last: at(127, 254) };
        self.backend = BackendKind::Inert;
        let Quotas { instances, cores, ram, ports, .. } = &mut self.quotas;
        for limit in [instances, cores, ram, ports] {
            *limit *= 16;
        }
    }

    /// The only addresses that can answer, each in one place; any when there is none.
    pub(crate) fn carried(&self) -> Option<Block> {
        let nothing_runs = self.backend == BackendKind::Inert;
        (!nothing_runs).then(|| Block::around(self.fixed_range.network, 16))
    }

    /// The largest packet, in bytes, that any network can have.
    pub(crate) fn largest_packet(&self) -> u32 {
        match (self.backend, &self.network) {
            (BackendKind::Process, NetworkKind::Loopback) => LOOPBACK_MTU,
            _ => MTU,
        }
    }

    /// All users, the administrator first.
    pub(crate) fn all_users(&self) -> impl Iterator<Item = &UserSettings> {
        std::iter::once(&self.admin).chain(&self.users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_follow_the_listening_one() {
        let listen = Listen::Address("127.9.0.1:0".parse().unwrap());
        let settings = Settings::loopback(PathBuf::new(), listen, "secret");
        assert_eq!(settings.fixed_range, "127.9.16.0/20".parse().unwrap());
        assert_eq!(settings.floating_range, "127.9.1.10-127.9.1.254".parse().unwrap());
    }

    #[test]
    fn where_nothing_runs_there_is_room_for_ten_thousand() {
        let listen = Listen::Address("127.9.0.1:0".parse().unwrap());
        let mut settings = Settings::loopback(PathBuf::new(), listen, "secret");
        settings.run_nothing();
        assert_eq!(settings.fixed_range, "127.9.64.0/18".parse().unwrap());
        assert!(settings.fixed_range.pool().size() > 10_000 && settings.quotas.instances > 10_000);
    }
}
