//! What goes wrong, in EC2's codes and words.

use std::borrow::Cow;

use http::StatusCode;

use super::ids::Kind;
use super::xml::Xml;
use crate::cloud::{Failure, chain};
use crate::control::Injected;
use crate::model;
use crate::model::error::{Error, Over, Sort};
use crate::model::life::{Refusal, Request};
use crate::store::StoreError;

/// Why a request gets no answer of the good kind.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The status.
    pub(crate) status: StatusCode,
    /// The code that clients look at.
    pub(crate) code: Cow<'static, str>,
    /// What the user should know.
    pub(crate) message: String,
}

impl Fault {
    /// A fault of the request.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: code.into(), message: message.into() }
    }

    /// The same fault with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A value that no such parameter can have.
    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// A parameter that must be there and is not.
    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {}", name.replace('.', "")),
        )
    }

    /// Parameters that cannot be together.
    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// Something that is not there, or is another account's.
    pub(crate) fn missing(kind: Kind, id: impl std::fmt::Display) -> Self {
        let code = format!("{}.NotFound", kind.missing_code());
        Self::new(
            code,
            match kind {
                Kind::Image => format!("The image id '[{id}]' does not exist"),
                Kind::Instance => format!("The instance ID '{id}' does not exist"),
                _ => format!("The {} '{id}' does not exist", kind.words()),
            },
        )
    }

    /// What should be an id and is none.
    pub(crate) fn malformed(kind: Kind, id: &str) -> Self {
        let code = format!("{}.Malformed", kind.malformed_code());
        Self::new(code, format!("Invalid id: \"{id}\" (expecting \"{}-...\")", kind.prefix()))
    }

    /// What the account may not do.
    pub(crate) fn unauthorized() -> Self {
        let message = "You are not authorized to perform this operation.";
        Self::new("UnauthorizedOperation", message).with_status(StatusCode::FORBIDDEN)
    }

    /// What someone wants to see answered.
    pub(crate) fn injected(error: Injected) -> Self {
        let (code, message) = match error.status {
            StatusCode::TOO_MANY_REQUESTS => ("RequestLimitExceeded", "Request limit exceeded."),
            StatusCode::SERVICE_UNAVAILABLE => {
                ("Unavailable", "The service is unavailable. Please try again shortly.")
            }
            StatusCode::FORBIDDEN => {
                ("UnauthorizedOperation", "You are not authorized to perform this operation.")
            }
            status if status.is_client_error() => ("InvalidRequest", "The request is invalid."),
            _ => ("InternalError", "An internal error has occurred"),
        };
        Self {
            status: error.status,
            code: error.code.map_or(Cow::Borrowed(code), Cow::Owned),
            message: error.message.unwrap_or_else(|| message.to_owned()),
        }
    }

    /// A fault of the cloud itself; the user learns no more than that.
    pub(crate) fn internal() -> Self {
        Self::new("InternalError", "An internal error has occurred")
            .with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer's text.
    pub(crate) fn document(&self, request_id: &str) -> String {
        let mut xml = Xml::default();
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", |xml| {
                    xml.text("Code", &self.code);
                    xml.text("Message", &self.message);
                });
            });
            xml.text("RequestID", request_id);
        });
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml.into_text())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error.into(),
            _ => {
                tracing::error!(error = chain(&failure), "failed to answer a request");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound { kind, id } => missing(kind, &id, message),
            Error::Invalid(_) => Self::invalid_value(message),
            Error::Conflict(_) | Error::NotAttached { .. } => Self::new("IncorrectState", message),
            Error::Broken(broken) => match broken.fault {
                Sort::Invalid => Self::invalid_value(message),
                // What a floating IP has no way to.
                Sort::Missing => Self::new("Gateway.NotAttached", message),
                Sort::Conflict if broken.rule == "IpAddressAlreadyAllocated" => {
                    Self::new("InvalidIPAddress.InUse", message)
                }
                Sort::Conflict => Self::new("IncorrectState", message),
            },
            Error::Forbidden(_) => {
                Self::new("UnauthorizedOperation", message).with_status(StatusCode::FORBIDDEN)
            }
            Error::Refused(refusal) => refused(&refusal),
            Error::OverQuota(over) => over_quota(&over, message),
            Error::NoHost => Self::new("InsufficientInstanceCapacity", message),
            Error::NoAddress(_) => Self::new(
                "InsufficientAddressCapacity",
                "Insufficient address capacity: no address is left to give.",
            ),
            Error::OtherRequest(token) => Self::new(
                "IdempotentParameterMismatch",
                format!("The client token '{token}' was used with other parameters before."),
            ),
        }
    }
}

