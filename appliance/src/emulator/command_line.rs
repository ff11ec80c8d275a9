//! Which machine QEMU is to play: the one that VirtualBox makes of an OVA.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::str::FromStr;

use crate::accelerator::Accelerator;
use crate::host_only::{FIRST_LEASE, HOST, NETWORK};

/// A port of this machine that leads to one of the host-only network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Of this machine.
    pub from: SocketAddrV4,
    /// On the host-only network: the appliance's own address, or a floating one.
    pub to: SocketAddrV4,
}

/// A text is no forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' leads nowhere; write it as 8080=192.168.56.10:80")]
pub struct ForwardError(String);

impl FromStr for Forward {
    type Err = ForwardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('=').and_then(|(from, to)| {
            let port = from.parse().map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
            let from = port.ok().or_else(|| from.parse().ok())?;
            Some(Self { from, to: to.parse().ok()? })
        });
        parsed.ok_or_else(|| ForwardError(text.to_owned()))
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

/// The hardware.
#[derive(Debug, Clone, Copy)]
pub struct Hardware {
    /// What runs it.
    pub accelerator: Accelerator,
    /// How many processors.
    pub processors: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// The words after `qemu-system-x86_64`. Its serial port is stdout.
#[must_use]
pub fn arguments(hardware: Hardware, disk: &Path, forwards: &[Forward]) -> Vec<String> {
    let Hardware { accelerator, processors, memory_mib } = hardware;
    // SATA and two adapters of Intel's, as in the descriptor.
    let mut words = vec![
        "-machine".to_owned(),
        "q35".to_owned(),
        "-accel".to_owned(),
        accelerator.name().to_owned(),
        "-smp".to_owned(),
        processors.to_string(),
        "-m".to_owned(),
        memory_mib.to_string(),
        "-nodefaults".to_owned(),
        "-display".to_owned(),
        "none".to_owned(),
        "-serial".to_owned(),
        "stdio".to_owned(),
        "-drive".to_owned(),
        format!("if=none,id=disk,format=qcow2,discard=unmap,file={}", escaped(disk)),
        "-device".to_owned(),
        "ide-hd,drive=disk,bus=ide.0".to_owned(),
        "-device".to_owned(),
        "virtio-rng-pci".to_owned(),
    ];
    let leads: String =
        forwards.iter().map(|Forward { from, to }| format!(",hostfwd=tcp:{from}-{to}")).collect();
    for (name, network) in [
        ("nat", String::new()),
        // Nobody but this machine is there.
        (
            "hostonly",
            format!(",net={NETWORK},host={HOST},dhcpstart={FIRST_LEASE},restrict=on{leads}"),
        ),
    ] {
        words.extend(["-netdev".to_owned(), format!("user,id={name}{network}")]);
        words.extend(["-device".to_owned(), format!("e1000,netdev={name}")]);
    }
    words
}

/// A path in an option of QEMU, where two commas are one.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_is_read_with_and_without_the_address_of_this_machine() {
        let read = |text: &str| text.parse::<Forward>().map(|it| it.to_string());
        assert_eq!(read("8080=192.168.56.10:80").unwrap(), "127.0.0.1:8080=192.168.56.10:80");
        assert_eq!(
            read("127.0.0.2:22=192.168.56.101:22").unwrap(),
            "127.0.0.2:22=192.168.56.101:22"
        );
        for text in ["", "8080", "8080=192.168.56.10", "x=1.2.3.4:5", "99999=1.2.3.4:5"] {
            assert_eq!(read(text), Err(ForwardError(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_machine_has_the_two_adapters_in_their_order_and_the_forwards_on_the_second() {
        let hardware = Hardware { accelerator: Accelerator::Tcg, processors: 2, memory_mib: 3072 };
        let forward = "8443=192.168.56.101:443".parse().unwrap();
        let words = arguments(hardware, Path::new("/a,b/disk"), &[forward]);
        let line = words.join(" ");
        assert!(line.contains("file=/a,,b/disk"), "{line}");
        let adapters: Vec<_> = words.iter().filter(|it| it.starts_with("e1000,")).collect();
        assert_eq!(adapters, ["e1000,netdev=nat", "e1000,netdev=hostonly"]);
        let network = words.iter().find(|it| it.starts_with("user,id=hostonly")).unwrap();
        assert_eq!(
            network,
            "user,id=hostonly,net=192.168.56.0/24,host=192.168.56.1,dhcpstart=192.168.56.101,restrict=on,\
             hostfwd=tcp:127.0.0.1:8443-192.168.56.101:443"
        );
    }
}
