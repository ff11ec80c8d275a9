//! The services that answer here: EC2, and what clients ask of STS before anything else. They
//! differ in what requests are signed for and in what is around an answer.

use super::errors::Fault;
use super::params::Params;
use super::xml::Xml;

/// The version that answers of EC2 say they are of when a request does not ask for one.
const EC2_VERSION: &str = "2016-11-15";

/// The version by which requests to STS are known.
const STS_VERSION: &str = "2011-06-15";

/// The namespace of answers of STS.
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whom a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// The Elastic Compute Cloud.
    Ec2,
    /// The Security Token Service.
    Sts,
}

impl Service {
    /// The service that a request is for.
    pub(super) fn of(params: &Params) -> Self {
        match params.text("Version") {
            Some(STS_VERSION) => Self::Sts,
            _ => Self::Ec2,
        }
    }

    /// What its requests are signed for.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Sts => "sts",
        }
    }

    /// Refuses versions of the API that there cannot be.
    pub(super) fn namespace(self, params: &Params) -> Result<String, Fault> {
        match self {
            Self::Ec2 => ec2_namespace(params.text("Version").unwrap_or(EC2_VERSION)),
            Self::Sts => Ok(STS_NAMESPACE.to_owned()),
        }
    }

    /// The answer's text.
    pub(super) fn document(
        self,
        operation: &str,
        content: Xml,
        namespace: &str,
        request_id: &str,
    ) -> String {
        let root = format!("{operation}Response");
        let mut xml = Xml::default();
        match self {
            Self::Ec2 => {
                xml.text("requestId", request_id);
                content.document(&root, namespace, &xml)
            }
            Self::Sts => {
                xml.within(&format!("{operation}Result"), |xml| xml.append(content));
                xml.within("ResponseMetadata", |xml| xml.text("RequestId", request_id));
                xml.document(&root, namespace, &Xml::default())
            }
        }
    }

    /// The text that says what goes wrong.
    pub(super) fn fault(self, fault: &Fault, request_id: &str) -> String {
        match self {
            Self::Ec2 => fault.document(request_id),
            Self::Sts => {
                let sender = fault.status.is_client_error();
                let mut xml = Xml::default();
                xml.within("Error", |xml| {
                    xml.text("Type", if sender { "Sender" } else { "Receiver" });
                    xml.text("Code", &fault.code);
                    xml.text("Message", &fault.message);
                });
                xml.text("RequestId", request_id);
                xml.document("ErrorResponse", STS_NAMESPACE, &Xml::default())
            }
        }
    }
}

/// Clients of every age look for the namespace of the version they ask for.
fn ec2_namespace(version: &str) -> Result<String, Fault> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if version.split('-').map(str::len).eq([4, 2, 2]) && version.split('-').all(digits) {
        return Ok(format!("http://ec2.amazonaws.com/doc/{version}/"));
    }
    let message = format!("The requested version ({version}) of service AmazonEC2 does not exist");
    Err(Fault::new("NoSuchVersion", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_of_the_version_that_was_asked_for() {
        let namespace = |version| ec2_namespace(version).map_err(|fault| fault.code);
        assert_eq!(namespace(EC2_VERSION).unwrap(), "http://ec2.amazonaws.com/doc/2016-11-15/");
        assert!(namespace("2016-11-15<").is_err() && namespace("aaaa-bb-cc").is_err());
    }

    #[test]
    fn each_service_has_its_own_envelope() {
        let content = || {
            let mut xml = Xml::default();
            xml.text("a", 1);
            xml
        };
        let ec2 = Service::Ec2.document("X", content(), "urn:x", "id");
        assert!(
            ec2.ends_with(
                "<XResponse xmlns=\"urn:x\"><requestId>id</requestId><a>1</a></XResponse>"
            )
        );
        let sts = Service::Sts.document("X", content(), "urn:x", "id");
        assert!(sts.contains("<XResult><a>1</a></XResult><ResponseMetadata>"), "{sts}");
        let fault = Service::Sts.fault(&Fault::internal(), "id");
        assert!(
            fault.contains("<Error><Type>Receiver</Type><Code>InternalError</Code>"),
            "{fault}"
        );
    }
}
