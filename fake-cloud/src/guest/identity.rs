//! The small files that tell a server who it is.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::order::Order;

/// A file to write: its path in the server, its mode and its content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdentityFile {
    pub(super) path: &'static str,
    pub(super) mode: u32,
    pub(super) content: String,
}

/// The files of a server, written anew at every boot as cloud-init does.
pub(super) fn files(order: &Order) -> Vec<IdentityFile> {
    let file = |path, mode, content| IdentityFile { path, mode, content };
    let mut files = vec![
        file("etc/hostname", 0o644, format!("{}\n", order.hostname)),
        file("etc/hosts", 0o644, hosts(&order.hostname, order.fixed_ip, &order.hosts)),
        // A resolver that does not answer makes daemons hang for minutes; a file always answers.
        file("etc/resolv.conf", 0o644, "# Names are resolved by /etc/hosts only.\n".to_owned()),
        file("etc/nsswitch.conf", 0o644, NSSWITCH.to_owned()),
        file("etc/machine-id", 0o444, format!("{}\n", order.id.simple())),
        file("run/metadata-url", 0o644, format!("{}\n", order.metadata_url)),
    ];
    if !order.authorized_keys.is_empty() {
        let mut keys = order.authorized_keys.join("\n");
        keys.push('\n');
        files.push(file("root/.ssh/authorized_keys", 0o600, keys));
    }
    files
}

const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

/// The content of `/etc/hosts`.
pub(super) fn hosts(hostname: &str, fixed: Ipv4Addr, others: &[(Ipv4Addr, String)]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    let myself = (fixed, hostname.to_owned());
    for (address, name) in
        std::iter::once(&myself).chain(others.iter().filter(|other| **other != myself))
    {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_knows_itself_once_and_its_neighbours() {
        let (a, b) = (Ipv4Addr::new(127, 16, 0, 1), Ipv4Addr::new(127, 16, 0, 2));
        let text = hosts("web", a, &[(a, "web".into()), (b, "db".into())]);
        assert_eq!(
            text,
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n\
             127.16.0.1 web\n127.16.0.2 db\n"
        );
    }
}
