//! A socket of a server's process, seen and handled from the cloud.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::decide::{self, Socket};
use super::sys;

/// Reads the address a call passes; `None` when it is not an IP address.
pub(super) fn read_address(
    thread: Pid,
    address: u64,
    length: u64,
) -> io::Result<Option<SocketAddr>> {
    // As much as an IPv6 address takes.
    let mut buffer = [0; 28];
    let length = usize::try_from(length).unwrap_or(buffer.len()).min(buffer.len());
    Ok(decide::parse_address(sys::read_memory(thread, address, &mut buffer[..length])?))
}

/// Our duplicate of the socket that a call is about.
pub(super) struct Caller {
    socket: OwnedFd,
    v6: bool,
}

impl Caller {
    /// `None` when the descriptor is no IP socket.
    pub(super) fn open(thread: Pid, descriptor: u64) -> io::Result<Option<Self>> {
        // The kernel looks at the lower half only.
        let descriptor = descriptor as u32 as i32;
        let process = open_process(thread)?;
        let socket = pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty())?;
        let v6 = match sockopt::socket_domain(&socket) {
            Ok(AddressFamily::INET) => false,
            Ok(AddressFamily::INET6) => true,
            Ok(_) | Err(Errno::NOTSOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self { socket, v6 }))
    }

    pub(super) fn facts(&self) -> io::Result<Socket> {
        let local = rustix::net::getsockname(&self.socket)?;
        Ok(Socket {
            stream: sockopt::socket_type(&self.socket)? == SocketType::STREAM,
            only_v6: self.v6 && sockopt::ipv6_v6only(&self.socket)?,
            local: SocketAddr::try_from(local)?,
        })
    }

    pub(super) fn is_nonblocking(&self) -> io::Result<bool> {
        Ok(rustix::fs::fcntl_getfl(&self.socket)?.contains(rustix::fs::OFlags::NONBLOCK))
    }

    pub(super) fn bind(&self, address: SocketAddrV4) -> Result<(), i32> {
        rustix::net::bind(&self.socket, &self.family_of(address)).map_err(Errno::raw_os_error)
    }

    pub(super) fn bind_aside(&self) -> Result<(), i32> {
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0);
        rustix::net::bind(&self.socket, &address).map_err(Errno::raw_os_error)
    }

    /// Gives an unbound socket the server's address before it connects.
    pub(super) fn bind_source(&self, fixed: Ipv4Addr) -> io::Result<()> {
        // An older kernel refuses it on IPv6 sockets; then the port is chosen right now.
        let _ = sys::set_bind_address_no_port(&self.socket);
        rustix::net::bind(&self.socket, &self.family_of(SocketAddrV4::new(fixed, 0)))?;
        Ok(())
    }

    /// Binds to a free port, which is returned.
    pub(super) fn bind_anywhere(&self, fixed: Ipv4Addr) -> io::Result<u16> {
        rustix::net::bind(&self.socket, &self.family_of(SocketAddrV4::new(fixed, 0)))?;
        Ok(SocketAddr::try_from(rustix::net::getsockname(&self.socket)?)?.port())
    }

    pub(super) fn connect(&self, address: SocketAddrV4) -> Result<(), i32> {
        rustix::net::connect(&self.socket, &self.family_of(address)).map_err(Errno::raw_os_error)
    }

    /// The address as the socket's family writes it.
    fn family_of(&self, address: SocketAddrV4) -> SocketAddr {
        if self.v6 {
            SocketAddr::from((address.ip().to_ipv6_mapped(), address.port()))
        } else {
            SocketAddr::V4(address)
        }
    }
}

/// Before Linux 6.9 only whole processes can be opened, and only by their first thread.
fn open_process(thread: Pid) -> io::Result<OwnedFd> {
    if let Ok(descriptor) = sys::thread_descriptor(thread) {
        return Ok(descriptor);
    }
    if let Ok(descriptor) = pidfd_open(thread, PidfdFlags::empty()) {
        return Ok(descriptor);
    }
    let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
    let process = thread_group(&status).ok_or(io::ErrorKind::NotFound)?;
    Ok(pidfd_open(process, PidfdFlags::empty())?)
}

fn thread_group(status: &str) -> Option<Pid> {
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_of_a_thread_is_read_from_its_status() {
        let group = thread_group("Name:\tredis\nTgid:\t4711\nPid:\t4712\n").unwrap();
        assert_eq!(group.as_raw_nonzero().get(), 4711);
        assert!(thread_group("Name:\tredis\n").is_none());
    }
}