fn missing(kind: model::error::Kind, id: &str, message: String) -> Fault {
    use model::error::Kind as Model;
    let ec2 = match kind {
        Model::Server => Kind::Instance,
        Model::Image => Kind::Image,
        Model::KeyPair => Kind::KeyPair,
        Model::SecurityGroup => Kind::SecurityGroup,
        Model::SecurityGroupRule => Kind::Rule,
        Model::FloatingIp => Kind::Allocation,
        Model::Network => Kind::Vpc,
        Model::Subnet => Kind::Subnet,
        Model::Port => Kind::Interface,
        Model::Router => Kind::InternetGateway,
        Model::Volume => Kind::Volume,
        Model::Snapshot => Kind::Snapshot,
        _ => return Fault::invalid_value(message),
    };
    match id.parse::<uuid::Uuid>() {
        Ok(uuid) => Fault::missing(ec2, ec2.id(uuid)),
        Err(_) => Fault::missing(ec2, id),
    }
}

fn refused(refusal: &Refusal) -> Fault {
    let done = match refusal.request {
        Request::Start => "started",
        Request::Stop => "stopped",
        Request::SoftReboot | Request::HardReboot => "rebooted",
        Request::Pause
        | Request::Unpause
        | Request::Suspend
        | Request::Resume
        | Request::Rebuild
        | Request::Resize
        | Request::ConfirmResize
        | Request::RevertResize
        | Request::Shelve
        | Request::OffloadShelved
        | Request::Unshelve
        | Request::Delete => "changed",
    };
    let id = Kind::Instance.id(refusal.server);
    Fault::new(
        "IncorrectInstanceState",
        format!("The instance '{id}' is not in a state from which it can be {done}."),
    )
}

fn over_quota(over: &[Over], message: String) -> Fault {
    let code = match over.first().map(|over| over.resource) {
        Some("instances") => "InstanceLimitExceeded",
        Some("cores" | "ram") => "VcpuLimitExceeded",
        Some("floatingip") => "AddressLimitExceeded",
        Some("security_group") => "SecurityGroupLimitExceeded",
        Some("security_group_rule") => "RulesPerSecurityGroupLimitExceeded",
        Some("volumes" | "gigabytes") => "VolumeLimitExceeded",
        Some("snapshots") => "SnapshotLimitExceeded",
        Some("metadata_items") => "TagLimitExceeded",
        _ => "ResourceLimitExceeded",
    };
    Fault::new(code, format!("You have reached the limit of your account: {message}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_ec2s_envelope() {
        let text = Fault::missing(Kind::Image, "ami-1").document("req");
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
             <Code>InvalidAMIID.NotFound</Code><Message>The image id '[ami-1]' does not exist\
             </Message></Error></Errors><RequestID>req</RequestID></Response>"
        );
    }

    #[test]
    fn quotas_have_their_codes() {
        let over = |resource| Over { resource, requested: 1, used: 1, limit: 1 };
        for (resource, code) in [
            ("instances", "InstanceLimitExceeded"),
            ("floatingip", "AddressLimitExceeded"),
            ("port", "ResourceLimitExceeded"),
        ] {
            assert_eq!(Fault::from(Error::OverQuota(vec![over(resource)])).code, code);
        }
    }
}
