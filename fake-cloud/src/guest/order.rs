//! What the cloud tells a server's first process, and what that answers.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::backends::{ImageSource, VolumeMount};

/// What to boot; lies in the server's directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) isolation: Isolation,
    pub(crate) id: uuid::Uuid,
    pub(crate) hostname: String,
    pub(crate) image: ImageSource,
    /// What a server with this machine's system parts finds in its root directory.
    pub(crate) system: Vec<SystemPart>,
    /// The cloud's copy of this machine's `/etc` and of the shape of its `/var`.
    pub(crate) base: PathBuf,
    /// Whether it has a network of its own, which the cloud connects.
    pub(crate) own_network: bool,
    pub(crate) fixed_ip: Ipv4Addr,
    pub(crate) metadata_url: String,
    pub(crate) authorized_keys: Vec<String>,
    pub(crate) hosts: Vec<(Ipv4Addr, String)>,
    /// Where the volumes of all servers are: for a server that has no mounts.
    pub(crate) volume_store: PathBuf,
    pub(crate) volumes: Vec<VolumeMount>,
}

/// A name in the root directory that belongs to the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemPart {
    pub(crate) name: PathBuf,
    /// Where it leads, if it is a link; otherwise it is a directory.
    pub(crate) link_to: Option<PathBuf>,
}

impl Isolation {
    /// The next best.
    pub(crate) fn weaker(self) -> Option<Self> {
        match self {
            Self::Users => Some(Self::Namespaces),
            Self::Namespaces => Some(Self::Plain),
            Self::Plain => None,
        }
    }
}

/// How far a server is apart from the machine it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// Its own namespaces, with users that own nothing on this machine: what the machine's root
    /// can give.
    Users,
    /// Its own namespaces: root directory, processes, host name, users.
    Namespaces,
    /// Where namespaces are refused: a private directory and a process tree that ends as a whole.
    Plain,
}

/// From the server's processes to the cloud, in this order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Report {
    /// The process is in its new namespaces and waits for [`Command::Proceed`].
    Unshared,
    /// Init exists; its process descriptor comes along.
    Forked,
    /// The boot scripts run. The seccomp listener comes along if there is one.
    Running {
        /// What the server has to do without, and why.
        without: Vec<String>,
    },
    /// Only of a probe: something was tried; if it was refused, why.
    Tried { trial: Trial, refused: Option<String> },
    /// A step failed and the process ends.
    Failed {
        step: String,
        errno: i32,
        /// The machine refuses the isolation: less of it may work.
        refused: bool,
    },
}

/// What a probe tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trial {
    Namespaces,
    Overlay,
    Localhost,
}

impl Trial {
    pub(crate) const ALL: [Self; 3] = [Self::Namespaces, Self::Overlay, Self::Localhost];
}

/// From the cloud to the server's processes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Users are mapped, limits are set: go on. First come the entrances of the server's control
    /// groups. If it has mounts, those of the order's volumes come along; before them the trees that
    /// a server with [`Isolation::Users`] is shown.
    Proceed {
        entrances: Vec<Entrance>,
        /// What the server has to do without, and why.
        without: Vec<String>,
    },
    /// End every process, politely at first.
    ShutDown,
    /// The kernel kills a process, for the server has no more memory.
    OutOfMemory,
    /// Stop every process where it is.
    Pause,
    /// Let them go on.
    Resume,
    /// Resolve these names and no others: the file that comes along has the addresses and names, as
    /// JSON.
    Names,
    /// Show a volume; an [`Answer`] goes to the channel that comes along, before the volume's mount
    /// if the server has mounts.
    Attach { volume: VolumeMount },
    /// Take a volume away; an [`Answer`] goes to the channel that comes along.
    Detach { volume: VolumeMount },
}

/// How a process enters a control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entrance {
    /// By writing to the list of its threads: version 1.
    Tasks,
    /// By being born in the directory: version 2.
    Group,
}

/// Whether a command was carried out, or the number of the error.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer(pub(crate) Result<(), i32>);
