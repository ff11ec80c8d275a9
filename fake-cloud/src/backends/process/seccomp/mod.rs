//! A localhost and a wildcard of its own for every server, without a network namespace.
//!
//! Every process of a server runs under a seccomp filter that hands `bind`, `connect` and `listen`
//! to the cloud (`SECCOMP_RET_USER_NOTIF`). [`decide`] says what should happen instead, and the
//! [`Interceptor`] does it on a duplicate of the caller's socket. All other calls run at full speed.
//!
//! Limits: `sendto` without `connect` is not seen, so datagrams to `127.0.0.1` reach the machine;
//! multicast needs the wildcard and does not work.

pub(crate) mod decide;
pub(crate) mod filter;
mod interceptor;
mod socket;

pub(crate) use interceptor::Interceptor;

use std::io;
use std::os::fd::OwnedFd;

use super::sys;
use crate::guest::order::Isolation;

/// Puts this process, and all it will start, under the filter.
pub(crate) fn install(isolation: Isolation) -> io::Result<OwnedFd> {
    if isolation == Isolation::Plain {
        // Without privileges of its own a process may only filter what can gain none.
        rustix::thread::set_no_new_privs(true)?;
    }
    sys::install_filter(&filter::program())
}
