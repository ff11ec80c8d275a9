//! What is built of what: the flavours, and where a checkout of the project keeps their parts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::tools::{self, Tool, require};

/// What can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flavour {
    /// The appliance, with fake-cloud as its cloud.
    Lean,
    /// A disk for the VMs of a real cloud: what the hosted services need, and cloud-init.
    Services,
}

/// Where Debian's packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrors {
    /// The release.
    pub suite: String,
    /// Of Debian; without one, what mmdebstrap knows by itself.
    pub main: Option<String>,
    /// Of its security updates.
    pub security: Option<String>,
}

impl Mirrors {
    /// As `sources.list` has them.
    #[must_use]
    pub fn lines(&self) -> String {
        let Self { suite, main, security } = self;
        let main = main.as_ref().map(|mirror| {
            format!("deb {mirror} {suite} main\ndeb {mirror} {suite}-updates main\n")
        });
        let security =
            security.as_ref().map(|mirror| format!("deb {mirror} {suite}-security main\n"));
        main.into_iter().chain(security).collect()
    }
}

/// A checkout of the project.
#[derive(Debug)]
pub(super) struct Project(PathBuf);

impl Project {
    /// The one in this directory.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let project = Self(directory.canonicalize().map_err(Error::file("open", directory))?);
        if project.provisioning().join("appliance/provision").is_file() {
            return Ok(project);
        }
        Err(Error::Refused(format!(
            "{} is no checkout of the project: it has no provisioning/appliance; name one with --project",
            directory.display()
        )))
    }

    /// What runs inside images.
    #[must_use]
    pub(super) fn provisioning(&self) -> PathBuf {
        self.0.join("provisioning")
    }

    /// The templates for packer.
    #[must_use]
    pub(super) fn packer(&self) -> PathBuf {
        self.0.join("packer")
    }

    /// What makes the Debian package.
    #[must_use]
    pub(super) fn package_script(&self) -> PathBuf {
        self.0.join("nutshell/debian/build")
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.provisioning().join(name);
        fs::read_to_string(&path).map_err(Error::file("read", &path))
    }
}

impl Flavour {
    /// The packages of Debian that it has.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub(super) fn packages(self, project: &Project) -> Result<BTreeSet<String>, Error> {
        Ok(match self {
            Self::Lean => {
                let mut all = lines(&project.read("appliance/packages")?);
                all.extend(of_image(&project.read("services.toml")?));
                all
            }
            Self::Services => {
                let mut all = of_image(&project.read("services-disk.toml")?);
                // A cloud gives its disk by virtio, and machines of all kinds may be imitated.
                all.insert("initramfs-tools".to_owned());
                all
            }
        })
    }

    /// Finds what programs are missing to build it.
    ///
    /// # Errors
    /// With what to install.
    pub(super) fn check_tools(self, has_package: bool) -> Result<(), Error> {
        let mut tools =
            vec![tools::MMDEBSTRAP, tools::MKE2FS, tools::GRUB_MKIMAGE, tools::QEMU_IMG];
        if self == Self::Lean {
            tools.extend([tools::QEMU, tools::PACKER]);
            if !has_package {
                tools.push(Tool { program: "cargo", package: "cargo" });
            }
        }
        require(&tools)
    }

    /// The size of its disk, of which only what is written takes room.
    #[must_use]
    pub(super) fn disk_bytes(self) -> u64 {
        match self {
            Self::Lean => 20 << 30,
            // For small VMs as well; in others cloud-init makes it larger.
            Self::Services => 3 << 30,
        }
    }

    /// How much room its work directory needs, in MiB: all products and the largest unfinished one.
    #[must_use]
    pub(super) fn room_mib(self) -> u64 {
        match self {
            Self::Lean => 8 << 10,
            Self::Services => 5 << 10,
        }
    }
}

fn lines(text: &str) -> BTreeSet<String> {
    let words = text.lines().map(str::trim).filter(|line| !line.is_empty());
    words.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The strings in the list `packages` of an image's recipe.
fn of_image(recipe: &str) -> BTreeSet<String> {
    let from_list = recipe.split_once("\npackages = [").map_or("", |(_, rest)| rest);
    let list = from_list.split_once("\n]").map_or(from_list, |(list, _)| list);
    let uncommented = list.lines().map(|line| line.split('#').next().unwrap_or(""));
    let words = uncommented.flat_map(|line| line.split([',', ' ', '"']));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_this_project_are_read() {
        let project = Project::open(Path::new("..")).unwrap();
        let lean = Flavour::Lean.packages(&project).unwrap();
        for package in ["linux-image-amd64", "nginx-light", "python3-openstackclient", "php-zip"] {
            assert!(lean.contains(package), "{package}");
        }
        assert!(lean.iter().all(|it| !it.contains(['#', '"', ' ', ':'])), "{lean:?}");
        let services = Flavour::Services.packages(&project).unwrap();
        assert!(services.contains("cloud-init") && !services.contains("packer"));
    }

    #[test]
    fn another_directory_is_no_checkout() {
        let elsewhere = tempfile::tempdir().unwrap();
        let error = Project::open(elsewhere.path()).unwrap_err().to_string();
        assert!(error.contains("no checkout") && error.contains("--project"), "{error}");
    }

    #[test]
    fn comments_of_a_list_are_no_packages() {
        let list =
            of_image("name = \"x\"\npackages = [\n  # php: one, two\n  \"a\", \"b\", # c\n]\n");
        assert_eq!(list.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
