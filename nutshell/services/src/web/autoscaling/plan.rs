//! Which nodes to add: the cheapest mix that suffices, under a strategy.

use std::collections::BTreeMap;

use protocol::api::Strategy;

use super::pool::InstanceType;

/// How busy a strategy wants backends to be at most, from 0 to 1. What is left is for what no
/// forecast knows.
#[must_use]
pub fn utilisation(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::Low => 0.75,
        Strategy::MediumDown => 0.69,
        Strategy::Medium => 0.63,
        Strategy::MediumUp => 0.57,
        Strategy::High => 0.5,
    }
}

/// Where in the list of types, from the smallest to the largest, a strategy's own one stands.
fn rank(strategy: Strategy, types: usize) -> usize {
    let quarters = match strategy {
        Strategy::Low => 0,
        Strategy::MediumDown => 1,
        Strategy::Medium => 2,
        Strategy::MediumUp => 3,
        Strategy::High => 4,
    };
    (types.saturating_sub(1) * quarters + 2) / 4
}

/// The nodes whose capacities, as `capacity` tells, sum up to at least `missing`: as many of the
/// strategy's own type as are filled, and for the rest the cheapest that suffices of that type and
/// the smaller ones. At most `most`; then as much as these can.
pub(super) fn mix(
    types: &[InstanceType],
    capacity: impl Fn(&InstanceType) -> f64,
    strategy: Strategy,
    missing: f64,
    most: u32,
) -> BTreeMap<String, u32> {
    let mut sorted: Vec<(&InstanceType, f64)> = types
        .iter()
        .filter(|kind| kind.offered)
        .map(|kind| (kind, capacity(kind)))
        .filter(|(_, can)| *can > 0.0)
        .collect();
    sorted.sort_by(|(a, a_can), (b, b_can)| {
        a_can.total_cmp(b_can).then(a.price_per_hour.total_cmp(&b.price_per_hour))
    });
    let mut nodes = BTreeMap::new();
    let Some(&(own, can)) = sorted.get(rank(strategy, sorted.len())) else { return nodes };
    let whole = ((missing / can).floor() as u32).min(most);
    if whole > 0 {
        nodes.insert(own.name.clone(), whole);
    }
    let rest = missing - f64::from(whole) * can;
    if rest <= 0.0 || whole == most {
        return nodes;
    }
    let cost = |(kind, can): &(&InstanceType, f64)| {
        let count = (rest / can).ceil();
        (count * kind.price_per_hour, count)
    };
    let fitting = sorted
        .iter()
        .filter(|(_, other)| *other <= can)
        .filter(|option| cost(option).1 <= f64::from(most - whole))
        .min_by(|a, b| {
            let ((a_price, a_count), (b_price, b_count)) = (cost(a), cost(b));
            a_price.total_cmp(&b_price).then(a_count.total_cmp(&b_count))
        });
    // Where none fits, one of its own type does most.
    let (kind, count) = fitting.map_or((own, 1), |option| (option.0, cost(option).1 as u32));
    *nodes.entry(kind.name.clone()).or_default() += count;
    nodes
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::*;

    /// Prices that favour large nodes a little.
    fn types() -> Vec<InstanceType> {
        [("small", 1.0, 0.06), ("medium", 2.0, 0.12), ("large", 4.0, 0.22), ("huge", 8.0, 0.42)]
            .map(|(name, relative_capacity, price_per_hour)| InstanceType {
                name: name.to_owned(),
                price_per_hour,
                relative_capacity,
                offered: true,
            })
            .to_vec()
    }

    fn chosen(strategy: Strategy, missing: f64) -> Vec<(String, u32)> {
        mix(&types(), |kind| 10.0 * kind.relative_capacity, strategy, missing, 20)
            .into_iter()
            .collect()
    }

    fn named(nodes: &[(&str, u32)]) -> Vec<(String, u32)> {
        nodes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn strategies_choose_sizes() {
        assert_eq!(chosen(Strategy::Low, 35.0), named(&[("small", 4)]));
        assert_eq!(chosen(Strategy::MediumDown, 35.0), named(&[("medium", 2)]));
        assert_eq!(chosen(Strategy::Medium, 35.0), named(&[("large", 1)]));
        assert_eq!(chosen(Strategy::High, 75.0), named(&[("huge", 1)]));
        assert_eq!(rank(Strategy::High, 1), 0);
        assert_eq!(Strategy::ALL.map(|strategy| rank(strategy, 5)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_rest_is_the_cheapest_that_suffices() {
        // Another huge one, for 5 of its 80 requests a second, would be a waste.
        assert_eq!(chosen(Strategy::High, 85.0), named(&[("huge", 1), ("small", 1)]));
        assert_eq!(chosen(Strategy::High, 115.0), named(&[("huge", 1), ("large", 1)]));
        assert_eq!(chosen(Strategy::Low, 0.0), named(&[]));
    }

    proptest! {
        #[test]
        fn a_mix_suffices_or_is_as_large_as_it_may_be(
            missing in 0.1..400.0_f64, strategy in 0..5_usize, most in 1..20_u32,
        ) {
            let nodes = mix(&types(), |t| t.relative_capacity, Strategy::ALL[strategy], missing, most);
            let count: u32 = nodes.values().sum();
            let can: f64 = nodes
                .iter()
                .map(|(name, count)| {
                    let kind = types().into_iter().find(|kind| kind.name == *name).unwrap();
                    kind.relative_capacity * f64::from(*count)
                })
                .sum();
            prop_assert!((1..=most).contains(&count), "{count}");
            prop_assert!(can >= missing || count == most, "{can} of {missing} by {nodes:?}");
        }
    }
}
