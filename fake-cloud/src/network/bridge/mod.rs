//! A network for root: every server has a network namespace of its own, with a cable into a bridge.
//!
//! ```text
//!  host                         router (a namespace)                       a server (a namespace)
//!
//!  fc-1a2b3c4d ───────────────► host                          s0ac80005 ──► eth0
//!  192.168.56.1                 192.168.56.2 + floating IPs     │           10.200.0.5
//!  route to 10.200.0.0/16       nft: translation, guard        br200
//!                                                              10.200.0.1, 169.254.169.254
//! ```
//!
//! The bridge is in a namespace of its own, so that no firewall of the host (Docker's drops all that
//! is forwarded) stands between servers, and nobody but us holds that namespace open: however the
//! cloud ends, its interfaces, addresses, routes and rules end with it. Only a rule that lets servers
//! out to the world can be left on the host; the next start removes it.
//!
//! Ports of the bridge are isolated: servers find each other by the router, which answers for
//! them (proxy ARP), so that all their packets pass its rules. Broadcasts and multicasts stay
//! with their sender, as on EC2.

mod conntrack;
mod guard;
mod netlink;
mod remains;
mod rules;
mod servers;
#[cfg(test)]
mod tests;
mod translation;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::Network;
use super::namespace::Namespace;
use super::netfilter::{nft, to_the_end};
use crate::backends::process::Capability;
use crate::cloud::chain;
use crate::model::address::Block;
use crate::model::firewall::Firewall;
use guard::Guard;
use netlink::{ANYWHERE, Netlink, Way};
pub(crate) use remains::Remains;
use servers::port_name;
use translation::Translation;

/// Where servers find the cloud.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The router's end of the cable to the host.
const HOST_SIDE: &str = "host";

/// What the network needs of its embedder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bridge's name, in a namespace of its own.
    pub bridge: String,
    /// The block that holds all addresses of servers.
    pub fixed: Block,
    /// Their router's address there.
    pub gateway: Ipv4Addr,
    /// The block that floating addresses are from; its first two are the host's and the router's.
    pub public: Block,
    /// Whether servers may reach what is beyond this machine.
    pub outside: bool,
    /// Whether security groups are enforced.
    pub enforce: bool,
}

