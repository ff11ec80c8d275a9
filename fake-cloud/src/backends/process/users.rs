//! Who a server's users are on this machine.

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};
use uuid::Uuid;

use crate::guest::order::Isolation;

/// How many users a server has.
const COUNT: u64 = 65_536;

/// The first of the numbers that users of servers have on this machine, and how many servers have
/// numbers of their own: outside of what systems give to people, services and containers, which
/// end below `0x7000_0000`.
const FIRST: u64 = 0x7000_0000;
const SERVERS: u64 = 4096;

/// Maps the users of the new user namespace that a process has just entered.
///
/// Run by the machine's root, a server has [`COUNT`] users, who are nobody on this machine, or, with
/// less isolation, all users, each the same as outside, though none with power over the machine.
/// Run by an ordinary user, that user is root inside, and the only one.
pub(super) fn map(process: u32, server: Uuid, isolation: Isolation) -> io::Result<()> {
    let own = |name: &str| format!("/proc/{process}/{name}");
    let (user, group) = (geteuid(), getegid());
    if isolation == Isolation::Users {
        let map = format!("0 {} {COUNT}", first_of(server));
        fs::write(own("uid_map"), &map)?;
        fs::write(own("gid_map"), &map)
    } else if user.is_root() {
        fs::write(own("uid_map"), identity(&fs::read_to_string("/proc/self/uid_map")?))?;
        fs::write(own("gid_map"), identity(&fs::read_to_string("/proc/self/gid_map")?))
    } else {
        fs::write(own("uid_map"), format!("0 {user} 1"))?;
        // Who could leave a group could enter what the group is kept out of.
        fs::write(own("setgroups"), "deny")?;
        fs::write(own("gid_map"), format!("0 {group} 1"))
    }
}

/// Whether servers can have users of their own: only who is root can give them, and only of those
/// that exist here.
pub(super) fn can_be_separate() -> bool {
    let covers = |path: &str| {
        let map = fs::read_to_string(path).unwrap_or_default();
        map.lines().any(|line| covers_all(line).unwrap_or(false))
    };
    geteuid().is_root() && covers("/proc/self/uid_map") && covers("/proc/self/gid_map")
}

/// Whether a line of a map has all that servers may need.
fn covers_all(line: &str) -> Option<bool> {
    let mut numbers = line.split_whitespace().map(str::parse::<u64>);
    let (first, count) = (numbers.next()?.ok()?, numbers.nth(1)?.ok()?);
    Some(first <= FIRST && first + count >= FIRST + SERVERS * COUNT)
}

/// What the number of a server's root is on this machine. Two servers may have the same: they do
/// not meet.
fn first_of(server: Uuid) -> u64 {
    FIRST + u64::from(server.as_fields().1) % SERVERS * COUNT
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
    fn servers_have_users_of_their_own_where_there_are_enough() {
        assert_eq!(covers_all("         0          0 4294967295"), Some(true));
        assert_eq!(covers_all("0 100000 65536"), Some(false));
        assert_eq!(covers_all(""), None);
        let server = Uuid::from_u128(u128::MAX);
        assert!(first_of(server) + COUNT <= FIRST + SERVERS * COUNT);
        // Some programs count with signs.
        const { assert!(FIRST + SERVERS * COUNT <= 1 << 31) };
    }

    #[test]
    fn all_users_that_exist_here_are_themselves() {
        assert_eq!(identity("         0          0 4294967295\n"), "0 0 4294967295\n");
        let rootless = "0 1000 1\n1 100000 65536\n";
        assert_eq!(identity(rootless), "0 0 1\n1 1 65536\n");
    }
}
