//! What OpenStack's services say when they will not: their error bodies, read into [`CloudError`].

use serde_json::Value;

use crate::CloudError;
use crate::fault::excerpt;
use crate::transport::Answer;

/// The answer itself when its status says success, else what its body means.
pub(crate) fn checked(answer: Answer, operation: &str) -> Result<Answer, CloudError> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    Err(classify(operation, answer.status, &String::from_utf8_lossy(&answer.body)))
}

/// The meaning of an answer with an error status.
pub(crate) fn classify(operation: &str, status: u16, body: &str) -> CloudError {
    let Fault { kind, message } = Fault::parse(body);
    let speaks_of_quota = message.to_ascii_lowercase().contains("quota");
    match (status, kind.as_str()) {
        (401, _) => CloudError::Unauthorized { message },
        (404, _) => CloudError::NotFound { what: message },
        (_, "IpAddressGenerationFailure" | "ExternalIpAddressExhausted") => {
            CloudError::AddressesExhausted { pool: message }
        }
        (_, "OverQuota") | (413, _) => CloudError::Quota { message },
        (403, _) if speaks_of_quota => CloudError::Quota { message },
        (400 | 409, _) if message.starts_with("Multiple possible networks") => {
            CloudError::Settings {
                problem: "network is not set, and the project has several".to_owned(),
            }
        }
        (400 | 403, _) => CloudError::Refused { operation: operation.to_owned(), message },
        (409, _) => CloudError::Conflict { message },
        _ => CloudError::Unexpected {
            operation: operation.to_owned(),
            status,
            excerpt: excerpt(&message),
        },
    }
}

/// An error body, whichever service wrote it.
struct Fault {
    /// Neutron's `type`, Nova's key; empty where the body has neither.
    kind: String,
    /// One sentence; never empty.
    message: String,
}

impl Fault {
    fn parse(body: &str) -> Self {
        let (kind, message) = serde_json::from_str(body)
            .ok()
            .and_then(|value| from_json(&value))
            // Glance answers in HTML, proxies in anything.
            .unwrap_or_else(|| (String::new(), without_markup(body)));
        let message = if message.is_empty() { "no reason given".to_owned() } else { message };
        Self { kind, message }
    }
}

/// All services wrap the fault in one key: `{"itemNotFound": {"code", "message"}}`,
/// `{"NeutronError": {"type", "message", "detail"}}`, `{"error": {"code", "message", "title"}}`.
fn from_json(body: &Value) -> Option<(String, String)> {
    let (key, fault) = body.as_object()?.iter().next()?;
    let message = fault.get("message").unwrap_or(fault).as_str()?;
    let kind = fault.get("type").and_then(Value::as_str).unwrap_or(key);
    Some((kind.to_owned(), message.trim_end_matches('.').to_owned()))
}

fn without_markup(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut inside_tag = false;
    for character in body.chars() {
        match character {
            '<' => inside_tag = true,
            '>' if inside_tag => {
                inside_tag = false;
                text.push(' ');
            }
            _ if inside_tag => {}
            _ => text.push(character),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> String {
        classify("create a server", status, body).to_string()
    }

    #[test]
    fn nova_faults() {
        assert_eq!(
            told(
                404,
                r#"{"itemNotFound": {"code": 404, "message": "Instance 7 could not be found."}}"#
            ),
            "not found in the cloud: Instance 7 could not be found"
        );
        assert_eq!(
            told(
                400,
                r#"{"badRequest": {"code": 400, "message": "Can not find requested image"}}"#
            ),
            "the cloud refused to create a server: Can not find requested image"
        );
        let conflict = r#"{"conflictingRequest": {"code": 409, "message": "Cannot 'pause' instance 7 while it is in task_state rebooting_hard"}}"#;
        assert!(matches!(classify("pause", 409, conflict), CloudError::Conflict { .. }));
        let quota = r#"{"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"}}"#;
        assert!(matches!(classify("create", 403, quota), CloudError::Quota { .. }));
        let several = r#"{"conflictingRequest": {"code": 409, "message": "Multiple possible networks found, use a Network ID to be more specific."}}"#;
        assert!(matches!(classify("create", 409, several), CloudError::Settings { .. }));
        let policy = r#"{"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:servers:create to be performed."}}"#;
        assert!(matches!(classify("create", 403, policy), CloudError::Refused { .. }));
    }

    #[test]
    fn neutron_faults() {
        let exhausted = r#"{"NeutronError": {"type": "IpAddressGenerationFailure", "message": "No more IP addresses available on network 55b68d56.", "detail": ""}}"#;
        assert!(matches!(
            classify("create an address", 409, exhausted),
            CloudError::AddressesExhausted { .. }
        ));
        let quota = r#"{"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['floatingip'].", "detail": ""}}"#;
        assert!(matches!(classify("create an address", 409, quota), CloudError::Quota { .. }));
        assert_eq!(
            told(
                404,
                r#"{"NeutronError": {"type": "FloatingIPNotFound", "message": "Floating IP 6 could not be found", "detail": ""}}"#
            ),
            "not found in the cloud: Floating IP 6 could not be found"
        );
    }

    #[test]
    fn keystone_faults() {
        let body = r#"{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}}"#;
        assert!(matches!(classify("log in", 401, body), CloudError::Unauthorized { .. }));
    }

    #[test]
    fn glance_answers_in_html() {
        let body = "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  No image found with ID cirros<br /><br />\n\n\n\n </body>\n</html>";
        assert_eq!(
            told(404, body),
            "not found in the cloud: 404 Not Found 404 Not Found No image found with ID cirros"
        );
    }

    #[test]
    fn anything_else_is_shown_in_part() {
        let error = classify("list servers", 502, &"x".repeat(5000));
        assert!(error.is_transient());
        assert!(error.to_string().len() < 300);
        assert_eq!(
            told(500, ""),
            "unexpected answer of the cloud to create a server: status 500, no reason given"
        );
    }
}
