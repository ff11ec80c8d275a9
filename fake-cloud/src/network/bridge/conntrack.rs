//! Forgets connections, in the namespace that the calling thread is in: what comes next of them is
//! translated no more.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// `IPCTNL_MSG_CT_DELETE` of the subsystem `NFNL_SUBSYS_CTNETLINK`.
const DELETE: u16 = 1 << 8 | 2;
const CTA_MARK: u16 = 8;
const CTA_MARK_MASK: u16 = 21;

/// Forgets all connections that bear the mark.
pub(super) fn forget(mark: u32) -> io::Result<()> {
    let socket = Socket::new(NETLINK_NETFILTER)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&message(mark), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    // After the header comes the error number, negative or zero.
    let number =
        answer.get(16..20).and_then(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)));
    match number {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn message(mark: u32) -> Vec<u8> {
    // `struct nfgenmsg`: IPv4, version 0, resource 0.
    let mut body = vec![libc::AF_INET as u8, 0, 0, 0];
    for (kind, value) in [(CTA_MARK, mark), (CTA_MARK_MASK, u32::MAX)] {
        body.extend(8_u16.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value.to_be_bytes());
    }
    // `struct nlmsghdr`: length, type, flags, sequence, sender.
    let mut message = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
    message.extend(DELETE.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}
