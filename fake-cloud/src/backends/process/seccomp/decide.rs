//! What a server's `bind`, `connect` or `listen` should do instead: pure decisions.
//!
//! All servers and the machine share one network stack. What makes each feel alone on its own is
//! that its wildcard and its localhost mean its fixed address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

/// Where every cloud answers its servers' questions about themselves.
const WELL_KNOWN_METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);

/// What a server's addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The server's own address.
    pub(crate) fixed: Ipv4Addr,
    /// Where the metadata service really listens.
    pub(crate) metadata: Option<SocketAddrV4>,
}

impl Place {
    /// Of a server with this address that finds the metadata service at this URL.
    pub(crate) fn new(fixed: Ipv4Addr, metadata_url: &str) -> Self {
        Self { fixed, metadata: metadata_address(metadata_url) }
    }
}

/// What is known of the socket a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Socket {
    /// A stream (TCP) rather than datagrams.
    pub(crate) stream: bool,
    /// IPv6, and unable to speak IPv4.
    pub(crate) only_v6: bool,
    /// Its address on this side; unspecified with port 0 when it is not bound.
    pub(crate) local: SocketAddr,
}

/// What to do about a call. Addresses are IPv4: the caller maps them for an IPv6 socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Let the kernel do what was asked.
    Continue,
    /// Bind to this address instead.
    Bind(SocketAddrV4),
    /// Bind to any port of `::1` instead: a socket that cannot speak IPv4 has no place on the
    /// server's network, which is IPv4 only, but its owner should not fail because of it.
    BindAside,
    /// Connect to this address instead, from the server's own.
    Connect(SocketAddrV4),
    /// Bind to the server's own address, so that the peer sees who calls; then let the kernel go on.
    ConnectFromOwn,
    /// Tell that the port opens, then let the kernel go on.
    Listen(u16),
    /// Bind to a free port of the server's address first, as `listen` on an unbound socket would.
    ListenUnbound,
}

/// `bind(socket, wanted)`.
pub(crate) fn bind(place: Place, socket: Socket, wanted: SocketAddr) -> Action {
    let port = wanted.port();
    match canonical(wanted.ip()) {
        // A loopback address is a name for the server, whichever it is: its own, `127.0.0.1`, or its
        // floating address, which answers by forwarding. By its own name, too, it has all ports that
        // the cloud may have: those below 1024 are not for a server's root, who is root of nothing else.
        IpAddr::V4(ip) if ip.is_unspecified() || ip.is_loopback() => own(place, port),
        IpAddr::V6(ip) if ip.is_unspecified() || ip.is_loopback() => {
            if socket.only_v6 {
                Action::BindAside
            } else {
                own(place, port)
            }
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Action::Continue,
    }
}

fn own(place: Place, port: u16) -> Action {
    Action::Bind(SocketAddrV4::new(place.fixed, port))
}

/// `connect(socket, wanted)`.
pub(crate) fn connect(place: Place, socket: Socket, wanted: SocketAddr) -> Action {
    if socket.only_v6 {
        return Action::Continue;
    }
    let IpAddr::V4(ip) = localhost_as_v4(canonical(wanted.ip())) else {
        return Action::Continue;
    };
    let target = SocketAddrV4::new(ip, wanted.port());
    if target == WELL_KNOWN_METADATA {
        return place.metadata.map_or(Action::Continue, Action::Connect);
    }
    if Some(target) == place.metadata {
        // An IPv6 socket may have asked for `::1`, where the service does not listen.
        return Action::Connect(target);
    }
    if is_own_localhost(ip) || ip.is_unspecified() {
        return Action::Connect(SocketAddrV4::new(place.fixed, wanted.port()));
    }
    if ip.is_loopback() && is_unbound(socket.local) {
        return Action::ConnectFromOwn;
    }
    Action::Continue
}

/// `listen(socket)`.
pub(crate) fn listen(place: Place, socket: Socket) -> Action {
    if !socket.stream {
        return Action::Continue;
    }
    match canonical(socket.local.ip()) {
        IpAddr::V4(ip) if ip == place.fixed => Action::Listen(socket.local.port()),
        _ if is_unbound(socket.local) && !socket.only_v6 => Action::ListenUnbound,
        IpAddr::V4(_) | IpAddr::V6(_) => Action::Continue,
    }
}

/// The other end of a `connect` that leaves the server: neither itself nor the metadata service.
pub(crate) fn leads_out(place: Place, wanted: SocketAddr) -> Option<SocketAddrV4> {
    let IpAddr::V4(ip) = localhost_as_v4(canonical(wanted.ip())) else { return None };
    let target = SocketAddrV4::new(ip, wanted.port());
    let is_own = is_own_localhost(ip) || ip.is_unspecified() || ip == place.fixed;
    let is_metadata = target == WELL_KNOWN_METADATA || Some(target) == place.metadata;
    (!is_own && !is_metadata).then_some(target)
}

/// Whether a socket has neither address nor port of its own yet.
pub(crate) fn is_unbound(local: SocketAddr) -> bool {
    local.port() == 0 && canonical(local.ip()).is_unspecified()
}

/// `127.0.0.1`, and what Debian calls the machine's own name. The rest of 127/8 is the network.
fn is_own_localhost(ip: Ipv4Addr) -> bool {
    ip == Ipv4Addr::LOCALHOST || ip == Ipv4Addr::new(127, 0, 1, 1)
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

fn localhost_as_v4(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        other => other,
    }
}

/// Reads a `sockaddr` as a process passed it; `None` when it is not an IP address.
pub(crate) fn parse_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match family {
        libc::AF_INET => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::from((ip, port)))
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(SocketAddr::from((ip, port)))
        }
        _ => None,
    }
}

