//! What libvirt is told of a server: its domain, and its volumes, as XML.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::bases::Kernel;
use super::user_network::UserNetwork;
use super::xml::Element;
use crate::backends::VolumeMount;

/// The namespace of [`mark`].
pub(super) const NAMESPACE: &str = "urn:fake-cloud:server";

/// How the instructions of a guest are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// By this machine's processor.
    Kvm,
    /// By QEMU, one by one.
    Tcg,
    /// Not at all: libvirt's test driver has no guests.
    Pretended,
}

/// A server as libvirt sees it.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) id: Uuid,
    pub(super) hostname: &'a str,
    /// The cloud that it belongs to.
    pub(super) cloud: Uuid,
    pub(super) vcpus: u32,
    pub(super) memory_mib: u64,
    pub(super) accelerator: Accelerator,
    /// What is booted; a boot loader on the root disk when there is none.
    pub(super) kernel: Option<&'a Kernel>,
    pub(super) root: &'a Path,
    /// File systems that a guest reads at its first boot.
    pub(super) drives: &'a [PathBuf],
    /// The volumes, and where their data is.
    pub(super) volumes: &'a [(VolumeMount, PathBuf)],
    pub(super) network: &'a UserNetwork,
    /// The socket that takes what is written to the serial console.
    pub(super) console: &'a Path,
    /// Who runs the machine, when libvirt itself would choose someone else.
    pub(super) owner: Option<(u32, u32)>,
}

impl Machine<'_> {
    /// The whole domain.
    pub(super) fn definition(&self) -> String {
        let (kind, processor) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host-passthrough"),
            Accelerator::Tcg => ("qemu", "maximum"),
            Accelerator::Pretended => ("test", "maximum"),
        };
        let owner = self.owner.map(|(user, group)| {
            Element::new("seclabel")
                .with("type", "static")
                .with("model", "dac")
                .with("relabel", "no")
                .child(Element::new("label").text(format_args!("+{user}:+{group}")))
        });
        Element::new("domain")
            .with("type", kind)
            .child(Element::new("name").text(name(self.id)))
            .child(Element::new("uuid").text(self.id))
            .child(Element::new("title").text(self.hostname))
            .child(mark(self.cloud))
            .child(Element::new("memory").with("unit", "MiB").text(self.memory_mib))
            .child(Element::new("vcpu").text(self.vcpus))
            .child(self.boot())
            .child(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")))
            .child(Element::new("cpu").with("mode", processor))
            .child(Element::new("clock").with("offset", "utc"))
            .child(Element::new("on_poweroff").text("destroy"))
            .child(Element::new("on_reboot").text("restart"))
            .child(Element::new("on_crash").text("destroy"))
            .child(self.devices())
            .children(owner)
            .child(self.network.arguments())
            .to_string()
    }

    fn boot(&self) -> Element {
        let os = Element::new("os").child(Element::new("type").text("hvm"));
        match self.kernel {
            Some(kernel) => os
                .child(Element::new("kernel").text(kernel.image.display()))
                .children(
                    kernel.initrd.iter().map(|path| Element::new("initrd").text(path.display())),
                )
                .child(Element::new("cmdline").text(&kernel.arguments)),
            None => os.child(Element::new("boot").with("dev", "hd")),
        }
    }

    fn devices(&self) -> Element {
        let source = Element::new("source")
            .with("mode", "connect")
            .with("path", self.console.display())
            // Whoever listens may go away and come back, and the guest goes on.
            .child(Element::new("reconnect").with("enabled", "yes").with("timeout", "1"));
        let serial = Element::new("serial").with("type", "unix").child(source);
        let random = Element::new("rng")
            .with("model", "virtio")
            .child(Element::new("backend").with("model", "random").text("/dev/urandom"));
        Element::new("devices")
            .child(disk("qcow2", self.root, "vda"))
            .children(self.volumes.iter().map(|(mount, path)| volume(mount, path)))
            .children(self.drives.iter().zip(["hda", "hdb"]).map(|(path, at)| drive(path, at)))
            .child(serial)
            .child(random)
            .child(Element::new("memballoon").with("model", "none"))
    }
}

