//! From what the nodes of a service have counted to what was measured, and the pool they make.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use protocol::NodeId;
use protocol::api::{self, Node};
use time::OffsetDateTime;

use super::history::{BackendMeasurement, Measurement, ResponseTime};
use super::pool::Backend;
use crate::ManagerContext;
use crate::web::layout::{BACKEND, layout};
use crate::web::requests::Requests;
use crate::web::wire::Counts;

/// How long a node may take to say what it counted; one that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the nodes of a service had counted at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sample(BTreeMap<NodeId, Counts>);

impl Sample {
    /// Asks all nodes.
    pub async fn take(context: &ManagerContext) -> Self {
        let counts = join_all(context.nodes.iter().map(async |node| {
            let agent = context.agents.agent(node).ok()?;
            let asked = agent.query::<Counts>("get_counts", &[("", ""); 0]);
            Some((node.id, tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?))
        }));
        Self(counts.await.into_iter().flatten().collect())
    }

    /// What happened since an earlier one, so long ago.
    #[must_use]
    pub fn since(
        &self,
        before: &Self,
        span: Duration,
        at: OffsetDateTime,
        nodes: &[Node],
        types: &[api::InstanceType],
    ) -> Measurement {
        let seconds = span.as_secs_f64().max(f64::MIN_POSITIVE);
        let new: BTreeMap<NodeId, Counts> =
            self.0.iter().map(|(node, now)| (*node, increase(before.0.get(node), now))).collect();
        let layout = layout(nodes);
        let mut all = Requests::default();
        let mut backends = BTreeMap::new();
        for node in nodes.iter().filter(|node| layout[&node.id].backend) {
            let addresses = [node.private_ip, node.public_ip];
            // A proxy on another cloud knows another address of it.
            let answered = new
                .values()
                .flat_map(|counts| &counts.requests)
                .filter(|(address, _)| addresses.contains(&Some(**address)))
                .fold(Requests::default(), |sum, (_, requests)| sum.plus(requests));
            all = all.plus(&answered);
            let Some(counts) = new.get(&node.id) else { continue };
            let kind = types.iter().find(|kind| kind.name == node.instance_type);
            // It has no more than it sees, whatever its type promises; and what it sees may be shared.
            let seen = counts.processors.max(1);
            let processors = kind.map_or(seen, |kind| kind.vcpus.clamp(1, seen));
            let measured = BackendMeasurement {
                instance_type: node.instance_type.clone(),
                requests_per_second: answered.count as f64 / seconds,
                cpu: (counts.busy_seconds / seconds / f64::from(processors)).clamp(0.0, 1.0),
                response_mean: answered.mean(),
            };
            backends.insert(node.id, measured);
        }
        let response = all.mean().zip(all.percentile(0.95));
        Measurement {
            at,
            requests_per_second: all.count as f64 / seconds,
            response: response.map(|(mean, percentile_95)| ResponseTime { mean, percentile_95 }),
            backends,
            nodes: by_role(nodes),
        }
    }
}

/// What was counted since: everything, where counting began anew.
fn increase(before: Option<&Counts>, now: &Counts) -> Counts {
    let Some(before) = before.filter(|before| before.run == now.run) else { return now.clone() };
    let none = Requests::default();
    let since = |(address, requests): (&_, &Requests)| {
        (*address, requests.since(before.requests.get(address).unwrap_or(&none)))
    };
    Counts {
        requests: now.requests.iter().map(since).collect(),
        busy_seconds: (now.busy_seconds - before.busy_seconds).max(0.0),
        ..now.clone()
    }
}

/// How many nodes of each instance type have each role.
fn by_role(nodes: &[Node]) -> BTreeMap<String, BTreeMap<String, u32>> {
    let mut counts: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for node in nodes {
        let of_role = counts.entry(node.role.clone()).or_default();
        *of_role.entry(node.instance_type.clone()).or_default() += 1;
    }
    counts
}

/// The backends among the nodes of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Those that are backends alone.
    pub backends: Vec<Backend>,
    /// The node that does their work beside its own while there are none.
    pub host: Option<Backend>,
}

