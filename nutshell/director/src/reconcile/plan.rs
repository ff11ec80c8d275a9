//! What to do about the difference between the nodes that should be and the servers that are.
//!
//! The nodes are looked at twice, before and after the servers are listed. A node's record is
//! there before its server and goes after it: a server is an orphan only when its node is unknown
//! *after* the listing, and a node has lost its server only when it had one *before*.

use std::collections::HashMap;

use cloud::{Server, ServerState};
use protocol::NodeId;
use protocol::api::NodeState;

use crate::db::node::NodeRecord;
use crate::operations::TAG_NODE;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// No node has this server.
    DeleteServer(String),
    /// The cloud no longer has the node's server.
    MarkLost(NodeId),
}

/// Compares the nodes of one cloud with its servers, which all carry the installation's tag.
pub(super) fn plan(before: &[NodeRecord], servers: &[Server], after: &[NodeRecord]) -> Vec<Action> {
    let known: HashMap<String, &NodeRecord> =
        after.iter().map(|record| (record.node.id.to_string(), record)).collect();
    let orphans = servers
        .iter()
        .filter(|server| server.state != ServerState::Deleting && is_orphan(server, &known))
        .map(|server| Action::DeleteServer(server.id.clone()));
    let lost = before
        .iter()
        .filter(|record| has_lost_its_server(record, servers))
        .filter(|record| {
            let now = known.get(&record.node.id.to_string());
            now.is_some_and(|now| now.node.server == record.node.server && !now.in_operation)
        })
        .map(|record| Action::MarkLost(record.node.id));
    orphans.chain(lost).collect()
}

fn is_orphan(server: &Server, known: &HashMap<String, &NodeRecord>) -> bool {
    let Some(node) = server.tags.get(TAG_NODE) else {
        // Ours by its tag, but not made by any director we know of.
        return false;
    };
    match known.get(node) {
        None => true,
        Some(record) => !record.in_operation && record.node.server != server.id,
    }
}

fn has_lost_its_server(record: &NodeRecord, servers: &[Server]) -> bool {
    let node = &record.node;
    let at_work = match node.state {
        NodeState::Starting | NodeState::Ready => !record.in_operation && !node.server.is_empty(),
        NodeState::Stopping | NodeState::Lost => false,
    };
    let there = servers
        .iter()
        .any(|server| server.id == node.server && server.state != ServerState::Failed);
    at_work && !there
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::UserId;
    use protocol::api::Node;
    use time::OffsetDateTime;

    use super::*;

    fn node(id: i64, server: &str, state: NodeState, in_operation: bool) -> NodeRecord {
        NodeRecord {
            user: UserId(1),
            attempted: false,
            in_operation,
            metered_from: Duration::ZERO,
            metered_until: None,
            node: Node { server: server.to_owned(), state, ..Node::example(id, "manager") },
        }
    }

    fn server(id: &str, node: Option<&str>, state: ServerState) -> Server {
        let tags = node.map(|node| (TAG_NODE.to_owned(), node.to_owned()));
        Server {
            id: id.to_owned(),
            name: id.to_owned(),
            state,
            private_ip: None,
            public_ip: None,
            tags: tags.into_iter().collect(),
            created: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn orphans_go_and_lost_nodes_are_marked() {
        use NodeState::{Lost, Ready, Starting, Stopping};
        use ServerState::{Active, Deleting, Failed};
        let delete = |id: &str| vec![Action::DeleteServer(id.to_owned())];
        let lost = |id| vec![Action::MarkLost(NodeId(id))];
        let one = |node: &NodeRecord| vec![node.clone()];
        type Case = (&'static str, Vec<NodeRecord>, Vec<Server>, Vec<NodeRecord>, Vec<Action>);
        let cases: Vec<Case> = vec![
            ("nothing anywhere", vec![], vec![], vec![], vec![]),
            (
                "a node at work",
                one(&node(1, "a", Ready, false)),
                vec![server("a", Some("1"), Active)],
                one(&node(1, "a", Ready, false)),
                vec![],
            ),
            (
                "an unknown node's",
                vec![],
                vec![server("a", Some("1"), Active)],
                vec![],
                delete("a"),
            ),
            ("one going already", vec![], vec![server("a", Some("1"), Deleting)], vec![], vec![]),
            ("one without a node's tag", vec![], vec![server("a", None, Active)], vec![], vec![]),
            (
                "a second one of a node",
                one(&node(1, "a", Ready, false)),
                vec![server("a", Some("1"), Active), server("b", Some("1"), Active)],
                one(&node(1, "a", Ready, false)),
                delete("b"),
            ),
            (
                "one being made",
                one(&node(1, "", Starting, true)),
                vec![server("a", Some("1"), Active)],
                one(&node(1, "", Starting, true)),
                vec![],
            ),
            (
                "one made since we looked",
                vec![],
                vec![server("a", Some("1"), Active)],
                one(&node(1, "", Starting, true)),
                vec![],
            ),
            (
                "a server that vanished",
                one(&node(1, "a", Ready, false)),
                vec![],
                one(&node(1, "a", Ready, false)),
                lost(1),
            ),
            (
                "a server that failed",
                one(&node(1, "a", Ready, false)),
                vec![server("a", Some("1"), Failed)],
                one(&node(1, "a", Ready, false)),
                lost(1),
            ),
            (
                "made after the servers were listed",
                one(&node(1, "", Starting, true)),
                vec![],
                one(&node(1, "a", Ready, false)),
                vec![],
            ),
            (
                "removed while the servers were listed",
                one(&node(1, "a", Ready, false)),
                vec![],
                vec![],
                vec![],
            ),
            (
                "being removed",
                one(&node(1, "a", Stopping, true)),
                vec![],
                one(&node(1, "a", Stopping, true)),
                vec![],
            ),
            (
                "known to be lost",
                one(&node(1, "a", Lost, false)),
                vec![],
                one(&node(1, "a", Lost, false)),
                vec![],
            ),
        ];
        for (case, before, servers, after, expected) in cases {
            assert_eq!(plan(&before, &servers, &after), expected, "{case}");
        }
    }
}
