//! Interfaces, addresses and routes of the namespace a connection was opened in, by rtnetlink.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::model::address::Block;

/// An open connection.
pub(super) struct Netlink(Socket);

/// The block of all addresses.
pub(super) const ANYWHERE: Block = Block { network: Ipv4Addr::UNSPECIFIED, prefix: 0 };

/// A way to a block, or to everything else when it is the block of all addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) to: Block,
    /// The router that knows on; none for a block that is right there.
    pub(super) by: Option<Ipv4Addr>,
    /// The interface, where that is not clear.
    pub(super) interface: Option<&'a str>,
    /// The table it is in.
    pub(super) table: u32,
    /// Of several ways the one with the lowest is taken.
    pub(super) metric: u32,
}

impl Way<'_> {
    /// The way to what is right there.
    pub(super) fn to(to: Block) -> Self {
        let table = u32::from(RouteHeader::RT_TABLE_MAIN);
        Self { to, by: None, interface: None, table, metric: 0 }
    }

    /// A way by a router.
    pub(super) fn by(to: Block, router: Ipv4Addr) -> Self {
        Self { by: Some(router), ..Self::to(to) }
    }
}

impl Netlink {
    /// Connects to the kernel about the namespace this thread is in.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// Makes a bridge that is down.
    pub(super) fn add_bridge(&self, name: &str) -> io::Result<()> {
        let mut bridge = named(name);
        bridge.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        self.create(Message::NewLink(bridge))
    }

    /// Makes a cable: one end here and down, the other in another namespace.
    pub(super) fn add_cable(
        &self,
        here: &str,
        there: &str,
        mac: Option<[u8; 6]>,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut peer = named(there);
        peer.attributes.push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
        peer.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        let mut cable = named(here);
        cable.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.create(Message::NewLink(cable))
    }

