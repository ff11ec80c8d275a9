//! What goes wrong, in the words of each service: one fault inside, four shapes outside.

use std::borrow::Cow;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::response;
use super::route::Service;
use crate::cloud::{Failure, chain};
use crate::control::Injected;
use crate::model::error::{Broken, Error, Kind, Sort};
use crate::model::life::Refusal;
use crate::store::StoreError;

/// Why a request gets no answer of the good kind.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The status.
    pub(crate) status: StatusCode,
    /// The exception's name, where the service tells it.
    pub(crate) kind: Cow<'static, str>,
    /// What the user should know.
    pub(crate) message: String,
}

impl Fault {
    /// A fault whose service does not tell an exception's name.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, kind: Cow::Borrowed("HTTPError"), message: message.into() }
    }

    /// A request that cannot be meant as it was sent.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::named(StatusCode::BAD_REQUEST, "HTTPBadRequest", message)
    }

    /// Something that is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::named(StatusCode::NOT_FOUND, "HTTPNotFound", message)
    }

    /// Something that this caller may not do.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::named(StatusCode::FORBIDDEN, "PolicyNotAuthorized", message)
    }

    /// A fault with the name of its exception.
    pub(crate) fn named(
        status: StatusCode,
        kind: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, kind: kind.into(), message: message.into() }
    }

    /// What someone wants to see answered.
    pub(crate) fn injected(error: Injected) -> Self {
        let usual = match error.status {
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal().message,
            status => status.canonical_reason().unwrap_or("Error").to_owned(),
        };
        Self {
            status: error.status,
            kind: error.code.map_or(Cow::Borrowed("HTTPError"), Cow::Owned),
            message: error.message.unwrap_or(usual),
        }
    }

    /// A request without a valid token.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "The request you have made requires authentication.")
    }

    /// A path that no operation has.
    pub(crate) fn no_such_path() -> Self {
        Self::not_found("The resource could not be found.")
    }

    /// A path whose operations have other methods.
    pub(crate) fn no_such_method() -> Self {
        Self::named(
            StatusCode::METHOD_NOT_ALLOWED,
            "HTTPMethodNotAllowed",
            "The method is not allowed for the requested URL.",
        )
    }

    /// A fault of the cloud itself; the user learns no more than that.
    pub(crate) fn internal() -> Self {
        Self::named(
            StatusCode::INTERNAL_SERVER_ERROR,
            "HTTPInternalServerError",
            "The server has either erred or is incapable of performing the requested operation.",
        )
    }

    /// The answer, in the shape of the service.
    pub(crate) fn render(&self, service: Service, request_id: &str) -> Response {
        let (status, code, message) = (self.status, self.status.as_u16(), &self.message);
        let title = status.canonical_reason().unwrap_or("Error");
        let mut response = if status == StatusCode::UNAUTHORIZED {
            // Every service leaves this to the same middleware.
            response::json(
                status,
                &json!({"error": {"code": code, "title": title, "message": message}}),
            )
        } else {
            match service {
                Service::Identity => response::json(
                    status,
                    &json!({"error": {"code": code, "message": message, "title": title}}),
                ),
                Service::Compute | Service::Volume => response::json(
                    status,
                    &json!({nova_name(status): {"code": code, "message": message}}),
                ),
                Service::Network => response::json(
                    status,
                    &json!({"NeutronError": {
                        "type": self.kind, "message": message, "detail": ""
                    }}),
                ),
                Service::Image => response::html(status, &format!("{code} {title}"), message),
                Service::Placement => response::json(
                    status,
                    &json!({"errors": [{
                        "status": code,
                        "title": title,
                        "detail": format!("{}\n\n {message}  ", placement_explains(status)),
                        "code": "placement.undefined_code",
                        "request_id": request_id,
                    }]}),
                ),
            }
        };
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Keystone"));
        }
        response
    }
}

/// Nova names its faults by their status.
fn nova_name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "badRequest",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        415 => "badMediaType",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

/// What Placement says of a status before it says what is wrong.
fn placement_explains(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => {
            "The server could not comply with the request since it is either malformed or \
             otherwise incorrect."
        }
        403 => "Access was denied to this resource.",
        404 => "The resource could not be found.",
        405 => "The method specified is not allowed for this resource.",
        409 => "There was a conflict when trying to complete your request.",
        _ => "The server could not comply with the request.",
    }
}

/// The faults that are the same in every service; `refused` puts the model's refusals into words.
pub(crate) fn fault(failure: Failure, refused: impl FnOnce(Error) -> Fault) -> Fault {
    match failure {
        Failure::Refused(error) => refused(error),
        Failure::Store(_) | Failure::Backend(_) | Failure::Network { .. } | Failure::Image(_) => {
            tracing::error!(error = chain(&failure), "failed to answer a request");
            Fault::internal()
        }
    }
}

