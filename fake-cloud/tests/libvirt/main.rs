//! Servers that are virtual machines: of libvirt's test driver, which only pretends, and of QEMU.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

#[path = "../built_image/mod.rs"]
mod built_image;
mod fixture;
mod guest;
mod pretended;
