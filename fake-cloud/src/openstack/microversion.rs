//! Microversions: Nova's answers differ by the version a client asks for.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::errors::Fault;
use super::route::Service;

/// A version of Nova's API, `2.<this>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Microversion(pub u16);

impl Microversion {
    /// The oldest, and what clients get that do not ask.
    pub(crate) const MIN: Self = Self(1);
    /// The newest.
    pub(crate) const MAX: Self = Self(100);
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2.{}", self.0)
    }
}

/// The version that a request asks for, in the new header or in Nova's own older one.
pub(crate) fn negotiate(service: Service, headers: &HeaderMap) -> Result<Microversion, Fault> {
    if service != Service::Compute {
        return Ok(Microversion::MIN);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let new = text("openstack-api-version")
        .and_then(|value| value.split(',').find_map(|part| part.trim().strip_prefix("compute ")));
    match new.or_else(|| text("x-openstack-nova-api-version")) {
        None => Ok(Microversion::MIN),
        Some(wanted) => parse(wanted.trim()),
    }
}

fn parse(wanted: &str) -> Result<Microversion, Fault> {
    if wanted == "latest" {
        return Ok(Microversion::MAX);
    }
    let parts = wanted
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?)));
    let Some((major, minor)) = parts else {
        return Err(Fault::new(
            StatusCode::BAD_REQUEST,
            format!(
                "API Version String {wanted} is of invalid format. Must be of format \
                 MajorNum.MinorNum."
            ),
        ));
    };
    let version = Microversion(minor);
    if major == 2 && (Microversion::MIN..=Microversion::MAX).contains(&version) {
        Ok(version)
    } else {
        Err(Fault::new(
            StatusCode::NOT_ACCEPTABLE,
            format!(
                "Version {wanted} is not supported by the API. Minimum is {} and maximum is {}.",
                Microversion::MIN,
                Microversion::MAX
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &'static str, value: &'static str) -> Result<u16, StatusCode> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            http::HeaderValue::from_static(value),
        )]);
        negotiate(Service::Compute, &headers).map(|v| v.0).map_err(|fault| fault.status)
    }

    #[test]
    fn both_headers_are_understood() {
        assert_eq!(asked("openstack-api-version", "compute 2.47"), Ok(47));
        assert_eq!(asked("openstack-api-version", "volume 3.71, compute 2.3"), Ok(3));
        assert_eq!(asked("openstack-api-version", "volume 3.71"), Ok(1));
        assert_eq!(asked("openstack-api-version", "compute latest"), Ok(100));
        assert_eq!(asked("x-openstack-nova-api-version", "2.15"), Ok(15));
        assert_eq!(asked("accept", "*/*"), Ok(1));
    }

    #[test]
    fn versions_that_are_not_there_are_refused() {
        assert_eq!(asked("x-openstack-nova-api-version", "2.101"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(asked("x-openstack-nova-api-version", "3.1"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(asked("x-openstack-nova-api-version", "two"), Err(StatusCode::BAD_REQUEST));
    }
}
