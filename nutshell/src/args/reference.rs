//! How users name what they have: by number or by name. A number is always an id.

use std::convert::Infallible;
use std::str::FromStr;

use protocol::{ApplicationId, ServiceId};

/// An application, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApplicationRef {
    /// By id.
    Id(ApplicationId),
    /// By name.
    Name(String),
}

/// A service, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceRef {
    /// By id.
    Id(ServiceId),
    /// By name.
    Name(String),
}

impl FromStr for ApplicationRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id))
    }
}

impl FromStr for ServiceRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id))
    }
}
