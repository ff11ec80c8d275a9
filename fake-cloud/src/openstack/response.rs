//! How answers are made, and the headers that every answer of a service has.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::microversion::Microversion;
use super::route::Service;
use crate::stamp::Stamp;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
const COMPUTE_REQUEST_ID: HeaderName = HeaderName::from_static("x-compute-request-id");
const API_VERSION: HeaderName = HeaderName::from_static("openstack-api-version");
const NOVA_API_VERSION: HeaderName = HeaderName::from_static("x-openstack-nova-api-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A JSON answer.
pub(crate) fn json(status: StatusCode, content: &impl Serialize) -> Response {
    sized_json(status, content, 1024)
}

/// A JSON answer of which the size is roughly known: long ones should not grow step by step.
pub(crate) fn sized_json(status: StatusCode, content: &impl Serialize, size: usize) -> Response {
    let mut bytes = Vec::with_capacity(size);
    serde_json::to_writer(&mut bytes, content).expect("answers have string keys");
    json_bytes(status, Bytes::from(bytes))
}

/// A JSON answer with status 200.
pub(crate) fn ok(content: &impl Serialize) -> Response {
    json(StatusCode::OK, content)
}

/// A JSON answer that is written already.
pub(crate) fn json_bytes(status: StatusCode, content: Bytes) -> Response {
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// An answer without content.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer without content that says it is HTML, as Cinder's do.
pub(crate) fn html_empty(status: StatusCode) -> Response {
    let mut response = empty(status);
    let html = HeaderValue::from_static("text/html; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// Says that an answer is JSON, be there any or not.
pub(crate) fn json_type(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// The HTML in which Glance tells its errors.
pub(crate) fn html(status: StatusCode, title: &str, message: &str) -> Response {
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!(
        "<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  \
         {message}<br /><br />\n\n\n\n </body>\n</html>"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// Adds a header whose value this program has made.
pub(crate) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Adds the headers that every answer of the service has.
pub(crate) fn finish(
    response: &mut Response,
    service: Service,
    version: Option<Microversion>,
    request_id: &str,
) {
    let headers = response.headers_mut();
    let value = |text: String| HeaderValue::from_str(&text).ok();
    if let Some(id) = value(request_id.to_owned()) {
        if matches!(service, Service::Compute | Service::Volume) {
            headers.insert(COMPUTE_REQUEST_ID, id.clone());
        }
        headers.insert(REQUEST_ID, id);
    }
    match (service, version) {
        (Service::Compute, Some(version)) => {
            headers.entry(header::CONTENT_TYPE).or_insert(JSON);
            if let Some(value) = value(format!("compute {version}")) {
                headers.insert(API_VERSION, value);
            }
            if let Some(value) = value(version.to_string()) {
                headers.insert(NOVA_API_VERSION, value);
            }
            headers.append(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
            headers.append(header::VARY, HeaderValue::from_static("X-OpenStack-Nova-API-Version"));
        }
        (Service::Identity, _) => {
            headers.insert(header::VARY, HeaderValue::from_static("X-Auth-Token"));
        }
        (Service::Volume, Some(version)) => {
            if let Some(value) = value(format!("volume 3.{}", version.0)) {
                headers.insert(API_VERSION, value);
            }
            headers.insert(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
        }
        (Service::Placement, version) => {
            let version = version.unwrap_or(Microversion(0));
            if let Some(value) = value(format!("placement 1.{}", version.0)) {
                headers.insert(API_VERSION, value);
            }
            headers.insert(header::VARY, HeaderValue::from_static("openstack-api-version"));
        }
        (Service::Compute | Service::Image | Service::Network | Service::Volume, _) => {}
    }
}

/// A time as most answers write it: `2026-11-21T07:00:28Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zulu(pub(crate) OffsetDateTime);

/// A time as the older parts of the APIs write it: `2026-11-21T07:00:28.000000`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Micros(pub(crate) OffsetDateTime);

/// A time as Keystone writes it: `2026-11-21T07:00:28.000000Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ZuluMicros(pub(crate) OffsetDateTime);

impl std::fmt::Display for Zulu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Stamp::new(self.0).seconds())?;
        f.write_str("Z")
    }
}

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Stamp::new(self.0).micros())
    }
}

impl std::fmt::Display for ZuluMicros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Stamp::new(self.0).micros())?;
        f.write_str("Z")
    }
}

impl Serialize for Zulu {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ZuluMicros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_written_as_the_services_write_them() {
        let time = datetime!(2026-11-21 07:00:28.000150 UTC);
        assert_eq!(Zulu(time).to_string(), "2026-11-21T07:00:28Z");
        assert_eq!(Micros(time).to_string(), "2026-11-21T07:00:28.000150");
        assert_eq!(ZuluMicros(time).to_string(), "2026-11-21T07:00:28.000150Z");
    }
}
