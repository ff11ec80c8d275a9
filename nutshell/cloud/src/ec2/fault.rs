//! What EC2 says when it will not: its error codes, read into [`CloudError`].

use serde::Deserialize;

use crate::CloudError;
use crate::fault::excerpt;

/// An error as EC2 writes it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Fault {
    #[serde(rename = "Code", default)]
    pub(crate) code: String,
    #[serde(rename = "Message", default)]
    pub(crate) message: String,
}

impl Fault {
    /// Reads an error's body; what is none has no code.
    pub(crate) fn parse(body: &str) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "Errors")]
            errors: Errors,
        }
        #[derive(Deserialize)]
        struct Errors {
            #[serde(rename = "Error")]
            error: Vec<Fault>,
        }
        let read = quick_xml::de::from_str::<Body>(body);
        let first = read.ok().and_then(|body| body.errors.error.into_iter().next());
        first.unwrap_or_else(|| Self { code: String::new(), message: body.to_owned() })
    }

    /// Whether the call was turned away, undone, because there are too many.
    pub(crate) fn is_throttled(&self) -> bool {
        matches!(
            self.code.as_str(),
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "RequestThrottled"
        )
    }

    /// What it means.
    pub(crate) fn classify(self, operation: &str, status: u16) -> CloudError {
        let Self { code, message } = self;
        match code.as_str() {
            "AuthFailure"
            | "SignatureDoesNotMatch"
            | "InvalidClientTokenId"
            | "OptInRequired"
            | "MissingAuthenticationToken"
            | "RequestExpired"
            | "Blocked" => CloudError::Unauthorized { message },
            "InsufficientAddressCapacity" => {
                CloudError::AddressesExhausted { pool: "of elastic addresses".to_owned() }
            }
            "IncorrectState"
            | "IncorrectInstanceState"
            | "DependencyViolation"
            | "VolumeInUse"
            | "Resource.AlreadyAssociated"
            | "InvalidGroup.InUse"
            | "InvalidGroup.Duplicate"
            | "InvalidPermission.Duplicate" => CloudError::Conflict { message },
            _ if code.ends_with(".NotFound")
                || code.ends_with(".Malformed")
                || code.ends_with(".Unavailable") =>
            {
                CloudError::NotFound { what: message }
            }
            _ if code.starts_with("Insufficient") => CloudError::Capacity { message },
            _ if status < 500
                && !code.starts_with("Request")
                && code.ends_with("LimitExceeded") =>
            {
                CloudError::Quota { message }
            }
            _ if (400..500).contains(&status) && !code.is_empty() => {
                CloudError::Refused { operation: operation.to_owned(), message }
            }
            _ => CloudError::Unexpected {
                operation: operation.to_owned(),
                status,
                excerpt: excerpt(&message),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
             <Message>because &amp; so</Message></Error></Errors><RequestID>ea</RequestID></Response>"
        )
    }

    #[test]
    fn every_kind_of_error_is_told_apart() {
        let read = |code: &str| Fault::parse(&body(code));
        assert_eq!(read("AuthFailure").message, "because & so");
        let meaning = |code: &str, status| read(code).classify("run", status);
        assert!(matches!(meaning("AuthFailure", 401), CloudError::Unauthorized { .. }));
        assert!(matches!(meaning("InvalidInstanceID.NotFound", 400), CloudError::NotFound { .. }));
        assert!(matches!(meaning("InstanceLimitExceeded", 400), CloudError::Quota { .. }));
        assert!(matches!(meaning("AddressLimitExceeded", 400), CloudError::Quota { .. }));
        let full = meaning("InsufficientInstanceCapacity", 500);
        assert!(matches!(full, CloudError::Capacity { .. }) && full.is_transient());
        let none = meaning("InsufficientAddressCapacity", 400);
        assert!(matches!(none, CloudError::AddressesExhausted { .. }));
        assert!(matches!(meaning("UnauthorizedOperation", 403), CloudError::Refused { .. }));
        assert!(matches!(meaning("IncorrectState", 400), CloudError::Conflict { .. }));
        assert!(meaning("InternalError", 500).is_transient());
        assert!(meaning("RequestLimitExceeded", 503).is_transient());
        assert!(read("RequestLimitExceeded").is_throttled());
    }

    #[test]
    fn what_is_no_error_of_ec2_is_shown_in_part() {
        let error = Fault::parse("<html>502</html>").classify("run instances", 502);
        assert_eq!(
            error.to_string(),
            "unexpected answer of the cloud to run instances: status 502, <html>502</html>"
        );
    }
}
