//! Microversions: the answers of Nova, Cinder and Placement differ by the version a client asks for.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::errors::Fault;
use super::route::Service;

/// A version of Nova's API, `2.<this>`, of Cinder's, `3.<this>`, or of Placement's, `1.<this>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Microversion(pub u16);

impl Microversion {
    /// The oldest, and what clients get that do not ask.
    pub(crate) const MIN: Self = Self(1);
    /// The newest.
    pub(crate) const MAX: Self = Self(100);
    /// The oldest of Cinder's.
    pub(crate) const VOLUME_MIN: Self = Self(0);
    /// The newest of Cinder's.
    pub(crate) const VOLUME_MAX: Self = Self(71);
    /// The newest of Placement's; the oldest is 1.0.
    pub(crate) const PLACEMENT_MAX: Self = Self(39);
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2.{}", self.0)
    }
}

/// The version that a request asks for, in the new header or in Nova's own older one.
pub(crate) fn negotiate<'a>(
    service: Service,
    headers: &'a HeaderMap,
) -> Result<Microversion, Fault> {
    let text = |value: &'a http::HeaderValue| value.to_str().ok();
    let new = |prefix: &str| {
        let values = headers.get_all("openstack-api-version").into_iter().filter_map(text);
        let mut parts = values.flat_map(|value| value.split(','));
        parts.find_map(|part| part.trim().strip_prefix(prefix))
    };
    let old = || headers.get("x-openstack-nova-api-version").and_then(text);
    let (wanted, range) = match service {
        Service::Compute => (new("compute ").or_else(old), NOVA),
        Service::Volume => (new("volume "), CINDER),
        Service::Placement => (new("placement "), PLACEMENT),
        Service::Identity | Service::Image | Service::Network => (None, NOVA),
    };
    match wanted {
        None => Ok(range.min),
        Some(wanted) => parse(wanted.trim(), &range),
    }
}

/// The versions that a service speaks.
struct Range {
    major: u16,
    min: Microversion,
    max: Microversion,
}

const NOVA: Range = Range { major: 2, min: Microversion::MIN, max: Microversion::MAX };
const CINDER: Range =
    Range { major: 3, min: Microversion::VOLUME_MIN, max: Microversion::VOLUME_MAX };
const PLACEMENT: Range = Range { major: 1, min: Microversion(0), max: Microversion::PLACEMENT_MAX };

fn parse(wanted: &str, range: &Range) -> Result<Microversion, Fault> {
    if wanted == "latest" {
        return Ok(range.max);
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
    if major == range.major && (range.min..=range.max).contains(&version) {
        Ok(version)
    } else {
        Err(Fault::new(
            StatusCode::NOT_ACCEPTABLE,
            format!(
                "Version {wanted} is not supported by the API. Minimum is {major}.{} and maximum \
                 is {major}.{}.",
                range.min.0,
                range.max.0,
                major = range.major
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
    fn cinder_has_versions_of_its_own() {
        let asked = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            let name = http::HeaderName::from_static("openstack-api-version");
            let headers = HeaderMap::from_iter([(name, value)]);
            negotiate(Service::Volume, &headers).map(|v| v.0).map_err(|fault| fault.status)
        };
        assert_eq!(asked("volume 3.71"), Ok(71));
        assert_eq!(asked("compute 2.90, volume 3.0"), Ok(0));
        assert_eq!(asked("compute 2.90"), Ok(0));
        assert_eq!(asked("volume latest"), Ok(71));
        assert_eq!(asked("volume 3.72"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(asked("volume 2.1"), Err(StatusCode::NOT_ACCEPTABLE));
    }

    #[test]
    fn placement_has_versions_of_its_own() {
        let asked = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            let name = http::HeaderName::from_static("openstack-api-version");
            let headers = HeaderMap::from_iter([(name, value)]);
            negotiate(Service::Placement, &headers).map(|v| v.0).map_err(|fault| fault.status)
        };
        assert_eq!(asked("placement 1.39"), Ok(39));
        assert_eq!(asked("placement latest"), Ok(39));
        assert_eq!(asked("compute 2.90"), Ok(0));
        assert_eq!(asked("placement 1.40"), Err(StatusCode::NOT_ACCEPTABLE));
    }

    #[test]
    fn versions_that_are_not_there_are_refused() {
        assert_eq!(asked("x-openstack-nova-api-version", "2.101"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(asked("x-openstack-nova-api-version", "3.1"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(asked("x-openstack-nova-api-version", "two"), Err(StatusCode::BAD_REQUEST));
    }
}
