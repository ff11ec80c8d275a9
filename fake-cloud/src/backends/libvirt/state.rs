//! The backend's directory on disk.
//!
//! ```text
//!  cloud                          names this cloud in libvirt
//!  servers/<id>/root.qcow2        the root disk: what differs from its base
//!               base              the name of the base
//!               no-cloud.img      what the guest learns of itself, see [`super::seed`]
//!               config-drive.img
//!               console.log       the end of what was printed
//!               console.sock      where the virtual machine writes it to
//!  bases/                         see [`super::bases`]
//!  volumes/                       see [`super::volumes`]
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use uuid::Uuid;

use super::bases::{Base, Bases, Kernel, run};
use super::seed;
use super::volumes::Volumes;
use crate::backends::{BackendError, ServerSpec};
use crate::guest::directory::{remove_tree, write_private};

const GIB: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    /// Names this cloud in libvirt: no other has it.
    pub(super) cloud: Uuid,
    pub(super) volumes: Volumes,
    bases: Bases,
}

/// The directory of one server.
#[derive(Debug, Clone)]
pub(super) struct ServerFiles(PathBuf);

/// What a server boots from.
#[derive(Debug)]
pub(super) struct Disks {
    pub(super) kernel: Option<Kernel>,
    pub(super) root: PathBuf,
    pub(super) drives: [PathBuf; 2],
}

impl State {
    /// Creates the directory, or cleans up in it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let servers = path.join("servers");
        DirBuilder::new().recursive(true).mode(0o700).create(&servers)?;
        let path = path.canonicalize()?;
        let name = path.join("cloud");
        let known = fs::read_to_string(&name).ok().and_then(|text| text.parse().ok());
        let cloud = known.unwrap_or_else(Uuid::new_v4);
        if known.is_none() {
            write_private(&name, cloud.to_string().as_bytes())?;
        }
        let used: Vec<String> = fs::read_dir(&servers)?
            .filter_map(|entry| ServerFiles(entry.ok()?.path()).base())
            .collect();
        Ok(Self {
            cloud,
            volumes: Volumes::open(path.join("volumes"))?,
            bases: Bases::open(path.join("bases"), &used)?,
            path,
        })
    }

    pub(super) fn server(&self, id: Uuid) -> ServerFiles {
        ServerFiles(self.path.join("servers").join(id.to_string()))
    }

    /// What finds out whether this machine runs guests.
    pub(super) fn probe(&self) -> PathBuf {
        self.path.join("probe.img")
    }

    /// Ids of the servers that have a directory.
    pub(super) fn servers(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = vec![];
        for entry in fs::read_dir(self.path.join("servers"))? {
            let name = entry?.file_name();
            ids.extend(name.to_str().and_then(|name| Uuid::parse_str(name).ok()));
        }
        Ok(ids)
    }

    /// Makes what a server boots from: its root disk when it has none.
    pub(super) fn prepare(&self, server: &ServerSpec) -> Result<Disks, BackendError> {
        let files = self.server(server.id);
        let failed = || BackendError::step(format!("prepare {}", files.0.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&files.0).map_err(failed())?;
        let root = files.0.join("root.qcow2");
        let base = match files.base() {
            Some(name) if root.exists() => self.bases.find(&name).map_err(failed())?,
            Some(_) | None => {
                let base = self.bases.ensure(&server.image, server.disk_gib)?;
                write_private(&files.0.join("base"), base.name.as_bytes()).map_err(failed())?;
                make_root(&base, server.disk_gib, &root)?;
                base
            }
        };
        let drives = ["no-cloud.img", "config-drive.img"].map(|name| files.0.join(name));
        let contents = [seed::no_cloud(server), seed::config_drive(server)];
        for (drive, path) in contents.iter().zip(&drives) {
            drive.write(path).map_err(failed())?;
        }
        Ok(Disks { kernel: base.kernel, root, drives })
    }

    /// Removes everything of a server but its console log.
    pub(super) fn reset(&self, id: Uuid) -> io::Result<()> {
        let files = self.server(id);
        for name in ["root.qcow2", "base"] {
            match fs::remove_file(files.0.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self, id: Uuid) -> io::Result<()> {
        match remove_tree(&self.server(id).0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl ServerFiles {
    pub(super) fn console_log(&self) -> PathBuf {
        self.0.join("console.log")
    }

    pub(super) fn console_socket(&self) -> PathBuf {
        self.0.join("console.sock")
    }

    /// The name of the base that its root disk grows from.
    fn base(&self) -> Option<String> {
        fs::read_to_string(self.0.join("base")).ok()
    }
}

/// Makes a root disk: whole, or not at all.
fn make_root(base: &Base, size_gib: u64, root: &Path) -> Result<(), BackendError> {
    let failed = || BackendError::step(format!("make the root disk {}", root.display()));
    let smallest = match base.image.size {
        Some(size) => size,
        None => base.disk.metadata().map_err(failed())?.len(),
    };
    let size = match size_gib {
        0 => smallest,
        gib => gib * GIB,
    };
    if size < smallest {
        return Err(BackendError::Image(format!(
            "the flavor's disk is too small for it: {size} bytes, and it has {smallest}"
        )));
    }
    let unfinished = root.with_extension("new");
    let mut make = Command::new("qemu-img");
    make.args(["create", "-q", "-f", "qcow2", "-F", base.image.format, "-b"])
        .arg(&base.disk)
        .arg(&unfinished)
        .arg(size.to_string());
    run(make)?;
    fs::rename(&unfinished, root).map_err(failed())
}
