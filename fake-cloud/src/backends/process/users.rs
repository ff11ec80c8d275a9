//! Who a server's users are on this machine.

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};

/// Maps the users of the new user namespace that a process has just entered.
///
/// Run by the machine's root, a server has all users, each the same as outside, though none with
/// power over the machine. Run by an ordinary user, that user is root inside, and the only one.
pub(super) fn map(process: u32) -> io::Result<()> {
    let own = |name: &str| format!("/proc/{process}/{name}");
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        fs::write(own("uid_map"), identity(&fs::read_to_string("/proc/self/uid_map")?))?;
        fs::write(own("gid_map"), identity(&fs::read_to_string("/proc/self/gid_map")?))
    } else {
        fs::write(own("uid_map"), format!("0 {user} 1"))?;
        // Who could leave a group could enter what the group is kept out of.
        fs::write(own("setgroups"), "deny")?;
        fs::write(own("gid_map"), format!("0 {group} 1"))
    }
}

/// A map of everything that exists here to itself.
fn identity(map: &str) -> String {
    let mut text = String::new();
    for line in map.lines() {
        let mut numbers = line.split_whitespace();
        if let (Some(first), Some(count)) = (numbers.next(), numbers.nth(1)) {
            text.push_str(&format!("{first} {first} {count}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_users_that_exist_here_are_themselves() {
        assert_eq!(identity("         0          0 4294967295\n"), "0 0 4294967295\n");
        let rootless = "0 1000 1\n1 100000 65536\n";
        assert_eq!(identity(rootless), "0 0 1\n1 1 65536\n");
    }
}