/// A refusal in the words that Keystone and Glance share: status by kind, message as it is.
pub(crate) fn plain(error: Error) -> Fault {
    let message = error.to_string();
    match error {
        Error::NotFound { kind: Kind::Image, id } => {
            Fault::not_found(format!("No image found with ID {id}"))
        }
        Error::NotFound { kind, id } => {
            let kind = kind.to_string();
            Fault::not_found(format!("Could not find {kind}: {id}."))
        }
        Error::Invalid(_) => Fault::bad_request(message),
        Error::Forbidden(_) => Fault::forbidden(message),
        Error::Broken(broken) => broken_rule(&broken),
        Error::Conflict(_)
        | Error::Refused(_)
        | Error::NoAddress(_)
        | Error::NoHost
        | Error::OtherRequest(_)
        | Error::NotAttached { .. } => Fault::named(StatusCode::CONFLICT, "Conflict", message),
        Error::OverQuota(_) => Fault::new(StatusCode::PAYLOAD_TOO_LARGE, message),
    }
}

/// A refusal in Nova's words.
pub(crate) fn nova(error: Error) -> Fault {
    let message = error.to_string();
    match error {
        Error::NotFound { kind, id } => Fault::not_found(match kind {
            Kind::Server => format!("Instance {id} could not be found."),
            Kind::ServerGroup => format!("Instance group {id} could not be found."),
            Kind::Host => format!("Compute host {id} could not be found."),
            Kind::Aggregate => format!("Aggregate {id} could not be found."),
            Kind::VolumeType => format!("Volume type {id} could not be found."),
            Kind::Transfer => format!("Transfer {id} could not be found."),
            Kind::AggregateHost => format!("The aggregate has no host {id}."),
            Kind::Volume => format!("Volume {id} could not be found."),
            Kind::Snapshot => format!("Snapshot {id} could not be found."),
            Kind::Flavor => format!("Flavor {id} could not be found."),
            Kind::Image => format!("Image {id} could not be found."),
            Kind::FloatingIp => format!("Floating IP not found for ID {id}"),
            Kind::KeyPair => format!("Keypair {id} not found for user"),
            Kind::Domain
            | Kind::Group
            | Kind::Role
            | Kind::RoleAssignment
            | Kind::ApplicationCredential
            | Kind::ImageMember
            | Kind::Project
            | Kind::User
            | Kind::Token
            | Kind::AccessKey
            | Kind::Network
            | Kind::Subnet
            | Kind::SubnetPool
            | Kind::Router
            | Kind::Port
            | Kind::SecurityGroup
            | Kind::SecurityGroupRule
            | Kind::VolumeTypeAccess
            | Kind::RbacPolicy => message,
        }),
        Error::Broken(broken) => broken_rule(&broken),
        Error::Invalid(_) => Fault::bad_request(message),
        Error::Forbidden(_) => Fault::forbidden(message),
        Error::Conflict(_) | Error::OtherRequest(_) | Error::Refused(Refusal { .. }) => {
            Fault::named(StatusCode::CONFLICT, "Conflict", message)
        }
        Error::NotAttached { .. } => Fault::not_found(message),
        Error::NoHost => Fault::bad_request(message),
        Error::NoAddress(network) => {
            Fault::not_found(format!("No more floating IPs available in network {network}."))
        }
        Error::OverQuota(over) => Fault::forbidden(match over.as_slice() {
            [only] if only.resource == "key_pairs" => {
                "Quota exceeded, too many key pairs.".to_owned()
            }
            [only] if only.resource == "server_groups" => {
                "Quota exceeded, too many server groups.".to_owned()
            }
            [only] if only.resource == "server_group_members" => {
                "Quota exceeded, too many servers in group".to_owned()
            }
            [only] if only.resource == "metadata_items" => {
                format!("Maximum number of metadata items exceeds {}", only.limit)
            }
            [only] if only.resource == "floatingip" => "Floating IP quota exceeded".to_owned(),
            all => {
                let list = |value: fn(&crate::model::error::Over) -> String| {
                    all.iter().map(value).collect::<Vec<_>>().join(", ")
                };
                let resources = list(|over| over.resource.to_owned());
                format!(
                    "Quota exceeded for {resources}: Requested {}, but already used {} of {} {resources}",
                    list(|over| over.requested.to_string()),
                    list(|over| over.used.to_string()),
                    list(|over| over.limit.to_string()),
                )
            }
        }),
    }
}

