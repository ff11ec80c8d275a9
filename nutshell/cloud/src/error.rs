//! Everything that can go wrong with a cloud, whichever its API.

use std::error::Error;
use std::time::Duration;

use thiserror::Error;

/// Why a cloud did not do what it was asked.
#[derive(Debug, Error)]
pub enum CloudError {
    /// The settings cannot work with any cloud.
    #[error("the cloud's settings are wrong: {problem}")]
    Settings {
        /// What is wrong, and in which setting.
        problem: String,
    },
    /// The credentials are wrong, or no longer good.
    #[error("the cloud refuses the credentials: {message}; check user name, password and project")]
    Unauthorized {
        /// The cloud's own words.
        message: String,
    },
    /// No answer came.
    #[error("cannot reach the cloud at {url}")]
    Unreachable {
        /// Where an answer was expected.
        url: String,
        /// What the transport says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Something that was named does not exist.
    #[error("not found in the cloud: {what}")]
    NotFound {
        /// The kind of thing and its name.
        what: String,
    },
    /// A name fits several things.
    #[error("{what} is ambiguous, use one of the ids {}", candidates.join(", "))]
    Ambiguous {
        /// The kind of thing and its name.
        what: String,
        /// The ids it may mean.
        candidates: Vec<String>,
    },
    /// The cloud understood and will not do it.
    #[error("the cloud refused to {operation}: {message}")]
    Refused {
        /// What was asked for.
        operation: String,
        /// The cloud's own words.
        message: String,
    },
    /// The project's limits are reached.
    #[error("the cloud's quota is used up: {message}")]
    Quota {
        /// The cloud's own words: which quota, how much.
        message: String,
    },
    /// The cloud is full at the moment.
    #[error("the cloud has no room: {message}")]
    Capacity {
        /// The cloud's own words.
        message: String,
    },
    /// The pool of public addresses is empty.
    #[error("no free public address in the pool {pool}; release some or choose another pool")]
    AddressesExhausted {
        /// The pool, as the settings call it.
        pool: String,
    },
    /// The present state of things does not allow it.
    #[error("the cloud reports a conflict: {message}")]
    Conflict {
        /// The cloud's own words.
        message: String,
    },
    /// A server came to nothing.
    #[error("server {name} failed: {fault}")]
    ServerFailed {
        /// The server's name.
        name: String,
        /// Why, in the cloud's own words.
        fault: String,
    },
    /// A volume came to nothing.
    #[error("volume {name} failed: {fault}")]
    VolumeFailed {
        /// The volume's name.
        name: String,
        /// Why, in the cloud's own words.
        fault: String,
    },
    /// It took too long.
    #[error("gave up waiting for {what} after {} s", waited.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        waited: Duration,
    },
    /// An answer that fits no rule of the cloud's API.
    #[error("unexpected answer of the cloud to {operation}: status {status}, {excerpt}")]
    Unexpected {
        /// What was asked for.
        operation: String,
        /// The status of the answer.
        status: u16,
        /// The beginning of the answer.
        excerpt: String,
    },
}

impl CloudError {
    /// Whether the same call may succeed a little later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Capacity { .. }
            | Self::Conflict { .. }
            | Self::ServerFailed { .. } // the scheduler may choose a better host next time
            | Self::VolumeFailed { .. }
            | Self::Timeout { .. } => true,
            Self::Unexpected { status, .. } => matches!(status, 429 | 500..=599),
            Self::Settings { .. }
            | Self::Unauthorized { .. }
            | Self::NotFound { .. }
            | Self::Ambiguous { .. }
            | Self::Refused { .. }
            | Self::Quota { .. }
            | Self::AddressesExhausted { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_gateway_is_worth_another_try_and_a_missing_page_is_not() {
        let answer = |status| CloudError::Unexpected {
            operation: "list servers".into(),
            status,
            excerpt: String::new(),
        };
        assert!(answer(503).is_transient());
        assert!(answer(429).is_transient());
        assert!(!answer(405).is_transient());
        assert!(!CloudError::AddressesExhausted { pool: "public".into() }.is_transient());
    }

    #[test]
    fn an_ambiguous_name_lists_what_to_write_instead() {
        let error = CloudError::Ambiguous {
            what: "image 'debian'".into(),
            candidates: vec!["a1".into(), "b2".into()],
        };
        assert_eq!(error.to_string(), "image 'debian' is ambiguous, use one of the ids a1, b2");
    }
}
