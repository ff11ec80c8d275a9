//! The keys with which one enters servers: new pairs of them, and how a public one is known.

mod ed25519;
mod public;
mod rsa;

pub(crate) use public::PublicKey;

/// The algorithms that new keys are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSA, 2048 bits.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// A new key pair.
pub(crate) struct NewKey {
    /// As in `authorized_keys`, without a comment.
    pub(crate) public: String,
    /// As in a file that `ssh -i` reads; known to nobody else once it is given away.
    pub(crate) private: String,
    /// What EC2 shows of a pair that it made, where that cannot be told from the public half.
    pub(crate) private_digest: Option<String>,
}

/// Why no key pair was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The RSA key could not be made or written.
    #[error("failed to make an RSA key")]
    Rsa(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The work was given up, since the cloud goes down.
    #[error("gave up making a key")]
    GivenUp(#[source] tokio::task::JoinError),
}

/// Makes a key pair. An RSA key takes a good part of a second, beside what else is going on.
pub(crate) async fn generate(algorithm: Algorithm) -> Result<NewKey, Error> {
    let make = move || match algorithm {
        Algorithm::Rsa => rsa::generate(),
        Algorithm::Ed25519 => Ok(ed25519::generate()),
    };
    tokio::task::spawn_blocking(make).await.map_err(Error::GivenUp)?
}

/// Bytes as fingerprints show them: `1f:51:ae:…`.
fn colons(digest: impl AsRef<[u8]>) -> String {
    let bytes = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    bytes.collect::<Vec<_>>().join(":")
}

/// A part of a key as SSH writes it: its bytes with their number before them.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("parts of keys are short");
    [&length.to_be_bytes(), bytes].concat()
}
