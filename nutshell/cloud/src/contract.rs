//! What every cloud driver promises.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::Ipv4Addr;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{CloudError, SecurityGroups, Volumes};

/// One account on one cloud.
///
/// Everything a driver makes carries the caller's tags from its first instant, so that whatever a
/// killed caller leaves behind is found by [`servers`](Cloud::servers) and
/// [`addresses_release_unused`](Cloud::addresses_release_unused). A driver touches nothing else.
#[async_trait]
pub trait Cloud: Volumes + SecurityGroups + Debug + Send + Sync {
    /// The name under which this cloud is configured.
    fn name(&self) -> &str;

    /// Which driver this is, as written in the settings: `openstack`, `ec2`.
    fn kind(&self) -> &'static str;

    /// The name or id of the kind of server that is made when none is named, as in the settings.
    fn usual_instance_type(&self) -> &str;

    /// Asks the cloud whether the credentials work and everything named in the settings exists.
    /// Reports all problems, not only the first.
    async fn check(&self) -> Result<(), Vec<CloudError>>;

    /// Makes a server; returns when it runs and has its addresses.
    ///
    /// On failure what was made is removed again. When the caller is killed instead, or the future
    /// dropped, whatever exists carries the tags of `new`. Not idempotent: two calls, two servers.
    async fn server_create(&self, new: &NewServer) -> Result<Server, CloudError>;

    /// Releases the server's public address, deletes the server, and returns when it is gone.
    /// Succeeds when it is gone already; after a failure or a kill, call it again.
    async fn server_delete(&self, id: &str) -> Result<(), CloudError>;

    /// All servers whose tag `key` is exactly `value`, in whatever state.
    /// A `public_ip` may take some time to show here; `server_create` returns it at once.
    async fn servers(&self, key: &str, value: &str) -> Result<Vec<Server>, CloudError>;

    /// Releases the public addresses whose tag `key` is exactly `value` and which serve nothing;
    /// returns them. Safe at any time: an address that a creation in progress is about to attach is
    /// never taken for one.
    async fn addresses_release_unused(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Ipv4Addr>, CloudError>;

    /// The kinds of server on offer, smallest first.
    async fn instance_types(&self) -> Result<Vec<InstanceType>, CloudError>;

    /// How much memory servers of this kind, which may be given by its name or its id, have in MiB.
    async fn memory_mib(&self, instance_type: &str) -> Result<u64, CloudError>;

    /// What the server wrote on its console so far.
    async fn console(&self, id: &str) -> Result<String, CloudError>;
}

/// A server to be made.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// Its name and host name; need not be unique.
    pub name: String,
    /// Name or id of its instance type; `None` takes the one of the settings.
    pub instance_type: Option<String>,
    /// Handed to the server, which runs it at its first boot.
    pub user_data: Vec<u8>,
    /// Ids of the security groups that guard it; without any, those of the settings, or the cloud's
    /// default one.
    pub security_groups: Vec<String>,
    /// Marks of ownership, carried by the server and by its public address.
    pub tags: BTreeMap<String, String>,
}

/// A server as the cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The cloud's own id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: ServerState,
    /// Its address inside the cloud, once it has one.
    pub private_ip: Option<Ipv4Addr>,
    /// Its address outside the cloud, if it has one.
    pub public_ip: Option<Ipv4Addr>,
    /// The marks it was made with.
    pub tags: BTreeMap<String, String>,
    /// When it was asked for.
    pub created: OffsetDateTime,
}

/// What a server is doing, as far as a platform cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// Being made; becomes `Active` or `Failed` by itself.
    Building,
    /// Running, or on its way back to it by itself (a reboot).
    Active,
    /// Exists and does not run: stopped, paused, shelved.
    Stopped,
    /// Going away.
    Deleting,
    /// Broken; only deleting it helps.
    Failed,
    /// The cloud does not know either.
    Unknown,
}

/// A kind of server that can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceType {
    /// Its name, good for [`NewServer::instance_type`].
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Root disk, in GiB.
    pub disk_gib: u64,
    /// Price of one hour, where the settings or the cloud state one.
    pub price_per_hour: Option<f64>,
    /// Whether services may grow by it on their own.
    pub autoscaling: bool,
}
