//! Every stack has the addresses 127.N.0.0/16 for itself; N is claimed by listening there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;

use protocol::DIRECTOR_PORT;

use super::port_holder::{self, PortHolder};
use crate::diagnostics::Advice;

/// The blocks that are chosen from; the lower ones are where other programs like to be.
const FIRST_BLOCK: u8 = 56;
const LAST_BLOCK: u8 = 250;
/// Where OpenStack's Keystone listens by custom; all of the cloud's API is there.
const OPENSTACK_PORT: u16 = 5000;

/// Why a stack has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Somebody listens where this stack always did.
    #[error("{address} is in use{}", by(holder.as_ref()))]
    InUse {
        /// The address.
        address: SocketAddrV4,
        /// Who has it, when it can be seen.
        holder: Option<PortHolder>,
    },
    /// All blocks are taken.
    #[error("all addresses from 127.{FIRST_BLOCK}.0.1 to 127.{LAST_BLOCK}.0.1 are in use")]
    AllInUse,
    /// This machine does not have the address.
    #[error("failed to listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddrV4,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn by(holder: Option<&PortHolder>) -> String {
    holder.map(|holder| format!(" by {holder}")).unwrap_or_default()
}

impl Advice for AddressError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { holder: Some(PortHolder { state: Some(state), .. }), .. } => {
                Some(format!("`nutshell down --state {}` ends it", state.display()))
            }
            Self::InUse { .. } => Some(
                "end that process, or remove the line `block` of nutshell.toml in the state \
                 directory: then the stack moves to other addresses"
                    .to_owned(),
            ),
            Self::AllInUse => Some("end a stack that is not needed: `nutshell down`".to_owned()),
            Self::Listen { .. } => None,
        }
    }
}

/// The addresses of one stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The N of 127.N.0.0/16.
    pub block: u8,
}

impl Addresses {
    fn at(self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(127, self.block, 0, 1), port)
    }

    /// Where the director answers.
    #[must_use]
    pub fn director_url(self) -> String {
        format!("https://{}", self.at(DIRECTOR_PORT))
    }

    /// Where the OpenStack API answers.
    #[must_use]
    pub fn openstack_url(self) -> String {
        format!("http://{}/v3", self.at(OPENSTACK_PORT))
    }

    /// Where the EC2 API of the same cloud answers.
    #[must_use]
    pub fn ec2_url(self) -> String {
        format!("http://{}/ec2/", self.at(OPENSTACK_PORT))
    }
}

/// Addresses, and the sockets that nobody else can have any more.
#[derive(Debug)]
pub struct Claim {
    /// The addresses.
    pub addresses: Addresses,
    /// The director's socket.
    pub director: TcpListener,
    /// The OpenStack API's socket.
    pub openstack: TcpListener,
}

impl Claim {
    fn of(block: u8) -> Result<Self, AddressError> {
        let addresses = Addresses { block };
        let director = listen(addresses.at(DIRECTOR_PORT))?;
        let openstack = listen(addresses.at(OPENSTACK_PORT))?;
        Ok(Self { addresses, director, openstack })
    }

    /// Claims the block that the stack always had, or a free one when it never had any.
    ///
    /// # Errors
    /// When the block is in use, or all are.
    pub fn make(block: Option<u8>, state: &Path) -> Result<Self, AddressError> {
        if let Some(block) = block {
            return Self::of(block);
        }
        for block in candidates(state) {
            match Self::of(block) {
                Err(AddressError::InUse { .. }) => {}
                claimed_or_failed => return claimed_or_failed,
            }
        }
        Err(AddressError::AllInUse)
    }
}

fn listen(address: SocketAddrV4) -> Result<TcpListener, AddressError> {
    TcpListener::bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => {
            AddressError::InUse { address, holder: port_holder::find(address) }
        }
        _ => AddressError::Listen { address, source },
    })
}

/// All blocks, beginning at one that depends on the directory: so a stack that lost its memory
/// most likely finds its old addresses, and two stacks seldom try the same.
fn candidates(state: &Path) -> impl Iterator<Item = u8> {
    let count = u64::from(LAST_BLOCK - FIRST_BLOCK) + 1;
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    let start = hasher.finish() % count;
    (0..count).map(move |step| FIRST_BLOCK + u8::try_from((start + step) % count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_block_is_tried_once_and_each_directory_begins_elsewhere() {
        let all: Vec<u8> = candidates(Path::new("/a")).collect();
        let distinct: BTreeSet<u8> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        assert_eq!(distinct, (FIRST_BLOCK..=LAST_BLOCK).collect());
        let starts: BTreeSet<u8> =
            (0..20).filter_map(|n| candidates(Path::new(&format!("/stack/{n}"))).next()).collect();
        assert!(starts.len() > 10, "{starts:?}");
    }

    #[test]
    fn a_stack_without_a_block_finds_one_and_keeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::make(None, directory.path()).unwrap();
        let block = claim.addresses.block;
        assert_eq!(claim.addresses.director_url(), format!("https://127.{block}.0.1:5555"));
        assert_eq!(claim.addresses.openstack_url(), format!("http://127.{block}.0.1:5000/v3"));
        // Another stack with the same first choice goes elsewhere.
        let other = Claim::make(None, directory.path()).unwrap();
        assert_ne!(other.addresses.block, block);
        // The one that had the block before is told who has it now.
        let error = Claim::make(Some(block), directory.path()).unwrap_err();
        let me = std::process::id();
        assert!(error.to_string().contains(&format!("by process {me} (")), "{error}");
    }
}
