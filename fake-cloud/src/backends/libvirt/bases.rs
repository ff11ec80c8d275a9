//! Base disks: what the root disks of servers grow from, made once for each image.
//!
//! ```text
//!  bases/<name>/disk     a raw or qcow2 image; never written to once it is there
//!               kernel   what is booted, when the image is a directory; it has no boot loader
//!               initrd
//! ```

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::qcow2::{self, DiskImage};
use crate::backends::{BackendError, ImageSource};
use crate::guest::directory::remove_tree;

const GIB: u64 = 1 << 30;

/// The directory of all bases.
#[derive(Debug)]
pub(super) struct Bases {
    path: PathBuf,
    /// Held while one is being made: who wants the same waits for it.
    making: Mutex<()>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) name: String,
    pub(super) disk: PathBuf,
    pub(super) image: DiskImage,
    pub(super) kernel: Option<Kernel>,
}

/// What is booted without a boot loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) image: PathBuf,
    pub(super) initrd: Option<PathBuf>,
    pub(super) arguments: String,
}

impl Bases {
    /// Removes what no server uses, and what a making that was cut short has left.
    pub(super) fn open(path: PathBuf, used: &[String]) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if !used.iter().any(|name| entry.file_name() == name.as_str()) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(Self { path, making: Mutex::default() })
    }

    /// The base that was made under this name.
    pub(super) fn find(&self, name: &str) -> io::Result<Base> {
        let path = self.path.join(name);
        let disk = path.join("disk");
        let mut header = Vec::new();
        File::open(&disk)?.take(qcow2::HEADER as u64).read_to_end(&mut header)?;
        let image = qcow2::inspect(&header).map_err(io::Error::other)?;
        let (kernel, initrd) = (path.join("kernel"), path.join("initrd"));
        let kernel = kernel.exists().then(|| Kernel {
            image: kernel,
            initrd: initrd.exists().then_some(initrd),
            arguments: format!("root=UUID={} rw console=ttyS0", file_system_id(name)),
        });
        Ok(Base { name: name.to_owned(), disk, image, kernel })
    }

    /// The base of an image, for a root disk of this size; made when there is none.
    pub(super) fn ensure(&self, image: &ImageSource, size_gib: u64) -> Result<Base, BackendError> {
        let unusable = |reason: &str| Err(BackendError::Image(reason.to_owned()));
        let (name, content) = match image {
            ImageSource::Directory { path } => {
                let failed = BackendError::step(format!("look through {}", path.display()));
                let print = fingerprint(path).map_err(failed)?;
                (format!("tree-{print}-{size_gib}"), Content::Tree(path))
            }
            ImageSource::File { path } => {
                let id = path.file_name().unwrap_or_default().to_string_lossy();
                (format!("file-{id}"), Content::File(path))
            }
            ImageSource::Host { .. } => {
                return unusable(
                    "it is this machine's own system, and a virtual machine needs one of its \
                     own: upload a disk image",
                );
            }
            ImageSource::Opaque => return unusable("its content is not here"),
        };
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.path.join(&name).exists() {
            self.make(&name, content, size_gib)?;
        }
        self.find(&name).map_err(BackendError::step(format!("use the base disk {name}")))
    }

    /// Makes a base: whole, or not at all.
    fn make(&self, name: &str, content: Content<'_>, size_gib: u64) -> Result<(), BackendError> {
        let (path, unfinished) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let failed = || BackendError::step(format!("make the base disk {}", path.display()));
        let clean = || match remove_tree(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        clean().and_then(|()| fs::create_dir(&unfinished)).map_err(failed())?;
        let made = match content {
            Content::Tree(tree) => from_tree(tree, &unfinished, file_system_id(name), size_gib),
            Content::File(file) => from_file(file, &unfinished),
        };
        if let Err(error) = made {
            // The next try, or the next start, does it otherwise.
            let _ = clean();
            return Err(error);
        }
        fs::rename(&unfinished, &path).map_err(failed())
    }
}

/// What a base is made from.
#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    /// A directory that holds a root file system.
    Tree(&'a Path),
    /// A disk image.
    File(&'a Path),
}

/// The id of the file system in a base that was made from a directory.
fn file_system_id(name: &str) -> Uuid {
    let digest = Sha256::digest(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A digest of everything in a tree: names, kinds, sizes and times, but not of the data itself.
fn fingerprint(tree: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut pending = vec![tree.to_owned()];
    while let Some(directory) = pending.pop() {
        let mut entries = fs::read_dir(&directory)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let found = entry.metadata()?;
            let path = entry.path();
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update([0]);
            for number in [u64::from(found.mode()), found.size(), found.ino()] {
                digest.update(number.to_le_bytes());
            }
            for number in [found.ctime(), found.ctime_nsec()] {
                digest.update(number.to_le_bytes());
            }
            if found.is_dir() {
                pending.push(path);
            }
        }
    }
    let digest = digest.finalize();
    Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Links an uploaded file: it stays when its image is deleted.
fn from_file(path: &Path, base: &Path) -> Result<(), BackendError> {
    let failed = || BackendError::step(format!("open the image {}", path.display()));
    let mut header = Vec::new();
    File::open(path)
        .and_then(|file| file.take(qcow2::HEADER as u64).read_to_end(&mut header))
        .map_err(failed())?;
    qcow2::inspect(&header).map_err(|reason| BackendError::Image(reason.to_owned()))?;
    let disk = base.join("disk");
    // Not everywhere are they on the same file system.
    fs::hard_link(path, &disk).or_else(|_| fs::copy(path, &disk).map(drop)).map_err(failed())
}

/// Makes an ext4 file system with a tree in it, without mounting it, and takes its kernel out.
fn from_tree(tree: &Path, base: &Path, id: Uuid, size_gib: u64) -> Result<(), BackendError> {
    let boot = tree.join("boot");
    let failed = || BackendError::step(format!("take the kernel from {}", boot.display()));
    let names: Vec<String> = match fs::read_dir(&boot) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries
            .map_err(failed())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect(),
    };
    let Some((kernel, initrd)) = choose_kernel(&names) else {
        return Err(BackendError::Image(format!(
            "there is no kernel in {}: install one there, such as Debian's linux-image-cloud-amd64",
            boot.display()
        )));
    };
    fs::copy(boot.join(kernel), base.join("kernel")).map_err(failed())?;
    if let Some(initrd) = initrd {
        fs::copy(boot.join(initrd), base.join("initrd")).map_err(failed())?;
    }
    let mut make = mke2fs();
    make.args(["-q", "-F", "-t", "ext4", "-L", "root", "-U"])
        .arg(id.to_string())
        .args(["-E", "lazy_itable_init=1,lazy_journal_init=1", "-d"])
        .arg(tree)
        .arg(base.join("disk"))
        .arg(format!("{}k", size_gib.max(1) * GIB / 1024));
    run(make)
}

/// As an ordinary user, in a user namespace: what is theirs is root's in the file system.
fn mke2fs() -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new("mke2fs");
    }
    let mut command = Command::new("unshare");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.args(["--user", "--map-root-user", "mke2fs"]);
    command
}