/// A refusal in Neutron's words.
pub(crate) fn neutron(error: Error) -> Fault {
    let message = error.to_string();
    match error {
        Error::NotFound { kind, id } => {
            let (name, message) = match kind {
                Kind::FloatingIp => {
                    ("FloatingIPNotFound", format!("Floating IP {id} could not be found"))
                }
                Kind::Network => ("NetworkNotFound", format!("Network {id} could not be found.")),
                Kind::Subnet => ("SubnetNotFound", format!("Subnet {id} could not be found.")),
                Kind::SubnetPool => {
                    ("SubnetPoolNotFound", format!("Subnet pool {id} could not be found."))
                }
                Kind::Router => ("RouterNotFound", format!("Router {id} could not be found")),
                Kind::Port => ("PortNotFound", format!("Port {id} could not be found.")),
                Kind::SecurityGroup => {
                    ("SecurityGroupNotFound", format!("Security group {id} does not exist"))
                }
                Kind::RbacPolicy => {
                    ("RbacPolicyNotFound", format!("RBAC policy with ID {id} does not exist."))
                }
                Kind::SecurityGroupRule => (
                    "SecurityGroupRuleNotFound",
                    format!("Security group rule {id} does not exist"),
                ),
                Kind::Domain
                | Kind::Group
                | Kind::Role
                | Kind::RoleAssignment
                | Kind::ApplicationCredential
                | Kind::ImageMember
                | Kind::Project
                | Kind::User
                | Kind::Token
                | Kind::AccessKey
                | Kind::Flavor
                | Kind::Image
                | Kind::KeyPair
                | Kind::Server
                | Kind::ServerGroup
                | Kind::Host
                | Kind::Aggregate
                | Kind::AggregateHost
                | Kind::Volume
                | Kind::Snapshot
                | Kind::VolumeType
                | Kind::VolumeTypeAccess
                | Kind::Transfer => ("HTTPNotFound", message),
            };
            Fault::named(StatusCode::NOT_FOUND, name, message)
        }
        Error::Broken(broken) => broken_rule(&broken),
        Error::Invalid(_) => Fault::named(StatusCode::BAD_REQUEST, "InvalidInput", message),
        Error::Forbidden(_) => Fault::forbidden(message),
        Error::Conflict(_)
        | Error::OtherRequest(_)
        | Error::Refused(_)
        | Error::NoHost
        | Error::NotAttached { .. } => Fault::named(StatusCode::CONFLICT, "Conflict", message),
        Error::NoAddress(network) => Fault::named(
            StatusCode::CONFLICT,
            "IpAddressGenerationFailure",
            format!("No more IP addresses available on network {network}."),
        ),
        Error::OverQuota(over) => {
            let names: Vec<_> = over.iter().map(|over| format!("'{}'", over.resource)).collect();
            Fault::named(
                StatusCode::CONFLICT,
                "OverQuota",
                format!("Quota exceeded for resources: [{}].", names.join(", ")),
            )
        }
    }
}

/// A rule of networks is called the same everywhere.
fn broken_rule(broken: &Broken) -> Fault {
    let status = match broken.fault {
        Sort::Invalid => StatusCode::BAD_REQUEST,
        Sort::Missing => StatusCode::NOT_FOUND,
        Sort::Conflict => StatusCode::CONFLICT,
    };
    Fault::named(status, broken.rule, broken.message.clone())
}

/// A refusal in Cinder's words.
pub(crate) fn cinder(error: Error) -> Fault {
    match error {
        Error::OverQuota(over) => Fault::new(StatusCode::PAYLOAD_TOO_LARGE, over_storage(&over)),
        other => nova(other),
    }
}

/// What Cinder says of the first quota that would be exceeded.
fn over_storage(over: &[crate::model::error::Over]) -> String {
    let Some(over) = over.first() else { return "Quota exceeded.".to_owned() };
    match over.resource {
        "volumes" => format!(
            "VolumeLimitExceeded: Maximum number of volumes allowed ({}) exceeded for quota \
             'volumes'.",
            over.limit
        ),
        "snapshots" => format!(
            "SnapshotLimitExceeded: Maximum number of snapshots allowed ({}) exceeded",
            over.limit
        ),
        _ => format!(
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed \
             {} quota. Requested {}G, quota is {}G and {}G has been consumed.",
            over.resource, over.requested, over.limit, over.used
        ),
    }
}

/// Declares a service's own error: a [`Fault`] that knows the service's words, so that `?` works
/// in its handlers.
macro_rules! service_error {
    ($(#[$doc:meta])* $name:ident in $words:path) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(Fault);

        impl From<Fault> for $name {
            fn from(fault: Fault) -> Self {
                Self(fault)
            }
        }

        impl From<$name> for Fault {
            fn from(error: $name) -> Self {
                error.0
            }
        }

        impl From<Error> for $name {
            fn from(error: Error) -> Self {
                Self($words(error))
            }
        }

        impl From<Failure> for $name {
            fn from(failure: Failure) -> Self {
                Self(fault(failure, $words))
            }
        }

        impl From<StoreError> for $name {
            fn from(error: StoreError) -> Self {
                Self::from(Failure::from(error))
            }
        }
    };
}

service_error! {
    /// What Keystone, Glance and Placement answer when they cannot do what was asked.
    PlainError in plain
}
service_error! {
    /// What Nova answers when it cannot do what was asked.
    NovaError in nova
}
service_error! {
    /// What Neutron answers when it cannot do what was asked.
    NeutronError in neutron
}
service_error! {
    /// What Cinder answers when it cannot do what was asked.
    CinderError in cinder
}
