//! Tells the service manager that started this process when everything runs, as `sd_notify(3)` describes:
//! what depends on it waits for that.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells it; nothing happens where there is none that wants to know.
pub(super) fn ready() -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(name) if !name.is_empty() => tell(&name, "READY=1"),
        _ => Ok(()),
    }
}

fn tell(name: &OsString, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let sent = socket.send_to_addr(message.as_bytes(), &address(name)?)?;
    debug_assert_eq!(sent, message.len(), "a datagram is sent whole");
    Ok(())
}

/// A path, or a name without a file when it begins with `@`.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_is_told_at_a_path_and_at_a_name_without_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify").into_os_string();
        let name = OsString::from(format!("@nutshell-test-{}", std::process::id()));
        for socket in [path, name] {
            let manager = UnixDatagram::bind_addr(&address(&socket).unwrap()).unwrap();
            tell(&socket, "READY=1").unwrap();
            let mut told = [0; 32];
            let length = manager.recv(&mut told).unwrap();
            assert_eq!(&told[..length], b"READY=1");
        }
    }
}
