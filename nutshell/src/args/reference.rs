//! How users name what they have: by number or by name. A number is always an id.

use std::convert::Infallible;
use std::fmt;
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
    /// The one of an application: `shop/workers`.
    Of(ApplicationRef, Box<Self>),
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
        if let Some((application, service)) = text.split_once('/') {
            let Ok(application) = application.parse();
            let Ok(service) = service.parse();
            return Ok(Self::Of(application, Box::new(service)));
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id))
    }
}

impl fmt::Display for ApplicationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Of(application, service) => write!(f, "{application}/{service}"),
        }
    }
}
