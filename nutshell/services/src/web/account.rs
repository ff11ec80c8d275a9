//! As whom the daemons of a node do the users' work.
//!
//! Root where there is one starts them, and they put its rights down. In a server that an ordinary
//! user's cloud runs there is nobody but root, and outside of servers there may be no root at all.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, chownat};
use rustix::process::{Gid, Uid, geteuid};

/// The account that web servers have on Debian.
const NAME: &str = "www-data";

/// Whom the daemons' workers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever started them: they cannot change it.
    Own,
    /// Root, which has no other accounts here.
    Root,
    /// An account of their own.
    Other {
        /// Its user and group.
        uid: u32,
        gid: u32,
    },
}

impl Account {
    /// The account of this machine.
    pub(crate) fn of_this_machine() -> Self {
        if !geteuid().is_root() {
            return Self::Own;
        }
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        find(&read("/etc/passwd"), &read("/proc/self/uid_map"), &read("/proc/self/gid_map"))
    }

    /// Its name, where it has to be told.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::Root => Some("root"),
            Self::Other { .. } => Some(NAME),
        }
    }

    /// Makes a directory, or a file, its own.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        let Self::Other { uid, gid } = self else { return Ok(()) };
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        Ok(chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The same with all that is below.
    pub(crate) fn own_all(self, path: &Path) -> io::Result<()> {
        self.own(path)?;
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                self.own_all(&entry?.path())?;
            }
        }
        Ok(())
    }

    /// Makes a directory for it alone.
    pub(crate) fn directory(self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        self.own(path)
    }
}

/// The account in `passwd`, unless these numbers mean nobody here.
fn find(passwd: &str, uids: &str, gids: &str) -> Account {
    let fields = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&NAME));
    let number = |index: usize| fields.as_ref()?.get(index)?.parse::<u32>().ok();
    match (number(2), number(3)) {
        (Some(uid), Some(gid)) if has(uids, uid) && has(gids, gid) => Account::Other { uid, gid },
        _ => Account::Root,
    }
}

/// Whether a number is in a map of `/proc`: lines of first number, first outside, how many.
fn has(map: &str, number: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
        let (first, count) = (numbers.next(), numbers.nth(1));
        first.zip(count).is_some_and(|(first, count)| {
            (first..first.saturating_add(count)).contains(&u64::from(number))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_counts_when_its_numbers_mean_somebody() {
        let passwd = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:34::/var/www:/bin/false\n";
        let all = "         0          0 4294967295\n";
        let root_only = "         0       1000          1\n";
        assert_eq!(find(passwd, all, all), Account::Other { uid: 33, gid: 34 });
        assert_eq!(find(passwd, "0 100000 34\n", "0 100000 34\n"), Account::Root);
        assert_eq!(find(passwd, root_only, root_only), Account::Root);
        assert_eq!(find("root:x:0:0:::\n", all, all), Account::Root);
    }
}
