//! Why a half of a service could not do what it was asked.

use std::io;
use std::path::{Path, PathBuf};

use protocol::{ApiError, ClientError, ErrorCode, NodeId};

/// Why a half of a service could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The request cannot be granted; the user may read why.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The agent of a node refused or did not answer.
    #[error("failed to have the agent of node {node} do its part")]
    Agent {
        /// The node.
        node: NodeId,
        /// What went wrong.
        #[source]
        source: ClientError,
    },
    /// A file of the half's own cannot be used.
    #[error("failed to use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ServiceError {
    /// For `map_err` where a file is used.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// What leaves the process: the text of a refusal; of all else only what helps its reader.
impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(refusal) => refusal,
            ServiceError::Agent { node, source: ClientError::Api(refusal) } => {
                let message = format!("node {node}: {}", refusal.message);
                Self { message, ..refusal }
            }
            ServiceError::Agent { node, source } => {
                tracing::warn!(%node, error = &source as &dyn std::error::Error, "agent call failed");
                Self::new(
                    ErrorCode::Unavailable,
                    format!("the agent of node {node} does not answer"),
                )
                .hint("try again; if it stays so, remove the node")
            }
            ServiceError::File { path, source } => {
                tracing::error!(path = %path.display(), error = %source, "a file cannot be used");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_and_no_cause_leaves_the_process() {
        let error =
            ServiceError::file(Path::new("/secret/place"))(io::Error::other("disk on fire"));
        let sent = ApiError::from(error);
        assert_eq!(sent, ApiError::internal());
    }

    #[test]
    fn what_an_agent_refused_names_its_node() {
        let source = ClientError::Api(ApiError::conflict("scripts are running"));
        let sent = ApiError::from(ServiceError::Agent { node: NodeId(4), source });
        assert_eq!(sent, ApiError::conflict("node 4: scripts are running"));
    }
}
