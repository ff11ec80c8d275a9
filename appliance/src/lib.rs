//! The virtual machine that people download: one file that VirtualBox imports.
//!
//! An *OVA* is an archive ([`ova`]) of an *OVF* descriptor, which says what machine it is ([`ovf`]), a
//! manifest of digests ([`manifest`]), and its disk in a format made for transport ([`vmdk`]).
//! [`pack`] makes one of a disk, [`check`] tells what is wrong with one.

pub mod check;
mod error;
pub mod manifest;
pub mod ova;
pub mod ovf;
pub mod pack;
pub mod vmdk;

pub use error::Error;
