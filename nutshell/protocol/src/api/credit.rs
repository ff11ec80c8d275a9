//! Credits: one for every started hour of every VM, managers included.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::NodeId;

/// Why the balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CreditKind {
    /// An administrator, or the installation's default, gave credits or took some.
    Grant,
    /// An hour of a VM began.
    Charge,
    /// The VM never came to work.
    Refund,
}

impl CreditKind {
    /// The word of the wire format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }
}

/// An entry of the ledger. Entries are added, never changed; the balance is their sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CreditEntry {
    /// Grows from entry to entry.
    pub id: i64,
    /// Why.
    pub kind: CreditKind,
    /// What is added to the balance; charges are below zero.
    pub amount: i64,
    /// The VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// Which of the VM's hours, the first is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<i64>,
    /// What the administrator said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub at: OffsetDateTime,
}

/// A user's balance and the latest entries of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Credits {
    /// Credits left.
    pub balance: i64,
    /// The latest entries, newest first.
    pub entries: Vec<CreditEntry>,
}

/// Which entries of the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CreditQuery {
    /// Only entries older than that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// At most so many; 100 when absent, 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Credits for a user.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CreditGrant {
    /// How many; below zero takes some away.
    pub amount: i64,
    /// What the user reads about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