    /// Removes an interface; nothing happens when there is none of that name.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match self.request(Message::DelLink(named(name)), 0) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            result => result,
        }
    }

    pub(super) fn set_up(&self, name: &str) -> io::Result<()> {
        self.switch(name, LinkFlags::Up)
    }

    /// Nothing passes an interface that is down; nothing happens when there is none of that name.
    pub(super) fn set_down(&self, name: &str) -> io::Result<()> {
        match self.switch(name, LinkFlags::empty()) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            result => result,
        }
    }

    /// Sets the largest packet of an interface, in bytes.
    pub(super) fn set_mtu(&self, name: &str, mtu: u32) -> io::Result<()> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::Mtu(mtu));
        self.request(Message::SetLink(link), 0)
    }

    fn switch(&self, name: &str, flags: LinkFlags) -> io::Result<()> {
        let mut link = named(name);
        link.header.flags = flags;
        link.header.change_mask = LinkFlags::Up;
        self.request(Message::SetLink(link), 0)
    }

    /// Plugs an interface into a bridge, where it reaches the bridge itself and no other port.
    pub(super) fn plug_isolated(&self, name: &str, bridge: &str) -> io::Result<()> {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::Controller(self.index(bridge)?));
        self.request(Message::SetLink(link), 0)?;
        let mut port = named(name);
        port.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::Isolated(true)])),
        ]));
        self.request(Message::NewLink(port), 0)
    }

    /// Gives an interface an address; nothing happens when it has it.
    pub(super) fn add_address(&self, name: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let message = self.address(name, address, prefix)?;
        self.request(Message::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes an address from an interface; nothing happens when it does not have it.
    pub(super) fn remove_address(&self, name: &str, address: Ipv4Addr) -> io::Result<()> {
        match self.request(Message::DelAddress(self.address(name, address, 32)?), 0) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            result => result,
        }
    }

    fn address(&self, name: &str, address: Ipv4Addr, prefix: u8) -> io::Result<AddressMessage> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix;
        message.header.index = self.index(name)?;
        let address = IpAddr::V4(address);
        message.attributes =
            vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        Ok(message)
    }

    pub(super) fn add_route(&self, way: Way<'_>) -> io::Result<()> {
        let Way { to, by, interface, table, metric } = way;
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.destination_prefix_length = to.prefix;
        route.header.protocol = RouteProtocol::Static;
        route.header.scope = if by.is_some() { RouteScope::Universe } else { RouteScope::Link };
        route.header.kind = RouteType::Unicast;
        if to.prefix > 0 {
            route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(to.network)));
        }
        route.attributes.extend(by.map(|it| RouteAttribute::Gateway(RouteAddress::Inet(it))));
        if let Some(interface) = interface {
            route.attributes.push(RouteAttribute::Oif(self.index(interface)?));
        }
        route.attributes.extend([RouteAttribute::Table(table), RouteAttribute::Priority(metric)]);
        self.create(Message::NewRoute(route))
    }

    /// What comes from a block and goes to a block takes the ways of a table first. Nothing happens
    /// when it does.
    pub(super) fn add_rule(&self, from: Block, to: Block, table: u32) -> io::Result<()> {
        match self.create(Message::NewRule(rule(from, to, table))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    /// Takes a rule away; nothing happens when there is none like that.
    pub(super) fn remove_rule(&self, from: Block, to: Block, table: u32) -> io::Result<()> {
        match self.request(Message::DelRule(rule(from, to, table)), 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// All blocks that there is a way to, but for the way to everything else.
    pub(super) fn blocks(&self) -> io::Result<Vec<Block>> {
        let mut wanted = RouteMessage::default();
        wanted.header.address_family = AddressFamily::Inet;
        self.send(Message::GetRoute(wanted), NLM_F_DUMP)?;
        let mut blocks = vec![];
        self.receive(|message| {
            let Message::NewRoute(route) = message else { return };
            let prefix = route.header.destination_prefix_length;
            let networks = route.attributes.into_iter().filter_map(|attribute| match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(network)) => Some(network),
                _ => None,
            });
            blocks.extend(networks.map(|network| Block { network, prefix }));
        })?;
        Ok(blocks)
    }

    fn index(&self, name: &str) -> io::Result<u32> {
        self.send(Message::GetLink(named(name)), NLM_F_ACK)?;
        let mut index = None;
        self.receive(|message| {
            if let Message::NewLink(link) = message {
                index = Some(link.header.index);
            }
        })?;
        index.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&self, message: Message) -> io::Result<()> {
        self.request(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    fn request(&self, message: Message, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_ACK | flags)?;
        self.receive(|_| {})
    }

    fn send(&self, message: Message, flags: u16) -> io::Result<()> {
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        self.0.send(&buffer, 0)?;
        Ok(())
    }

    /// Takes all that answers a request, until it is acknowledged or refused.
    fn receive(&self, mut take: impl FnMut(Message)) -> io::Result<()> {
        loop {
            let (packets, _) = self.0.recv_from_full()?;
            let mut rest = packets.as_slice();
            while !rest.is_empty() {
                let packet =
                    NetlinkMessage::<Message>::deserialize(rest).map_err(io::Error::other)?;
                match packet.payload {
                    NetlinkPayload::InnerMessage(message) => take(message),
                    NetlinkPayload::Error(answer) => {
                        return match answer.code {
                            None => Ok(()),
                            Some(_) => Err(answer.to_io()),
                        };
                    }
                    NetlinkPayload::Done(_) => return Ok(()),
                    _ => {}
                }
                // Each begins at a multiple of four.
                let length = (packet.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn rule(from: Block, to: Block, table: u32) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = AddressFamily::Inet;
    rule.header.src_len = from.prefix;
    rule.header.dst_len = to.prefix;
    rule.header.action = RuleAction::ToTable;
    rule.attributes.push(RuleAttribute::Source(IpAddr::V4(from.network)));
    if to.prefix > 0 {
        rule.attributes.push(RuleAttribute::Destination(IpAddr::V4(to.network)));
    }
    rule.attributes.push(RuleAttribute::Table(table));
    rule
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}
