//! Why the cloud did not do what it was asked.

use crate::backends::BackendError;
use crate::model;
use crate::store::StoreError;

/// Why the cloud did not do what it was asked. A refusal is the caller's business; the rest is
/// the cloud's own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The model refuses.
    #[error(transparent)]
    Refused(#[from] model::Error),
    /// The state could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// An address could not be made to answer.
    #[error("failed to lead {floating} to {fixed}")]
    Network {
        /// The floating address.
        floating: std::net::Ipv4Addr,
        /// The fixed address.
        fixed: std::net::Ipv4Addr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The content of an image could not be kept or read.
    #[error("failed to keep the content of the image")]
    Image(#[source] std::io::Error),
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