/// Runs a command; one that fails is quoted with what it said.
pub(super) fn run(mut command: Command) -> Result<(), BackendError> {
    let step = format!("run {command:?}");
    let output = command.output().map_err(BackendError::step(step.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(BackendError::step(step)(io::Error::other(said.trim().to_owned())))
}

/// The newest kernel and its initial file system, of the names in a `/boot`.
fn choose_kernel(names: &[String]) -> Option<(&String, Option<&String>)> {
    let kernels = names.iter().filter_map(|name| {
        let version = name.strip_prefix("vmlinuz-")?;
        (!version.contains("rescue")).then_some((version, name))
    });
    let (version, kernel) = kernels.max_by_key(|(version, _)| numbers(version))?;
    let initrds = [format!("initrd.img-{version}"), format!("initramfs-{version}.img")];
    Some((kernel, names.iter().find(|name| initrds.contains(name))))
}

/// The numbers in a version, to compare it by.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_booted_with_its_own_initrd() {
        let names: Vec<String> = [
            "config-6.1.0-9-amd64",
            "initrd.img-6.1.0-10-amd64",
            "initrd.img-6.1.0-9-amd64",
            "vmlinuz-6.1.0-10-amd64",
            "vmlinuz-6.1.0-9-amd64",
        ]
        .map(str::to_owned)
        .into();
        let (kernel, initrd) = choose_kernel(&names).unwrap();
        assert_eq!(kernel, "vmlinuz-6.1.0-10-amd64");
        assert_eq!(initrd.unwrap(), "initrd.img-6.1.0-10-amd64");
        assert_eq!(choose_kernel(&names[..3]), None);
        assert_eq!(choose_kernel(&names[4..]).unwrap().1, None);
    }

    #[test]
    fn a_tree_becomes_a_disk_once_and_a_changed_tree_another_one() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir_all(tree.join("boot")).unwrap();
        fs::write(tree.join("boot/vmlinuz-1"), "kernel").unwrap();
        let image = ImageSource::Directory { path: tree.clone() };
        let bases = Bases::open(place.path().join("bases"), &[]).unwrap();

        let base = bases.ensure(&image, 1).unwrap();
        assert_eq!(base.image, DiskImage { format: "raw", size: None });
        assert_eq!(base.disk.metadata().unwrap().len(), GIB);
        let kernel = base.kernel.unwrap();
        assert_eq!(fs::read_to_string(kernel.image).unwrap(), "kernel");
        assert_eq!(kernel.initrd, None);
        assert_eq!(bases.ensure(&image, 1).unwrap().name, base.name);

        fs::write(tree.join("new"), "x").unwrap();
        let changed = bases.ensure(&image, 1).unwrap().name;
        assert_ne!(changed, base.name);

        // Only what is used survives, and nothing unfinished.
        fs::create_dir(place.path().join("bases/half.new")).unwrap();
        let bases =
            Bases::open(place.path().join("bases"), std::slice::from_ref(&changed)).unwrap();
        assert!(bases.find(&changed).is_ok() && bases.find(&base.name).is_err());
        assert_eq!(fs::read_dir(place.path().join("bases")).unwrap().count(), 1);
    }

    #[test]
    fn an_uploaded_file_stays_when_its_image_goes_and_others_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let bases = Bases::open(place.path().join("bases"), &[]).unwrap();
        let path = place.path().join("image");
        fs::write(&path, "boot sector").unwrap();
        let base = bases.ensure(&ImageSource::File { path: path.clone() }, 1).unwrap();
        assert_eq!(base.kernel, None);
        fs::remove_file(&path).unwrap();
        assert_eq!(
            fs::read_to_string(bases.find(&base.name).unwrap().disk).unwrap(),
            "boot sector"
        );

        fs::write(&path, b"QFI\xfb").unwrap();
        let cut = place.path().join("cut");
        fs::rename(&path, &cut).unwrap();
        for image in [
            ImageSource::File { path: cut },
            ImageSource::Host { extra_files: vec![] },
            ImageSource::Directory { path: place.path().to_owned() },
        ] {
            let refused = bases.ensure(&image, 1);
            assert!(matches!(refused, Err(BackendError::Image(_))), "{refused:?}");
        }
    }
}
