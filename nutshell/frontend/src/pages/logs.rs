//! The logs of a service: its manager's, and those of each node.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::api::log::{LogQuery, LogText};
use protocol::api::{Node, Service};
use protocol::{NodeId, ServiceId};

use super::{Fields, Named, filled};
use crate::failure::{Failure, Problem};
use crate::session::Session;
use crate::view::{self, Frame, page};

/// How many lines a page shows; the whole log is a matter for the command line.
const LINES: usize = 1000;

#[derive(Template)]
#[template(path = "logs.html")]
struct LogsPage {
    frame: Frame,
    error: Option<Problem>,
    service: Service,
    nodes: Vec<Node>,
    node: Option<NodeId>,
    name: Option<String>,
    text: LogText,
}

impl LogsPage {
    fn is_shown(&self, node: &Node) -> bool {
        self.node == Some(node.id)
    }

    /// The address of another log of the same place.
    fn address(&self, name: &str) -> String {
        let node = self.node.map_or_else(String::new, |node| format!("node={node}&"));
        format!("?{node}name={}", escape(name))
    }
}

/// Percent-encodes what has a meaning in a query.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                escaped.push(byte.into());
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

pub(crate) async fn show(
    session: Session,
    Named(id): Named<ServiceId>,
    Query(query): Query<Fields>,
) -> Result<Response, Failure> {
    let node = filled(&query, "node")
        .map(|node| node.parse::<NodeId>())
        .transpose()
        .map_err(|_| Problem::invalid("A node is named by its number."))?;
    let name = filled(&query, "name");
    let director = &session.director;
    let wanted = LogQuery { node, name: name.clone(), lines: Some(LINES) };
    let (frame, service) =
        tokio::try_join!(session.frame(), async { Ok(director.service_view(id).await?) })?;
    let (nodes, log) = tokio::join!(director.service_nodes(id), director.service_logs(id, &wanted));
    // Without the log the page still leads to the other logs.
    let (text, error) = match log.map_err(Failure::from) {
        Ok(text) => (text, None),
        Err(Failure::Problem(problem)) => {
            (LogText { log: String::new(), available: Vec::new() }, Some(problem))
        }
        Err(logged_out @ Failure::LoggedOut) => return Err(logged_out),
    };
    let nodes = nodes.map(|found| found.nodes).unwrap_or_default();
    let status = error.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    Ok(page(status, &LogsPage { frame, error, service, nodes, node, name, text }))
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn a_name_cannot_become_another_parameter() {
        assert_eq!(escape("agent.out"), "agent.out");
        assert_eq!(escape("a&node=2 #x"), "a%26node%3D2%20%23x");
    }
}
