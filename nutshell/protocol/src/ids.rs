//! Identifiers: small integers as users type them, each its own type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            schemars::JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

integer_id!(
    /// A user of the installation.
    UserId
);
integer_id!(
    /// A token that a user made for scripts.
    TokenId
);
integer_id!(
    /// An application, unique in the installation.
    ApplicationId
);
integer_id!(
    /// A service, unique in the installation (not only in its application).
    ServiceId
);
integer_id!(
    /// A VM of the platform, manager or agent, unique in the installation and never used again.
    NodeId
);
integer_id!(
    /// A volume of a node, unique in the installation and never used again.
    VolumeId
);
integer_id!(
    /// A multi-step operation of the director.
    OperationId
);

/// A revision of a service's code: `code-XXXXXX` (uploaded), `git-<7 hex>` (pushed), `code-default`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CodeVersionId(String);

impl CodeVersionId {
    /// The version every service with code begins with.
    pub const DEFAULT: &str = "code-default";

    /// The id as users see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CodeVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is no code version id; it would not be safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a code version: expected code-… or git-… with letters and digits")]
pub struct InvalidCodeVersionId(String);

impl FromStr for CodeVersionId {
    type Err = InvalidCodeVersionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tail = text.strip_prefix("code-").or_else(|| text.strip_prefix("git-"));
        match tail {
            Some(tail)
                if (1..=64).contains(&tail.len())
                    && tail.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidCodeVersionId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for CodeVersionId {
    type Error = InvalidCodeVersionId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CodeVersionId> for String {
    fn from(id: CodeVersionId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_ids_are_bare_numbers_on_the_wire() {
        assert_eq!(serde_json::to_string(&ServiceId(7)).unwrap(), "7");
        assert_eq!("12".parse::<NodeId>().unwrap(), NodeId(12));
        assert!("12x".parse::<NodeId>().is_err());
    }

    #[test]
    fn a_code_version_id_is_safe_as_a_file_name() {
        for good in ["code-pw1LKs", "git-7235de9", CodeVersionId::DEFAULT] {
            assert_eq!(good.parse::<CodeVersionId>().unwrap().as_str(), good);
        }
        for bad in ["", "code-", "code-../x", "other-1", "git-a/b", "code-a b"] {
            assert!(bad.parse::<CodeVersionId>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<CodeVersionId>("\"code-..\"").is_err());
    }
}
