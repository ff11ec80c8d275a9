//! Servers that are virtual machines: of libvirt's test driver, which only pretends, and of QEMU.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod fixture;
mod guest;
mod pretended;
