//! Which process listens at an address, as far as /proc lets one see.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Its id.
    pub pid: u32,
    /// The name of its executable.
    pub name: String,
    /// Its state directory, when it is a nutshell.
    pub state: Option<PathBuf>,
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, name, state } = self;
        match state {
            Some(state) => write!(f, "another nutshell, process {pid} in {}", state.display()),
            None => write!(f, "process {pid} ({name})"),
        }
    }
}

/// The process that listens at the address, if this user may know it.
pub(super) fn find(address: SocketAddrV4) -> Option<PortHolder> {
    let inode = [("/proc/net/tcp", false), ("/proc/net/tcp6", true)]
        .iter()
        .filter_map(|(path, six)| Some((fs::read_to_string(path).ok()?, *six)))
        .find_map(|(table, six)| listening_inode(&table, address, six))?;
    let socket = PathBuf::from(format!("socket:[{inode}]"));
    let mut processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    processes.find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let files = open_files(&process.path());
        files.contains(&socket).then(|| PortHolder {
            pid,
            name: name(&process.path()),
            state: state_directory(&files),
        })
    })
}

fn open_files(process: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return Vec::new() };
    files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).collect()
}

fn name(process: &Path) -> String {
    fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned()
}

/// A nutshell holds the lock of its state directory open.
fn state_directory(files: &[PathBuf]) -> Option<PathBuf> {
    files
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "lock"))
        .filter_map(|file| file.parent())
        .find(|directory| directory.join("version").exists() && directory.join("logs").exists())
        .map(Path::to_owned)
}

/// The inode of the socket that listens at the address or at all addresses, from one of the
/// kernel's tables.
fn listening_inode(table: &str, address: SocketAddrV4, six: bool) -> Option<u64> {
    let port = address.port();
    let at = |ip: Ipv4Addr| format!("{:08X}:{port:04X}", u32::from_le_bytes(ip.octets()));
    let everywhere = format!("{}:{port:04X}", "0".repeat(32));
    let wanted = match six {
        false => vec![at(*address.ip()), at(Ipv4Addr::UNSPECIFIED)],
        true => vec![everywhere],
    };
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = columns.get(3) == Some(&"0A");
        let here = columns.get(1).is_some_and(|local| wanted.iter().any(|ip| ip == local));
        (listens && here).then(|| columns.get(9)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1
   1: 0100387F:15B3 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 102 1
   2: 0100387F:15B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 103 1
   3: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 104 1
";

    #[test]
    fn only_sockets_that_listen_there_count() {
        let inode = |address: &str| listening_inode(TABLE, address.parse().unwrap(), false);
        assert_eq!(inode("127.0.0.1:5000"), Some(101));
        assert_eq!(inode("127.56.0.1:5555"), Some(103));
        assert_eq!(inode("127.57.0.1:5555"), None);
        assert_eq!(inode("127.9.9.9:8080"), Some(104));
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
        let holder = find(address).unwrap();
        assert_eq!(holder.pid, std::process::id());
        drop(listener);
        assert_eq!(find(address), None);
    }

    #[test]
    fn a_nutshell_is_known_by_its_lock() {
        let directory = tempfile::tempdir().unwrap();
        let files = [directory.path().join("lock"), "/dev/null".into()];
        assert_eq!(state_directory(&files), None);
        fs::write(directory.path().join("version"), "1").unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        assert_eq!(state_directory(&files), Some(directory.path().to_owned()));
    }
}
