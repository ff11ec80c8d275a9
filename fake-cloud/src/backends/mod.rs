//! What a server is made of: one contract, one implementation a file or folder.
//!
//! A backend runs servers and knows nothing of projects, quotas or API dialects; the model decides
//! what should run and tells the backend so. Calls for one server never overlap; calls for
//! different servers run at the same time.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::model::address::Block;

mod console;
#[cfg(feature = "container")]
pub mod container;
pub mod inert;
#[cfg(feature = "libvirt")]
pub mod libvirt;
pub mod process;

/// The contract between the model and whatever runs its servers.
#[async_trait]
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Starts the server and returns when its first process runs; nothing happens when it runs
    /// already. The server's disk is made when there is none and kept otherwise; user-data runs
    /// only on a disk that has never booted.
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError>;

    /// Ends every process of the server; its disk stays. Nothing happens when it does not run.
    async fn stop(&self, id: Uuid) -> Result<(), BackendError>;

    /// Ends every process of the server at once, as a power cut would; its disk stays.
    async fn cut(&self, id: Uuid) -> Result<(), BackendError> {
        self.stop(id).await
    }

    /// Whether the server has processes just now, frozen or not. Once its end is told by a
    /// [`ServerExit`] it has none.
    async fn runs(&self, id: Uuid) -> bool;

    /// Ends every process of the server and removes its disk and console log. Succeeds when there
    /// is nothing to remove.
    async fn delete(&self, id: Uuid) -> Result<(), BackendError>;

    /// Ends every process of the server and removes its disk, so that the next start is a first
    /// boot; its console log stays. Succeeds when there is nothing to remove.
    async fn reset(&self, id: Uuid) -> Result<(), BackendError>;

    /// Freezes (`true`) or thaws (`false`) every process of the server.
    async fn pause(&self, id: Uuid, paused: bool) -> Result<(), BackendError>;

    /// Whether servers look at [`ServerSpec::hosts`] when they start.
    fn reads_hosts(&self) -> bool {
        true
    }

    /// Whether running servers are to be told when servers of their project come and go.
    fn resolves_names(&self) -> bool {
        false
    }

    /// Lets a running server resolve these names and no others, as [`ServerSpec::hosts`] does at a
    /// start. Nothing happens when it does not run.
    async fn set_hosts(&self, id: Uuid, hosts: &[(Ipv4Addr, String)]) -> Result<(), BackendError> {
        let _ = (id, hosts);
        Ok(())
    }

    /// Gives a running server these network interfaces and no others, as a start does. Nothing
    /// happens when it does not run, or where servers have one interface for all of their life.
    async fn set_interfaces(&self, id: Uuid, interfaces: &[Interface]) -> Result<(), BackendError> {
        let _ = (id, interfaces);
        Ok(())
    }

    /// The last `lines` lines of the console log, all that is kept when `None`; empty for a server
    /// that never ran.
    async fn console(&self, id: Uuid, lines: Option<usize>) -> Result<String, BackendError>;

    /// What [`Backend::console`] gives, and then all that the server prints, while it is there. Of a
    /// backend that cannot tell it ends with what there is.
    async fn follow_console(
        &self,
        id: Uuid,
        lines: Option<usize>,
    ) -> Result<ConsoleStream, BackendError> {
        let log = self.console(id, lines).await?;
        Ok(futures::stream::iter([Bytes::from(log)]).boxed())
    }

    /// What the server uses now, as far as someone measures it.
    async fn usage(&self, id: Uuid) -> Usage {
        let _ = id;
        Usage::default()
    }

    /// Ids of the servers that have a disk here, whether they run or not: what a restarted cloud
    /// compares with its own records.
    async fn disks(&self) -> Result<Vec<Uuid>, BackendError>;

    /// What has become of the servers that ran on while the cloud was away: asked once, at its
    /// start. Nothing where servers end with the cloud.
    async fn survivors(&self) -> HashMap<Uuid, Survivor> {
        HashMap::new()
    }

    /// Whether servers can boot [`ImageSource::Directory`]: if not, no archive is unpacked for them.
    fn boots_directories(&self) -> bool {
        true
    }

    /// Writes an archive (tar) of the server's root directory to a new file, with what is on its disk
    /// only; of a server of [`ImageSource::Host`] what it has changed, as [`ServerSpec::layer`] takes
    /// it. A server that runs should be paused meanwhile. Fails with `FileTooLarge` when the archive
    /// would have more than `most` bytes; the file is the caller's to remove.
    async fn capture(
        &self,
        server: &ServerSpec,
        archive: &Path,
        most: u64,
    ) -> Result<(), BackendError> {
        let _ = (archive, most);
        Err(BackendError::Image(format!("the disk of server {} cannot be copied here", server.id)))
    }

    /// Makes the data of a volume: empty, or a copy of another's. Whole or not at all; nothing
    /// happens when it is there already. A snapshot is a volume that is never attached. A backend
    /// whose volumes are directories need not keep to the size.
    async fn volume_create(
        &self,
        id: Uuid,
        size_gib: u64,
        from: Option<Uuid>,
    ) -> Result<(), BackendError>;

    /// Makes a volume larger, while a server has it too.
    async fn volume_extend(&self, id: Uuid, size_gib: u64) -> Result<(), BackendError>;

    /// Removes the data of a volume. Succeeds when there is nothing to remove.
    async fn volume_delete(&self, id: Uuid) -> Result<(), BackendError>;

    /// Ids of the volumes that have data here.
    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError>;

    /// Whether servers can boot from volumes, and volumes be made from images.
    fn boots_from_volumes(&self) -> bool {
        false
    }

    /// Shows a volume in a running server. Nothing happens when the server does not run, or shows
    /// the volume already: a start shows all that its [`ServerSpec`] names.
    async fn volume_attach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError>;

    /// Takes a volume from a running server; [`BackendError::Busy`], and nothing has changed, when
    /// a process there uses it. Nothing happens when the server does not run. The data stays.
    async fn volume_detach(&self, server: Uuid, volume: &VolumeMount) -> Result<(), BackendError>;

    /// Whether everything that servers and volumes are made of lies in the state directory of the
    /// cloud.
    fn is_in_state_dir(&self) -> bool {
        true
    }

    /// Ends every server at once, as a power cut would; their disks stay.
    async fn power_off(&self);
}