/// Why the network cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The machine refuses it.
    #[error("the network `bridge` needs root, with the right to make network namespaces")]
    Refused(#[source] io::Error),
    /// Addresses are in use already.
    #[error(
        "this machine already has a way to {found}, which overlaps with {wanted} of the cloud; \
         choose other addresses for the cloud"
    )]
    InUse {
        /// What the cloud is to have.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A step failed.
    #[error("failed to {step}")]
    Step {
        /// What was being done, as it follows "failed to".
        step: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What the network is to be like.
#[derive(Debug, Clone)]
struct Plan {
    bridge: String,
    fixed: Block,
    gateway: Ipv4Addr,
    public: Block,
    /// This machine's address on the public block.
    here: Ipv4Addr,
    /// The router's address on the public block.
    router: Ipv4Addr,
    outside: bool,
    enforce: bool,
    /// The host's end of the cable to the router; bears the cloud's identity.
    leg: String,
    /// The table of rules on the host; bears the cloud's identity.
    table: String,
}

/// The network. It is gone when it is closed or dropped.
#[derive(Debug)]
pub struct Bridge {
    plan: Plan,
    host: Namespace,
    router: Namespace,
    translation: Arc<tokio::sync::Mutex<Translation>>,
    guard: Arc<tokio::sync::Mutex<Guard>>,
    /// Servers' addresses whose cables are cut.
    cut: Mutex<BTreeSet<Ipv4Addr>>,
    closed: AtomicBool,
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> BridgeError {
    move |source| BridgeError::Step { step, source }
}

impl Bridge {
    /// Makes the network, and removes what a killed predecessor left. The identity is one that no
    /// other cloud of this machine has, and the same at every start.
    pub async fn open(settings: Settings, identity: &Path) -> Result<Self, BridgeError> {
        let host = Namespace::current().map_err(step("open this machine's network namespace"))?;
        let router = Namespace::create().await.map_err(BridgeError::Refused)?;
        let mut plan = Plan::new(settings, identity);
        host.run(clean(plan.clone())).await.map_err(step("remove what an earlier start left"))?;
        let blocks = host.run(|| Netlink::open()?.blocks()).await;
        plan.check(&blocks.map_err(step("read this machine's routes"))?)?;
        if plan.outside
            && !host.run(forwards).await.map_err(step("read a setting of this machine"))?
        {
            plan.outside = false;
            tracing::warn!(
                "servers reach this machine and no further: its setting net.ipv4.ip_forward is 0"
            );
        }
        let bridge = Self {
            plan: plan.clone(),
            host: host.clone(),
            router: router.clone(),
            translation: Arc::default(),
            guard: Arc::default(),
            cut: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        let own = plan.clone();
        router.run(move || furnish(&own)).await.map_err(step("set the router up"))?;
        let (own, end) = (plan.clone(), router.clone());
        host.run(move || lay_cable(&own, &end)).await.map_err(step("connect the router"))?;
        let own = plan.clone();
        router.run(move || lead_out(&own)).await.map_err(step("lead servers to this machine"))?;
        let own = plan;
        host.run(move || lead_to(&own)).await.map_err(step("lead this machine to the servers"))?;
        Ok(bridge)
    }

    /// A listener where servers look for the cloud.
    pub async fn listen(&self) -> Result<TcpListener, BridgeError> {
        let listener = self.router.run(|| TcpListener::bind((METADATA, 80))).await;
        listener.map_err(step("listen where servers look for the cloud"))
    }

    fn cut(&self) -> MutexGuard<'_, BTreeSet<Ipv4Addr>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn lead(&self, floating: Ipv4Addr, fixed: Option<Ipv4Addr>) -> io::Result<()> {
        let mut translation = Arc::clone(&self.translation).lock_owned().await;
        let (plan, router) = (self.plan.clone(), self.router.clone());
        to_the_end(async move { translation.lead(floating, fixed, &plan, &router).await }).await
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if !*self.closed.get_mut() {
            warn_unless_removed(self.host.run_blocking(clean(self.plan.clone())));
        }
    }
}

fn warn_unless_removed(cleaned: io::Result<()>) {
    if let Err(error) = cleaned {
        tracing::warn!(%error, "failed to remove the network; the next start does");
    }
}

/// Whether this machine can have such a network, measured by making one without any cable; takes
/// some milliseconds and blocks.
pub fn capability() -> Capability {
    let plan = Plan::new(Settings::probe(), Path::new(""));
    let tried = Namespace::create_blocking().map_err(BridgeError::Refused).and_then(|router| {
        let furnished = router.run_blocking(move || furnish(&plan));
        furnished.map_err(step("set a router up"))
    });
    Capability {
        name: "network bridge",
        available: tried.is_ok(),
        detail: match tried {
            Ok(()) => {
                "servers can have a network each, with all that security groups say".to_owned()
            }
            Err(error) => chain(&error),
        },
    }
}

#[async_trait]
impl Network for Bridge {
    async fn associate(&self, floating: Ipv4Addr, fixed: Ipv4Addr) -> io::Result<()> {
        self.lead(floating, Some(fixed)).await
    }

    async fn close(&self) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            warn_unless_removed(self.host.run(clean(self.plan.clone())).await);
        }
    }

    async fn disassociate(&self, floating: Ipv4Addr) {
        if let Err(error) = self.lead(floating, None).await {
            tracing::error!(%floating, %error, "failed to take a floating address away");
        }
    }

    async fn cut_off(&self, fixed: Ipv4Addr) -> io::Result<()> {
        self.cut().insert(fixed);
        self.router.run(move || Netlink::open()?.set_down(&port_name(fixed))).await
    }

    async fn rejoin(&self, fixed: Ipv4Addr) {
        if !self.cut().remove(&fixed) {
            return;
        }
        let joined = self.router.run(move || match Netlink::open()?.set_up(&port_name(fixed)) {
            // It is off.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            result => result,
        });
        if let Err(error) = joined.await {
            tracing::error!(%fixed, %error, "failed to let a server rejoin the network");
        }
    }

    fn cloud_url(&self) -> Option<String> {
        Some(format!("http://{METADATA}"))
    }

    fn guards(&self) -> bool {
        // Also without rules to enforce: a server may send from its own address only.
        true
    }

    async fn guard(&self, firewall: Firewall) -> io::Result<()> {
        let mut guard = Arc::clone(&self.guard).lock_owned().await;
        let (plan, router) = (self.plan.clone(), self.router.clone());
        to_the_end(async move { guard.follow(&firewall, &plan, &router).await }).await
    }
}

impl Settings {
    /// What is of no importance to whether it works.
    fn probe() -> Self {
        Self {
            bridge: "br200".to_owned(),
            fixed: Block::around(Ipv4Addr::new(10, 200, 0, 0), 16),
            gateway: Ipv4Addr::new(10, 200, 0, 1),
            public: Block::around(Ipv4Addr::new(192, 168, 56, 0), 24),
            outside: false,
            enforce: true,
        }
    }
}

/// Eight digits that tell a cloud from others.
fn digits(identity: &Path) -> String {
    let digest = Sha256::digest(identity.as_os_str().as_encoded_bytes());
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The host's end of the cable to the router of a cloud.
fn leg(identity: &Path) -> String {
    format!("fc-{}", digits(identity))
}

/// The host's table of rules for a cloud.
fn host_table(identity: &Path) -> String {
    format!("fake-cloud-{}", digits(identity))
}

impl Plan {
    fn new(settings: Settings, identity: &Path) -> Self {
        let here = settings.public.hosts().first;
        Self {
            bridge: settings.bridge,
            fixed: settings.fixed,
            gateway: settings.gateway,
            public: settings.public,
            here,
            router: Ipv4Addr::from_bits(here.to_bits() + 1),
            outside: settings.outside,
            enforce: settings.enforce,
            leg: leg(identity),
            table: host_table(identity),
        }
    }

    /// Refuses blocks that overlap with what is there, or with each other.
    fn check(&self, present: &[Block]) -> Result<(), BridgeError> {
        let pairs = [(self.fixed, self.public)].into_iter();
        let pairs = pairs
            .chain(present.iter().flat_map(|found| [(self.fixed, *found), (self.public, *found)]));
        match pairs.into_iter().find(|(wanted, found)| wanted.overlaps(*found)) {
            None => Ok(()),
            Some((wanted, found)) => {
                Err(BridgeError::InUse { wanted: wanted.to_string(), found: found.to_string() })
            }
        }
    }
}

/// On the host: removes all that bears the cloud's identity.
fn clean(plan: Plan) -> impl FnOnce() -> io::Result<()> + Send {
    move || {
        Netlink::open()?.remove(&plan.leg)?;
        nft::apply(&rules::remove(&plan.table))
    }
}

/// On the host: whether it forwards packets of others.
fn forwards() -> io::Result<bool> {
    Ok(fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?.trim() == "1")
}

/// On the host: a cable to the router.
fn lay_cable(plan: &Plan, router: &Namespace) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.add_cable(&plan.leg, HOST_SIDE, None, router.as_fd())?;
    netlink.add_address(&plan.leg, plan.here, plan.public.prefix)?;
    netlink.set_up(&plan.leg)
}

/// In the router: everything but cables.
fn furnish(plan: &Plan) -> io::Result<()> {
    // Those for new interfaces count when these are made.
    for (setting, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv4/conf/all/send_redirects", "0"),
        ("ipv4/conf/default/send_redirects", "0"),
        ("ipv6/conf/default/disable_ipv6", "1"),
        // Who may send what is a matter of rules: a server may know a way that the router does not.
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // Rules of the router are for what it routes. Where a kernel has this, it begins with 1.
        ("bridge/bridge-nf-call-iptables", "0"),
        ("bridge/bridge-nf-call-arptables", "0"),
    ] {
        configure(setting, value)?;
    }
    let netlink = Netlink::open()?;
    netlink.set_up("lo")?;
    // Nothing passes until it is told what may.
    let [anti_spoofing, guard] = guard::tables(plan, &Firewall::default());
    let tables = [anti_spoofing, guard, rules::floating(plan, &BTreeMap::new())];
    nft::apply(&tables.map(|table| table.anew()).concat())?;
    netlink.add_bridge(&plan.bridge)?;
    configure(&format!("ipv4/conf/{}/proxy_arp_pvlan", plan.bridge), "1")?;
    // Nobody else answers for a server, so there is no reason to wait a while.
    configure(&format!("ipv4/neigh/{}/proxy_delay", plan.bridge), "0")?;
    netlink.add_address(&plan.bridge, plan.gateway, plan.fixed.prefix)?;
    netlink.add_address(&plan.bridge, METADATA, 32)?;
    netlink.set_up(&plan.bridge)
}

/// In the router: the way to the host, when there is a cable.
fn lead_out(plan: &Plan) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.add_address(HOST_SIDE, plan.router, plan.public.prefix)?;
    netlink.set_up(HOST_SIDE)?;
    netlink.add_route(Way::by(ANYWHERE, plan.here))
}

/// Sets a setting of the namespace, unless the kernel has none of that name.
fn configure(setting: &str, value: &str) -> io::Result<()> {
    match fs::write(Path::new("/proc/sys/net").join(setting), value) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// On the host: the way to the servers, and theirs to the world.
fn lead_to(plan: &Plan) -> io::Result<()> {
    Netlink::open()?.add_route(Way::by(plan.fixed, plan.router))?;
    if plan.outside {
        nft::apply(&rules::masquerade(&plan.table, plan))?;
    }
    Ok(())
}
