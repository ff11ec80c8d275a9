//! What to do about a service when its manager comes back. Decisions only.

use protocol::NodeId;
use protocol::api::{Node, NodeState, State};

use crate::record::{Change, Record};

/// How a service is brought from what is recorded to a state that stays.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Nodes the director has for the service and the service does not want.
    pub(crate) give_back: Vec<NodeId>,
    /// Nodes to forget.
    pub(crate) forget: Vec<NodeId>,
    /// What then.
    pub(crate) next: Next,
}

/// The step after the nodes agree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The recorded state stands.
    Rest,
    /// Start it from the beginning.
    Start,
    /// Bring the agents to the present nodes, then it runs; the user is told this.
    Settle(Option<String>),
    /// It has no nodes left to run on.
    Fail(String),
    /// Finish the shutdown.
    Stop,
}

/// Compares what is recorded with the nodes the director has for the service.
pub(crate) fn plan(record: &Record, director: &[Node]) -> Plan {
    let there = |id: NodeId| director.iter().any(|node| node.id == id && !is_going(node));
    let (present, gone): (Vec<NodeId>, Vec<NodeId>) =
        record.node_ids().into_iter().partition(|id| there(*id));
    let all: Vec<NodeId> = director.iter().map(|node| node.id).collect();
    let strays = all.iter().copied().filter(|id| !present.contains(id)).collect();
    match record.state {
        State::Init | State::Stopped => {
            Plan { give_back: all, forget: record.node_ids(), next: Next::Rest }
        }
        State::Prologue if !record.nodes.is_empty() && gone.is_empty() => {
            Plan { give_back: strays, forget: gone, next: Next::Settle(None) }
        }
        State::Prologue => Plan { give_back: all, forget: record.node_ids(), next: Next::Start },
        State::Running if gone.is_empty() => {
            Plan { give_back: strays, forget: gone, next: Next::Rest }
        }
        State::Running | State::Adapting => adapt(record.change.as_ref(), present, gone, strays),
        State::Epilogue => Plan { give_back: Vec::new(), forget: Vec::new(), next: Next::Stop },
        State::Error => Plan { give_back: strays, forget: gone, next: Next::Rest },
    }
}

fn adapt(
    change: Option<&Change>,
    present: Vec<NodeId>,
    gone: Vec<NodeId>,
    strays: Vec<NodeId>,
) -> Plan {
    let removing = match change {
        Some(Change::Removing(nodes)) => nodes.as_slice(),
        Some(Change::Adding) | None => &[],
    };
    let (leaving, staying): (Vec<NodeId>, Vec<NodeId>) =
        present.into_iter().partition(|id| removing.contains(id));
    let lost: Vec<String> =
        gone.iter().filter(|id| !removing.contains(id)).map(NodeId::to_string).collect();
    let give_back = [strays, leaving.clone()].concat();
    let forget = [gone, leaving].concat();
    let next = if staying.is_empty() {
        Next::Fail("all its nodes are gone".to_owned())
    } else if !lost.is_empty() {
        Next::Settle(Some(format!("lost node {}", lost.join(", "))))
    } else if change == Some(&Change::Adding) {
        Next::Settle(Some("adding nodes was interrupted; none was added".to_owned()))
    } else {
        Next::Settle(None)
    };
    Plan { give_back, forget, next }
}

/// A lost one may come back; one that is being removed will not.
fn is_going(node: &Node) -> bool {
    match node.state {
        NodeState::Stopping => true,
        NodeState::Starting | NodeState::Ready | NodeState::Lost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: State, nodes: &[i64], change: Option<Change>) -> Record {
        let mut record = Record::new("generic");
        record.add(&nodes.iter().map(|id| Node::example(*id, "node")).collect::<Vec<_>>());
        Record { state, change, ..record }
    }

    fn ids(ids: &[i64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn every_state_ends_in_one_that_stays() {
        use State::{Adapting, Epilogue, Error, Init, Prologue, Running, Stopped};
        let removing = || Some(Change::Removing(ids(&[2])));
        let remark = |text: &str| Next::Settle(Some(text.to_owned()));
        let interrupted = || remark("adding nodes was interrupted; none was added");
        // state, recorded, change, director's → give back, forget, next
        type Case<'a> = (State, &'a [i64], Option<Change>, &'a [i64], &'a [i64], &'a [i64], Next);
        let cases: Vec<Case<'_>> = vec![
            (Init, &[], None, &[7], &[7], &[], Next::Rest),
            (Stopped, &[], None, &[7], &[7], &[], Next::Rest),
            (Prologue, &[], None, &[7], &[7], &[], Next::Start),
            (Prologue, &[1], None, &[1], &[], &[], Next::Settle(None)),
            (Prologue, &[1], None, &[], &[], &[1], Next::Start),
            (Running, &[1, 2], None, &[1, 2], &[], &[], Next::Rest),
            (Running, &[1, 2], None, &[1, 2, 3], &[3], &[], Next::Rest),
            (Running, &[1, 2], None, &[1], &[], &[2], remark("lost node 2")),
            (Running, &[1], None, &[], &[], &[1], Next::Fail("all its nodes are gone".into())),
            (Adapting, &[1], Some(Change::Adding), &[1, 2, 3], &[2, 3], &[], interrupted()),
            (Adapting, &[1, 2], None, &[1, 2], &[], &[], Next::Settle(None)),
            (Adapting, &[1, 2], removing(), &[1, 2], &[2], &[2], Next::Settle(None)),
            (Adapting, &[1, 2], removing(), &[1], &[], &[2], Next::Settle(None)),
            (Epilogue, &[1], None, &[1], &[], &[], Next::Stop),
            (Error, &[1], None, &[1, 2], &[2], &[], Next::Rest),
        ];
        for (state, recorded, change, director, give_back, forget, next) in cases {
            let what = format!("{state} {recorded:?} {change:?} {director:?}");
            let director: Vec<_> = director.iter().map(|id| Node::example(*id, "node")).collect();
            let expected = Plan { give_back: ids(give_back), forget: ids(forget), next };
            assert_eq!(plan(&record(state, recorded, change), &director), expected, "{what}");
        }
    }

    #[test]
    fn a_node_that_is_going_is_gone_already() {
        let mut going = Node::example(2, "node");
        going.state = NodeState::Stopping;
        let plan = plan(&record(State::Running, &[1, 2], None), &[Node::example(1, "node"), going]);
        assert_eq!((plan.give_back, plan.forget), (ids(&[2]), ids(&[2])));
    }
}