/// Everything a backend needs to know of a server.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The server's id, the same in every API.
    pub id: Uuid,
    /// Host name inside the server.
    pub hostname: String,
    /// Where its root file system comes from.
    pub image: ImageSource,
    /// What its disk begins with above [`ImageSource::Host`]: an archive in the format of a layer of
    /// an OCI image.
    pub layer: Option<PathBuf>,
    /// Number of virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Root disk in GiB.
    pub disk_gib: u64,
    /// The fixed address that it is known by: the first of its first interface that has one.
    pub fixed_ip: Ipv4Addr,
    /// Its network interfaces; the first has the address that it is known by.
    pub interfaces: Vec<Interface>,
    /// The address of the cloud's API and metadata service as the server reaches it, as a URL.
    pub metadata_url: String,
    /// What it is told about itself: OpenStack's `meta_data.json`.
    pub meta_data: serde_json::Value,
    /// Run once, on the first boot, when it begins with `#!`.
    pub user_data: Option<Vec<u8>>,
    /// Public keys for root's `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// Names every server of the network can resolve: no server waits for a DNS that is not there.
    /// Empty where nobody looks at them.
    pub hosts: Vec<(Ipv4Addr, String)>,
    /// The volumes it has from its start.
    pub volumes: Vec<VolumeMount>,
}

/// What a server uses; nothing where nobody measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Usage {
    /// Memory in bytes, with what its files take of the machine's cache.
    pub memory_bytes: Option<u64>,
    /// Processor time in nanoseconds, of all its processors together, since its start.
    pub processor_nanoseconds: Option<u64>,
    /// Number of processes and threads.
    pub processes: Option<u64>,
    /// What its root disk takes of the machine's, in bytes, without its image.
    pub disk_bytes: Option<u64>,
}

/// What a server prints, piece by piece.
pub type ConsoleStream = BoxStream<'static, Bytes>;

impl ServerSpec {
    /// The hardware address of its first interface.
    pub fn mac(&self) -> &str {
        self.interfaces.first().map_or("", |interface| interface.mac.as_str())
    }
}

/// A network interface of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its hardware address, as `fa:16:3e:00:00:01`.
    pub mac: String,
    /// Its largest packet in bytes; what the kernel gives it when there is none.
    pub mtu: Option<u32>,
    /// The ways that it is told of, each with the address of who knows on.
    pub routes: Vec<(Block, Ipv4Addr)>,
    /// The address that it is known by, and others that it has too.
    pub addresses: Vec<InterfaceAddress>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The subnet that it is from.
    pub subnet: Block,
    /// The router there that leads elsewhere.
    pub gateway: Option<Ipv4Addr>,
}

impl Interface {
    /// The address that it is known by.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.addresses.first().map(|it| it.address)
    }
}

/// A volume in a server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VolumeMount {
    /// The volume.
    pub id: Uuid,
    /// The name of its device, without a path: `sdb`.
    pub device: String,
}

/// The root file system of a server.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageSource {
    /// This machine's own system directories, with the private places masked by empty ones.
    Host {
        /// Files of this machine to show read-only at other paths: `(here, in the server)`.
        extra_files: Vec<(PathBuf, PathBuf)>,
    },
    /// A directory that holds a root file system.
    Directory {
        /// The directory; it is never written to.
        path: PathBuf,
    },
    /// A file that was uploaded, whatever is in it.
    Opaque,
    /// A disk image: where the content of an [`ImageSource::Opaque`] image is.
    File {
        /// The file; it is never written to, and goes when the image is deleted.
        path: PathBuf,
    },
}

/// Why a backend could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The server is not known here.
    #[error("server {0} has no disk here")]
    NoSuchServer(Uuid),
    /// The server has no address, and nothing runs without one.
    #[error("server {0} has no address")]
    NoAddress(Uuid),
    /// The image cannot be booted by this backend.
    #[error("the image cannot be booted: {0}")]
    Image(String),
    /// A process in the server uses the volume.
    #[error("volume {0} is in use: a process has files open there, or works there")]
    Busy(Uuid),
    /// Someone who steers the cloud wants it to fail.
    #[error("{0}")]
    Injected(String),
    /// A step of the work failed.
    #[error("failed to {step}")]
    Step {
        /// What was being done, as it follows "failed to".
        step: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl BackendError {
    /// For `map_err`: names the step that failed.
    pub fn step(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |source| Self::Step { step, source }
    }
}

/// Does one step that waits for files or programs, where it does not hold up the rest.
async fn blocking<T: Send + 'static>(
    step: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BackendError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::from).flatten();
    done.map_err(BackendError::step(step))
}

/// What has become of a server while the cloud was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivor {
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It has ended by itself.
    Ended,
}

/// Told to the model when a server ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerExit {
    /// The server that ended.
    pub id: Uuid,
    /// Why, in a few words, for the log.
    pub reason: String,
}

/// Where a backend reports servers that end by themselves.
pub type ExitSender = mpsc::UnboundedSender<ServerExit>;