/// The socket address in `http://address:port/…`, when it is one.
fn metadata_address(url: &str) -> Option<SocketAddrV4> {
    let rest = url.strip_prefix("http://")?;
    let host = rest.split('/').next().unwrap_or(rest);
    host.parse().ok().or_else(|| Some(SocketAddrV4::new(host.parse().ok()?, 80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        fixed: Ipv4Addr::new(127, 16, 0, 5),
        metadata: Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8775)),
    };

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn v4(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    fn socket(local: &str) -> Socket {
        Socket { stream: true, only_v6: false, local: address(local) }
    }

    #[test]
    fn wildcard_and_localhost_are_the_servers_own() {
        let own = Action::Bind(v4("127.16.0.5:8000"));
        for (local, wanted, expected) in [
            ("0.0.0.0:0", "0.0.0.0:8000", own),
            ("0.0.0.0:0", "127.0.0.1:8000", own),
            ("0.0.0.0:0", "127.99.0.7:8000", own),
            ("[::]:0", "[::]:8000", own),
            ("[::]:0", "[::1]:8000", own),
            ("[::]:0", "[::ffff:0.0.0.0]:8000", own),
            ("0.0.0.0:0", "127.16.0.5:8000", own),
            ("[::]:0", "[::ffff:127.16.0.5]:8000", own),
            ("0.0.0.0:0", "192.168.1.2:8000", Action::Continue),
        ] {
            assert_eq!(bind(PLACE, socket(local), address(wanted)), expected, "{wanted}");
        }
    }

    #[test]
    fn an_ipv6_only_socket_is_put_aside() {
        let socket = Socket { only_v6: true, ..socket("[::]:0") };
        assert_eq!(bind(PLACE, socket, address("[::]:80")), Action::BindAside);
        assert_eq!(bind(PLACE, socket, address("[::1]:80")), Action::BindAside);
        assert_eq!(connect(PLACE, socket, address("[::1]:80")), Action::Continue);
        assert_eq!(listen(PLACE, socket), Action::Continue);
    }

    #[test]
    fn connections_reach_the_server_itself_its_neighbours_and_the_metadata() {
        let fresh = socket("0.0.0.0:0");
        let bound = socket("127.16.0.5:40000");
        let itself = Action::Connect(v4("127.16.0.5:6379"));
        let metadata = Action::Connect(v4("127.0.0.1:8775"));
        for (socket, wanted, expected) in [
            (fresh, "127.0.0.1:6379", itself),
            (fresh, "127.0.1.1:6379", itself),
            (fresh, "0.0.0.0:6379", itself),
            (fresh, "[::1]:6379", itself),
            (fresh, "[::]:6379", itself),
            (fresh, "[::ffff:127.0.0.1]:6379", itself),
            (bound, "127.0.0.1:6379", itself),
            (fresh, "169.254.169.254:80", metadata),
            (fresh, "127.0.0.1:8775", metadata),
            (fresh, "[::1]:8775", metadata),
            (fresh, "127.16.0.9:80", Action::ConnectFromOwn),
            (bound, "127.16.0.9:80", Action::Continue),
            (fresh, "192.168.1.2:80", Action::Continue),
            (fresh, "[2001:db8::1]:80", Action::Continue),
        ] {
            assert_eq!(connect(PLACE, socket, address(wanted)), expected, "{wanted}");
        }
    }

    #[test]
    fn only_what_leaves_the_server_is_asked_about() {
        let out = |wanted| leads_out(PLACE, address(wanted));
        for own in ["127.0.0.1:80", "[::1]:80", "0.0.0.0:80", "127.16.0.5:80"] {
            assert_eq!(out(own), None, "{own}");
        }
        assert_eq!(out("169.254.169.254:80"), None);
        assert_eq!(out("127.0.0.1:8775"), None);
        assert_eq!(out("[::ffff:127.16.0.9]:80"), Some(v4("127.16.0.9:80")));
        assert_eq!(out("192.168.1.2:80"), Some(v4("192.168.1.2:80")));
    }

    #[test]
    fn listening_is_told_for_tcp_on_the_servers_address() {
        assert_eq!(listen(PLACE, socket("127.16.0.5:80")), Action::Listen(80));
        assert_eq!(listen(PLACE, socket("[::ffff:127.16.0.5]:80")), Action::Listen(80));
        assert_eq!(listen(PLACE, socket("0.0.0.0:0")), Action::ListenUnbound);
        assert_eq!(listen(PLACE, socket("192.168.1.2:80")), Action::Continue);
        let datagrams = Socket { stream: false, ..socket("127.16.0.5:80") };
        assert_eq!(listen(PLACE, datagrams), Action::Continue);
    }

    #[test]
    fn addresses_are_read_as_processes_pass_them() {
        let mut v4 = vec![0; 16];
        v4[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        v4[2..8].copy_from_slice(&[0x1f, 0x90, 10, 0, 0, 1]);
        assert_eq!(parse_address(&v4), Some(address("10.0.0.1:8080")));

        let mut v6 = vec![0; 28];
        v6[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        v6[2..4].copy_from_slice(&80_u16.to_be_bytes());
        v6[23] = 1;
        assert_eq!(parse_address(&v6), Some(address("[::1]:80")));

        assert_eq!(parse_address(&[libc::AF_UNIX as u8, 0, b'/', b'a']), None);
        assert_eq!(parse_address(&v6[..20]), None, "cut short");
        assert_eq!(parse_address(&[]), None);
    }

    #[test]
    fn the_metadata_address_is_read_from_its_url() {
        let address = |text: &str| text.parse().ok();
        assert_eq!(metadata_address("http://127.0.0.1:8775/"), address("127.0.0.1:8775"));
        assert_eq!(metadata_address("http://127.0.0.1:8775"), address("127.0.0.1:8775"));
        assert_eq!(metadata_address("http://169.254.169.254/x"), address("169.254.169.254:80"));
        assert_eq!(metadata_address("http://cloud:80/"), None);
    }
}
