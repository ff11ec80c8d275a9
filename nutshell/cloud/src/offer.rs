//! What a cloud offers, in order, with prices, and which of it services may grow by.

use std::collections::BTreeMap;

use crate::InstanceType;

/// Sorts the types by size and adds what the settings say. Services grow by the types whose prices
/// are in the settings; without any there, by those of the usual type's family that are no smaller
/// than it: a smaller one may be too small for the image, another family may not boot it at all.
pub(crate) fn offer(
    mut types: Vec<InstanceType>,
    usual: &str,
    prices: &BTreeMap<String, f64>,
) -> Vec<InstanceType> {
    types.sort_by(|a, b| (a.memory_mib, a.vcpus, &a.name).cmp(&(b.memory_mib, b.vcpus, &b.name)));
    let usual = types.iter().find(|kind| kind.name == usual).cloned();
    for kind in &mut types {
        let price = prices.get(&kind.name).copied();
        kind.autoscaling = match &usual {
            _ if !prices.is_empty() => price.is_some(),
            Some(usual) => is_of_family(kind, usual),
            None => false,
        };
        let stated = price.or(kind.price_per_hour);
        kind.price_per_hour = stated.filter(|price| price.is_finite() && *price >= 0.0);
    }
    types
}

fn is_of_family(kind: &InstanceType, usual: &InstanceType) -> bool {
    // `m1.small`, `t3.micro`; a name without a dot is its own family.
    let family = |name: &str| name.split_once('.').map_or(name, |(family, _)| family).to_owned();
    family(&kind.name) == family(&usual.name)
        && kind.memory_mib >= usual.memory_mib
        && kind.vcpus >= usual.vcpus
        && kind.disk_gib >= usual.disk_gib
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, vcpus: u32, memory_mib: u64, price_per_hour: Option<f64>) -> InstanceType {
        let name = name.to_owned();
        InstanceType { name, vcpus, memory_mib, disk_gib: 0, price_per_hour, autoscaling: false }
    }

    fn types() -> Vec<InstanceType> {
        vec![
            kind("m1.large", 4, 8192, None),
            kind("m1.small", 1, 2048, Some(0.02)),
            kind("m1.tiny", 1, 512, Some(f64::NAN)),
            kind("gpu.small", 8, 65536, Some(3.0)),
        ]
    }

    fn grown(types: &[InstanceType]) -> Vec<&str> {
        types.iter().filter(|kind| kind.autoscaling).map(|kind| kind.name.as_str()).collect()
    }

    #[test]
    fn services_grow_by_the_family_of_the_usual_type() {
        let offered = offer(types(), "m1.small", &BTreeMap::new());
        let names: Vec<&str> = offered.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(names, ["m1.tiny", "m1.small", "m1.large", "gpu.small"]);
        assert_eq!(grown(&offered), ["m1.small", "m1.large"]);
        assert_eq!(offered[0].price_per_hour, None);
        assert!(grown(&offer(types(), "gone", &BTreeMap::new())).is_empty());
    }

    #[test]
    fn prices_in_the_settings_say_by_which() {
        let prices = [("m1.tiny".to_owned(), 0.5), ("gpu.small".to_owned(), 9.0)].into();
        let offered = offer(types(), "m1.small", &prices);
        assert_eq!(grown(&offered), ["m1.tiny", "gpu.small"]);
        let told: Vec<Option<f64>> = offered.iter().map(|kind| kind.price_per_hour).collect();
        assert_eq!(told, [Some(0.5), Some(0.02), None, Some(9.0)]);
    }
}
