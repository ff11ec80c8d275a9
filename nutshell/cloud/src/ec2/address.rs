//! Elastic addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Deserialize;

use super::api::{Api, Call, Items, Tag, tags_of};
use crate::CloudError;

/// An elastic address as EC2 writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressRecord {
    pub(crate) allocation_id: String,
    #[serde(rename = "publicIp")]
    pub(crate) address: Ipv4Addr,
    #[serde(default)]
    pub(crate) association_id: Option<String>,
    #[serde(default)]
    tag_set: Items<Tag>,
}

impl AddressRecord {
    /// Whether it carries this tag.
    pub(crate) fn has_tag(&self, key: &str, value: &str) -> bool {
        tags_of(&self.tag_set).get(key).is_some_and(|tag| tag == value)
    }

    /// Whether all its tags, at least one, are among these.
    pub(crate) fn has_only_tags_of(&self, tags: &BTreeMap<String, String>) -> bool {
        let own = tags_of(&self.tag_set);
        !own.is_empty() && own.iter().all(|(key, value)| tags.get(key) == Some(value))
    }
}

/// The account's elastic addresses with this value of this filter.
pub(crate) async fn addresses(
    api: &Api,
    filter: &str,
    value: &str,
) -> Result<Vec<AddressRecord>, CloudError> {
    #[derive(Deserialize)]
    struct Addresses {
        #[serde(default, rename = "addressesSet")]
        addresses: Items<AddressRecord>,
    }
    let call = Call::repeatable("DescribeAddresses").filter(1, filter, value);
    Ok(api.fetch::<Addresses>(call).await?.addresses.item)
}

/// Takes an address from the pool, with these tags; returns its id and itself.
pub(crate) async fn allocate(
    api: &Api,
    tags: &BTreeMap<String, String>,
) -> Result<(String, Ipv4Addr), CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Allocated {
        allocation_id: String,
        public_ip: Ipv4Addr,
    }
    let call = Call::change("AllocateAddress").with("Domain", "vpc").tags("elastic-ip", None, tags);
    let Allocated { allocation_id, public_ip } = api.fetch(call).await?;
    Ok((allocation_id, public_ip))
}

/// Gives an address to an instance.
pub(crate) async fn associate(
    api: &Api,
    allocation: &str,
    instance: &str,
) -> Result<(), CloudError> {
    let call = Call::repeatable("AssociateAddress")
        .with("AllocationId", allocation)
        .with("InstanceId", instance);
    api.order(call).await
}

/// Takes an address from whatever has it, and gives it back to the pool.
pub(crate) async fn release(api: &Api, address: &AddressRecord) -> Result<(), CloudError> {
    if let Some(association) = &address.association_id {
        let call = Call::repeatable("DisassociateAddress").with("AssociationId", association);
        api.remove(call).await?;
    }
    release_id(api, &address.allocation_id).await
}

/// Gives an address that nothing has back to the pool.
pub(crate) async fn release_id(api: &Api, allocation: &str) -> Result<(), CloudError> {
    api.remove(Call::repeatable("ReleaseAddress").with("AllocationId", allocation)).await
}
