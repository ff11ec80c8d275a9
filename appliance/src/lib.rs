//! The virtual machine that people download: one file that VirtualBox imports.
//!
//! An *OVA* is an archive ([`ova`]) of an *OVF* descriptor, which says what machine it is ([`ovf`]), a
//! manifest of digests ([`manifest`]), and its disk in a format made for transport ([`vmdk`]).
//! [`pack`] makes one of a disk, [`check`] tells what is wrong with one. [`build`] makes the disk and all, of Debian's
//! packages; [`emulator`] boots one, [`virtualbox`] imports one.

pub mod accelerator;
pub mod build;
pub mod check;
pub mod emulator;
mod error;
pub mod host_only;
pub mod manifest;
pub mod ova;
pub mod ovf;
pub mod pack;
mod scratch;
pub mod tools;
pub mod virtualbox;
pub mod vmdk;

pub use error::Error;
