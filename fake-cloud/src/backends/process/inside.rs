//! The first process of a server, as this machine numbers it: through it the server can be entered.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::{fs, io};

use uuid::Uuid;

use super::state;
use crate::guest;

/// The number of the first process of a server of a cloud's state directory; `None` when the server
/// does not run, or has no processes of its own number to enter.
///
/// # Errors
/// When this machine's processes cannot be looked at.
pub fn first_process(state_dir: &Path, id: Uuid) -> io::Result<Option<u32>> {
    let directory = state_dir.canonicalize()?;
    let directory = state::server(&directory, id);
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended meanwhile has neither.
        let read = |file: &str| fs::read(format!("/proc/{number}/{file}")).unwrap_or_default();
        if is_of(&read("cmdline"), directory.path()) && is_first(&read("status")) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Whether these arguments are of a process that the cloud began the server with.
fn is_of(arguments: &[u8], directory: &Path) -> bool {
    let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
    arguments.next() == Some(guest::MARKER.as_bytes())
        && arguments.next().is_some_and(|one| Path::new(OsStr::from_bytes(one)) == directory)
}

/// Whether a process has the number 1 where it lives, and another one here.
fn is_first(status: &[u8]) -> bool {
    let status = String::from_utf8_lossy(status);
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_arguments_and_its_number() {
        let directory = Path::new("/cloud/servers/a");
        assert!(is_of(b"/bin/nutshell\0fake-cloud:server\0/cloud/servers/a\0", directory));
        assert!(!is_of(b"/bin/nutshell\0fake-cloud:server\0/cloud/servers/b\0", directory));
        assert!(!is_of(b"vi\0/cloud/servers/a\0", directory));
        assert!(is_first(b"Name:\tx\nNSpid:\t1964\t1\n"));
        assert!(!is_first(b"NSpid:\t1\n") && !is_first(b"NSpid:\t1964\t8\n") && !is_first(b""));
        let id = Uuid::new_v4();
        assert_eq!(first_process(&std::env::temp_dir(), id).unwrap(), None);
    }
}
