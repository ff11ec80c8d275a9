//! Shortages that someone wants, to see what happens: pools of addresses and quotas that have
//! nothing left, whatever the records say. They are not written down.

use std::collections::BTreeSet;

use super::error::Error;
use super::quota::Quotas;
use super::{Model, NetworkId};

/// What has nothing left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shortages {
    /// Networks that have no address to give.
    pub pools: BTreeSet<NetworkId>,
    /// Quotas that are 0 for every project, by the names of their fields.
    pub quotas: BTreeSet<String>,
}

impl Shortages {
    /// The quotas as they are with the shortages.
    pub(super) fn apply(&self, mut quotas: Quotas) -> Quotas {
        for name in &self.quotas {
            if let Some(limit) = quotas.limit_mut(name) {
                *limit = 0;
            }
        }
        quotas
    }
}

impl Model {
    /// Refuses when a network has no address to give because someone wants it so.
    pub(super) fn check_pool(&self, network: NetworkId) -> Result<(), Error> {
        if self.shortages.pools.contains(&network) {
            return Err(Error::NoAddress(network));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_exhausted_by_its_name() {
        let mut shortages = Shortages::default();
        assert_eq!(shortages.apply(Quotas::default()), Quotas::default());
        shortages.quotas.insert("floating_ips".to_owned());
        let expected = Quotas { floating_ips: 0, ..Quotas::default() };
        assert_eq!(shortages.apply(Quotas::default()), expected);
    }
}
