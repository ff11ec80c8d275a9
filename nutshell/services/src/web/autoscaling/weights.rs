//! How to share the requests among unequal backends: by what each can do.

use std::collections::BTreeMap;

use protocol::NodeId;

use super::pool::Backend;

/// The weight of the backend that can do most.
const HEAVIEST: f64 = 100.0;
/// Shares that are wrong by less than this part of them stay: every change reloads the proxies.
const TOLERATED: f64 = 0.15;

/// The weights that the backends should have, or nothing when those they have will do.
pub(super) fn weights(
    backends: &[Backend],
    capacity: impl Fn(&Backend) -> f64,
) -> BTreeMap<NodeId, u32> {
    let capacities: Vec<f64> = backends.iter().map(capacity).collect();
    let most = capacities.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return BTreeMap::new();
    }
    let wanted: Vec<u32> =
        capacities.iter().map(|can| (HEAVIEST * can / most).round().max(1.0) as u32).collect();
    let present: Vec<u32> = backends.iter().map(|backend| backend.weight).collect();
    let wrong = shares(&wanted)
        .zip(shares(&present))
        .any(|(wanted, present)| (wanted - present).abs() > TOLERATED * wanted);
    match wrong {
        true => backends.iter().map(|backend| backend.node).zip(wanted).collect(),
        false => BTreeMap::new(),
    }
}

fn shares(weights: &[u32]) -> impl Iterator<Item = f64> {
    let sum: f64 = weights.iter().copied().map(f64::from).sum();
    weights.iter().map(move |weight| f64::from(*weight) / sum.max(1.0))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn backends(weights: &[u32]) -> Vec<Backend> {
        let backend = |(index, weight): (usize, &u32)| Backend {
            node: NodeId(index as i64),
            instance_type: "any".to_owned(),
            started: OffsetDateTime::UNIX_EPOCH,
            ready: true,
            weight: *weight,
        };
        weights.iter().enumerate().map(backend).collect()
    }

    fn changed(present: &[u32], capacities: &[f64]) -> Vec<u32> {
        let capacity = |backend: &Backend| capacities[backend.node.0 as usize];
        weights(&backends(present), capacity).into_values().collect()
    }

    #[test]
    fn who_can_do_more_gets_more() {
        assert_eq!(changed(&[1, 1], &[10.0, 40.0]), [25, 100]);
        assert_eq!(changed(&[100], &[10.0]), [0_u32; 0]);
    }

    #[test]
    fn small_errors_stay() {
        assert!(changed(&[1, 1], &[10.0, 11.0]).is_empty());
        assert!(changed(&[25, 100], &[11.0, 40.0]).is_empty());
        assert!(!changed(&[25, 100], &[16.0, 40.0]).is_empty());
        assert!(changed(&[1, 1], &[0.0, 0.0]).is_empty());
    }
}
