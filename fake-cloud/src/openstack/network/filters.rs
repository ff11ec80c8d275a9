//! By which fields Neutron lets its lists be filtered; any other is refused, as its extension `filter-validation` has it.

use crate::openstack::errors::Fault;
use crate::openstack::request::Context;

/// Words of the query that are no fields.
const CONTROLS: [&str; 10] = [
    "fields",
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "page_reverse",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
];

/// Those that all things have.
const COMMON: [&str; 6] =
    ["id", "name", "tenant_id", "project_id", "description", "revision_number"];

/// Those of a collection.
fn own(collection: &str) -> &'static [&'static str] {
    match collection {
        "networks" => &[
            "admin_state_up",
            "is_default",
            "mtu",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
            "qinq",
            "router:external",
            "shared",
            "status",
            "vlan_transparent",
        ],
        "subnets" => &[
            "cidr",
            "enable_dhcp",
            "gateway_ip",
            "ip_version",
            "ipv6_address_mode",
            "ipv6_ra_mode",
            "network_id",
            "router:external",
            "segment_id",
            "shared",
            "subnetpool_id",
        ],
        "subnetpools" => &[
            "address_scope_id",
            "default_prefixlen",
            "default_quota",
            "ip_version",
            "is_default",
            "max_prefixlen",
            "min_prefixlen",
            "shared",
        ],
        "ports" => &[
            "admin_state_up",
            "binding:host_id",
            "device_id",
            "device_owner",
            "fixed_ips",
            "ip_allocation",
            "mac_address",
            "network_id",
            "security_groups",
            "status",
        ],
        "routers" => &["admin_state_up", "enable_snat"],
        "floatingips" => &[
            "fixed_ip_address",
            "floating_ip_address",
            "floating_network_id",
            "port_id",
            "router_id",
            "status",
        ],
        "security_groups" => &["shared", "stateful"],
        "security_group_rules" => &[
            "belongs_to_default_sg",
            "direction",
            "ethertype",
            "normalized_cidr",
            "port_range_max",
            "port_range_min",
            "protocol",
            "remote_address_group_id",
            "remote_group_id",
            "remote_ip_prefix",
            "security_group_id",
        ],
        "rbac_policies" => &["action", "object_id", "object_type", "target_tenant"],
        "agents" => &["agent_type", "alive", "availability_zone", "binary", "host", "topic"],
        "availability_zones" => &["resource", "state"],
        _ => &[],
    }
}

/// The filters of a query, each with a value; one that a field has several times is there several times.
pub(super) fn asked(cx: &Context) -> impl Iterator<Item = (&str, &str)> {
    cx.all_queries().filter(|(name, _)| !CONTROLS.contains(name))
}

/// Refuses filters by what nobody can be asked for.
pub(super) fn check(cx: &Context, collection: &str) -> Result<(), Fault> {
    let known = own(collection);
    let mut unknown: Vec<String> = asked(cx)
        .map(|(name, _)| name)
        .filter(|name| !COMMON.contains(name) && !known.contains(name))
        .map(|name| format!("'{name}'"))
        .collect();
    unknown.dedup();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Fault::bad_request(format!("[{}] is invalid attribute for filtering", unknown.join(", "))))
}