/// By which a cloud knows its own domains again.
pub(super) fn mark(cloud: Uuid) -> Element {
    let mark =
        Element::new("fake-cloud:server").with("xmlns:fake-cloud", NAMESPACE).with("cloud", cloud);
    Element::new("metadata").child(mark)
}

/// The name of a server's domain.
pub(super) fn name(id: Uuid) -> String {
    format!("fake-cloud-{id}")
}

/// The XML of a volume in a domain.
pub(super) fn volume(mount: &VolumeMount, path: &Path) -> Element {
    // As Nova's guests find it: /dev/disk/by-id/virtio-<20 characters>.
    disk("raw", path, &target(&mount.device)).child(Element::new("serial").text(mount.id))
}

/// What a guest calls the device that is `sdb` or `xvdb` in the API: `vdb`.
pub(super) fn target(device: &str) -> String {
    let letter = device.chars().rfind(char::is_ascii_lowercase);
    format!("vd{}", letter.unwrap_or('z'))
}

fn disk(format: &str, path: &Path, target: &str) -> Element {
    let driver = Element::new("driver")
        .with("name", "qemu")
        .with("type", format)
        .with("cache", "writeback")
        .with("discard", "unmap");
    Element::new("disk")
        .with("type", "file")
        .with("device", "disk")
        .child(driver)
        .child(Element::new("source").with("file", path.display()))
        .child(Element::new("target").with("dev", target).with("bus", "virtio"))
}

fn drive(path: &Path, target: &str) -> Element {
    Element::new("disk")
        .with("type", "file")
        .with("device", "cdrom")
        .child(Element::new("driver").with("name", "qemu").with("type", "raw"))
        .child(Element::new("source").with("file", path.display()))
        .child(Element::new("target").with("dev", target).with("bus", "ide"))
        .child(Element::new("readonly"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(kernel: Option<&Kernel>, owner: Option<(u32, u32)>) -> String {
        let server = crate::backends::libvirt::seed::tests::server(None);
        let mount = VolumeMount { id: Uuid::from_u128(3), device: "sdb".to_owned() };
        Machine {
            id: Uuid::from_u128(1),
            hostname: "web <1>",
            cloud: Uuid::from_u128(2),
            vcpus: 2,
            memory_mib: 512,
            accelerator: Accelerator::Tcg,
            kernel,
            root: Path::new("/state & all/root.qcow2"),
            drives: &[PathBuf::from("/seed"), PathBuf::from("/config")],
            volumes: &[(mount, PathBuf::from("/volume"))],
            network: &UserNetwork::of(&server),
            console: Path::new("/console"),
            owner,
        }
        .definition()
    }

    #[test]
    fn a_domain_is_marked_as_the_clouds_and_nothing_breaks_out_of_it() {
        let xml = definition(None, None);
        assert!(xml.starts_with("<domain type=\"qemu\"><name>fake-cloud-00000000-"), "{xml}");
        assert!(xml.contains("<title>web &lt;1&gt;</title>"), "{xml}");
        assert!(xml.contains("cloud=\"00000000-0000-0000-0000-000000000002\""), "{xml}");
        assert!(xml.contains("file=\"/state &amp; all/root.qcow2\""), "{xml}");
        assert!(xml.contains("<boot dev=\"hd\"/>"), "{xml}");
        assert!(!xml.contains("seclabel"), "{xml}");
    }

    #[test]
    fn disks_have_the_names_that_the_guest_gives_them() {
        let xml = definition(None, None);
        let found: Vec<_> = xml.split("<target dev=\"").skip(1).map(|rest| &rest[..3]).collect();
        assert_eq!(found, ["vda", "vdb", "hda", "hdb"]);
        assert!(xml.contains("<serial>00000000-0000-0000-0000-000000000003</serial>"), "{xml}");
    }

    #[test]
    fn a_kernel_is_booted_with_its_arguments() {
        let kernel = Kernel {
            image: "/k".into(),
            initrd: Some("/i".into()),
            arguments: "root=UUID=x rw".to_owned(),
        };
        let xml = definition(Some(&kernel), Some((1000, 100)));
        let boot = "<kernel>/k</kernel><initrd>/i</initrd><cmdline>root=UUID=x rw</cmdline></os>";
        assert!(xml.contains(boot), "{xml}");
        assert!(xml.contains("<label>+1000:+100</label>"), "{xml}");
    }
}
