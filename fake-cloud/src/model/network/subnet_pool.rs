//! Subnet pools: where the blocks of subnets come from when nobody names one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{StandardAttributes, not_owner};
use crate::model::address::Block;
use crate::model::error::{Broken, Error, Kind};
use crate::model::table::record;
use crate::model::{Caller, Model, ProjectId, SubnetPoolId};

/// Where the blocks of subnets come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubnetPool {
    /// Its id.
    pub id: SubnetPoolId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether all projects may use it.
    pub shared: bool,
    /// Whether it is taken when none is named.
    pub is_default: bool,
    /// What it has to give.
    pub prefixes: Vec<Block>,
    /// The size of a subnet that does not say which it wants.
    pub default_prefix: u8,
    /// The size of the largest subnet.
    pub min_prefix: u8,
    /// The size of the smallest subnet.
    pub max_prefix: u8,
    /// Whether the settings name it.
    pub built_in: bool,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// What is wanted of a new subnet pool.
#[derive(Debug, Clone)]
pub struct NewSubnetPool {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether all projects may use it.
    pub shared: bool,
    /// Whether it is taken when none is named.
    pub is_default: bool,
    /// What it has to give.
    pub prefixes: Vec<Block>,
    /// The size of a subnet that does not say which it wants.
    pub default_prefix: Option<u8>,
    /// The size of the largest subnet.
    pub min_prefix: Option<u8>,
    /// The size of the smallest subnet.
    pub max_prefix: Option<u8>,
}

impl Model {
    /// A subnet pool that the caller may use.
    pub fn subnet_pool(&self, caller: &Caller, id: &str) -> Result<&SubnetPool, Error> {
        let found = id.parse().ok().and_then(|id| self.subnet_pools.get(id));
        found
            .filter(|pool| pool.shared || caller.sees(pool.project_id))
            .ok_or_else(|| Error::not_found(Kind::SubnetPool, id))
    }

    /// Makes a subnet pool.
    pub fn create_subnet_pool(
        &mut self,
        wanted: NewSubnetPool,
        now: OffsetDateTime,
    ) -> Result<SubnetPoolId, Error> {
        if wanted.prefixes.is_empty() {
            let message = "Empty subnet pool prefix list.".to_owned();
            return Err(Broken::invalid("EmptySubnetPoolPrefixList", message));
        }
        if wanted.is_default && self.subnet_pools.iter().any(|pool| pool.is_default) {
            return Err(Broken::invalid(
                "InvalidInput",
                "Invalid input for operation: A default subnetpool for this IP family has \
                 already been set. Only one default may exist per IP family."
                    .to_owned(),
            ));
        }
        // What Neutron takes for granted.
        let min_prefix = wanted.min_prefix.unwrap_or(8);
        let max_prefix = wanted.max_prefix.unwrap_or(32);
        let default_prefix = wanted.default_prefix.unwrap_or(min_prefix);
        for (name, value, fits, bound, limit) in [
            ("min_prefixlen", min_prefix, min_prefix <= max_prefix, "max_prefixlen", max_prefix),
            (
                "default_prefixlen",
                default_prefix,
                default_prefix <= max_prefix,
                "max_prefixlen",
                max_prefix,
            ),
            (
                "default_prefixlen",
                default_prefix,
                default_prefix >= min_prefix,
                "min_prefixlen",
                min_prefix,
            ),
        ] {
            if !fits || value > 32 {
                return Err(Broken::invalid(
                    "IllegalSubnetPoolPrefixBounds",
                    format!("Illegal prefix bounds: {name}={value}, {bound}={limit}."),
                ));
            }
        }
        let id = SubnetPoolId::random();
        self.subnet_pools.insert(SubnetPool {
            id,
            name: wanted.name,
            project_id: wanted.project_id,
            shared: wanted.shared,
            is_default: wanted.is_default,
            prefixes: wanted.prefixes,
            default_prefix,
            min_prefix,
            max_prefix,
            built_in: false,
            standard: StandardAttributes::new(&wanted.description, now),
        });
        Ok(id)
    }

    /// Removes a pool of which no subnet is left.
    pub fn delete_subnet_pool(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let pool = self.subnet_pool(caller, id)?;
        if !caller.sees(pool.project_id) {
            return Err(not_owner("subnetpool"));
        }
        let id = pool.id;
        if self.subnets.iter().any(|subnet| subnet.subnet_pool_id == Some(id)) {
            return Err(Broken::invalid(
                "SubnetPoolDeleteError",
                "Unable to delete subnet pool: Subnet pool has existing allocations.".to_owned(),
            ));
        }
        self.subnet_pools.remove(id);
        Ok(())
    }

    /// A block for a new subnet, from a pool or from the default one: the wanted one, or the
    /// first that is free.
    pub(super) fn take_block(
        &self,
        caller: &Caller,
        pool: Option<SubnetPoolId>,
        wanted: Option<Block>,
        prefix: Option<u8>,
    ) -> Result<(Block, SubnetPoolId), Error> {
        let pool = match pool {
            Some(id) => self.subnet_pool(caller, &id.to_string())?,
            None => self.subnet_pools.iter().find(|pool| pool.is_default).ok_or_else(|| {
                Broken::invalid(
                    "BadRequest",
                    "Bad subnets request: a subnetpool must be specified in the absence of a cidr."
                        .to_owned(),
                )
            })?,
        };
        let prefix = wanted.map(|block| block.prefix).or(prefix).unwrap_or(pool.default_prefix);
        for (name, bound, fits, limit) in [
            ("Min", "minimum", prefix >= pool.min_prefix, pool.min_prefix),
            ("Max", "maximum", prefix <= pool.max_prefix, pool.max_prefix),
        ] {
            if !fits {
                let rule = if name == "Min" {
                    "MinPrefixSubnetAllocationError"
                } else {
                    "MaxPrefixSubnetAllocationError"
                };
                return Err(Broken::invalid(
                    rule,
                    format!(
                        "Unable to allocate subnet with prefix length {prefix}, {bound} allowed \
                         prefix is {limit}."
                    ),
                ));
            }
        }
        let failed = |reason: &str| {
            let message = format!("Failed to allocate subnet: {reason}.");
            Broken::conflict("SubnetAllocationError", message)
        };
        match wanted {
            Some(block) => {
                let inside = pool.prefixes.iter().any(|prefix| prefix.covers(block));
                if inside && self.is_free_block(pool.id, block) {
                    Ok((block, pool.id))
                } else {
                    Err(failed(
                        "Cannot allocate requested subnet from the available set of prefixes",
                    ))
                }
            }
            None => {
                let large = pool.prefixes.iter().filter(|block| block.prefix <= prefix);
                let mut parts = large.flat_map(|block| block.parts(prefix));
                let free = parts.find(|block| self.is_free_block(pool.id, *block));
                let block = free.ok_or_else(|| {
                    failed(&format!("Insufficient prefix space to allocate subnet size /{prefix}"))
                })?;
                Ok((block, pool.id))
            }
        }
    }
}

record!(SubnetPool, SubnetPoolId, "subnet_pool");
