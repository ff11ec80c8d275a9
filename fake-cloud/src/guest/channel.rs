//! Messages between the cloud and a server's processes, with descriptors if need be.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const LONGEST_MESSAGE: usize = 16 * 1024;

/// More descriptors than any message has.
const MOST_DESCRIPTORS: usize = 250;

/// Two connected ends that keep messages apart; the first does not block.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (cloud, server) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&cloud, true)?;
    Ok((cloud, server))
}

/// Sends a message and descriptors.
pub(crate) fn send<M: Serialize>(
    socket: impl AsFd,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let parts = [IoSlice::new(&text)];
    retry_on_intr(|| sendmsg(&socket, &parts, &mut ancillary, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives a message; `None` when the other end is closed.
pub(crate) fn receive<M: DeserializeOwned>(
    socket: impl AsFd,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    let mut text = vec![0; LONGEST_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut text)];
        recvmsg(&socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let length = match received {
        Ok(received) => received.bytes,
        // The other end died with our last message unread.
        Err(rustix::io::Errno::CONNRESET) => 0,
        Err(error) => return Err(error.into()),
    };
    if length == 0 {
        return Ok(None);
    }
    let mut descriptors = vec![];
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok(Some((serde_json::from_slice(&text[..length])?, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::super::order::{Command, Report};
    use super::*;

    #[test]
    fn messages_arrive_one_by_one_with_their_descriptors() {
        let (cloud, server) = pair().unwrap();
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        send(&server, &Report::Unshared, &[]).unwrap();
        send(&server, &Report::Forked, &[pipe.as_fd(), pipe.as_fd()]).unwrap();
        drop(server);

        let (first, none) = receive::<Report>(&cloud).unwrap().unwrap();
        assert!(matches!(first, Report::Unshared) && none.is_empty());
        let (second, some) = receive::<Report>(&cloud).unwrap().unwrap();
        assert!(matches!(second, Report::Forked) && some.len() == 2);
        assert!(receive::<Report>(&cloud).unwrap().is_none(), "closed");
    }

    #[test]
    fn the_clouds_end_does_not_block() {
        let (cloud, _server) = pair().unwrap();
        let error = receive::<Command>(&cloud).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