impl Pool {
    /// Who is in it, with these shares of the requests.
    #[must_use]
    pub fn of(nodes: &[Node], weights: &BTreeMap<NodeId, u32>) -> Self {
        let backend = |node: &Node| Backend {
            node: node.id,
            instance_type: node.instance_type.clone(),
            started: node.created,
            // A node belongs to the service only once it serves.
            ready: true,
            weight: weight(weights, node.id),
        };
        let (alone, others): (Vec<Node>, Vec<Node>) =
            nodes.iter().cloned().partition(|node| node.role == BACKEND);
        let host = layout(&others).into_iter().find(|(_, duties)| duties.backend);
        let host = host.and_then(|(id, _)| others.iter().find(|node| node.id == id));
        Self { backends: alone.iter().map(backend).collect(), host: host.map(backend) }
    }
}

/// The share of the requests of a node: one that no decision knows yet begins with the least.
pub(crate) fn weight(weights: &BTreeMap<NodeId, u32>, node: NodeId) -> u32 {
    let least = weights.values().min();
    weights.get(&node).or(least).copied().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::web::layout::{PROXY, WEB};

    fn node(id: i64, role: &str) -> Node {
        let address = Ipv4Addr::new(10, 0, 0, u8::try_from(id).unwrap());
        Node { private_ip: Some(address), ..Node::example(id, role) }
    }

    fn counts(run: &str, busy_seconds: f64, requests: u64) -> Counts {
        let requests = Requests { count: requests, milliseconds: requests * 50, ..some(requests) };
        let requests = [("10.0.0.3".parse().unwrap(), requests)].into();
        Counts { run: run.to_owned(), busy_seconds, processors: 2, requests }
    }

    fn some(requests: u64) -> Requests {
        Requests { classes: [(41, requests)].into(), ..Requests::default() }
    }

    fn nodes() -> Vec<Node> {
        vec![node(2, PROXY), node(3, BACKEND)]
    }

    fn sample(proxy: Counts, backend: Counts) -> Sample {
        Sample([(NodeId(2), proxy), (NodeId(3), backend)].into())
    }

    fn measured(before: &Sample, after: &Sample) -> Measurement {
        let span = Duration::from_secs(60);
        after.since(before, span, OffsetDateTime::UNIX_EPOCH, &nodes(), &[])
    }

    #[test]
    fn a_minute_is_the_difference_of_two_readings() {
        let idle = || Counts { requests: BTreeMap::new(), ..counts("b", 1.0, 0) };
        let before = sample(counts("a", 1.0, 100), idle());
        let after = sample(counts("a", 2.0, 700), Counts { busy_seconds: 31.0, ..idle() });
        let measurement = measured(&before, &after);
        assert_eq!(measurement.requests_per_second, 10.0);
        assert_eq!(measurement.response.unwrap().mean, 50.0);
        let late = measurement.response.unwrap().percentile_95;
        assert!((45.0..=50.0).contains(&late), "{late}");
        assert_eq!(measurement.backends.len(), 1);
        let backend = &measurement.backends[&NodeId(3)];
        assert_eq!((backend.requests_per_second, backend.cpu), (10.0, 0.25));
        assert_eq!(measurement.nodes[PROXY], [("small".to_owned(), 1)].into());
        // An agent that was started again counts from zero.
        let after = sample(counts("c", 0.5, 60), idle());
        assert_eq!(measured(&before, &after).requests_per_second, 1.0);
        // Nobody asked, and nobody answers.
        let measurement = measured(&after, &after);
        assert_eq!((measurement.requests_per_second, measurement.response), (0.0, None));
        assert!(measured(&before, &Sample::default()).backends.is_empty());
    }

    #[test]
    fn the_pool_is_who_is_a_backend_alone_and_who_stands_in() {
        let weights = [(NodeId(3), 25), (NodeId(4), 100)].into();
        let pool = Pool::of(&[node(2, PROXY), node(3, BACKEND), node(5, BACKEND)], &weights);
        let known: Vec<(i64, u32)> =
            pool.backends.iter().map(|it| (it.node.0, it.weight)).collect();
        assert_eq!(known, [(3, 25), (5, 25)]);
        assert_eq!(pool.host.unwrap().node, NodeId(2));
        let packed = Pool::of(&[node(1, PROXY), node(2, WEB)], &BTreeMap::new());
        assert!(packed.backends.is_empty());
        assert_eq!(packed.host.map(|it| (it.node, it.weight)), Some((NodeId(1), 1)));
        assert_eq!(Pool::of(&[], &weights).host, None);
    }
}
