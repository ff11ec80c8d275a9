//! What this Neutron is.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::listing::list as answer;
use crate::model::ZONE;
use crate::openstack::request::Context;
use crate::openstack::response::{html, ok};

pub(super) async fn versions(cx: Context) -> Result<Response, Error> {
    let own = format!("{}/network/v2.0/", cx.cloud.api_url);
    Ok(ok(&json!({"versions": [
        {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": own}]}
    ]})))
}

/// Aliases and names of what this Neutron can do beyond its core.
const EXTENSIONS: [(&str, &str); 33] = [
    ("agent", "agent"),
    ("allowed-address-pairs", "Allowed Address Pairs"),
    ("availability_zone", "Availability Zone"),
    ("binding", "Port Binding"),
    ("default-subnetpools", "Default Subnetpools"),
    ("empty-string-filtering", "Empty String Filtering Extension"),
    ("ext-gw-mode", "Neutron L3 Configurable external gateway mode"),
    ("external-net", "Neutron external network"),
    ("extra_dhcp_opt", "Neutron Extra DHCP options"),
    ("extraroute", "Neutron Extra Route"),
    ("filter-validation", "Filter parameters validation"),
    ("fip-port-details", "Floating IP Port Details Extension"),
    ("net-mtu", "Network MTU"),
    ("net-mtu-writable", "Network MTU (writable)"),
    ("network_availability_zone", "Network Availability Zone"),
    ("pagination", "Pagination support"),
    ("port-security", "Port Security"),
    ("project-id", "project_id field enabled"),
    ("provider", "Provider Network"),
    ("quota_details", "Quota details management support"),
    ("quotas", "Quota management support"),
    ("rbac-policies", "RBAC Policies"),
    ("revision-if-match", "If-Match constraints based on revision_number"),
    ("router", "Neutron L3 Router"),
    ("router_availability_zone", "Router Availability Zone"),
    ("security-group", "security-group"),
    ("sorting", "Sorting support"),
    ("standard-attr-description", "standard-attr-description"),
    ("standard-attr-revisions", "Resource revision numbers"),
    ("standard-attr-tag", "Tag support for resources with standard attribute"),
    ("standard-attr-timestamp", "Resource timestamps"),
    ("stateful-security-group", "Stateful security group"),
    ("subnet_allocation", "Subnet Allocation"),
];

pub(super) async fn extensions(cx: Context) -> Result<Response, Error> {
    answer(&cx, "extensions", EXTENSIONS.into_iter().map(extension_view))
}

pub(super) async fn extension(cx: Context) -> Result<Response, Error> {
    let alias = cx.param("alias");
    match EXTENSIONS.into_iter().find(|(known, _)| *known == alias) {
        Some(extension) => Ok(ok(&json!({"extension": extension_view(extension)}))),
        // As the real one: in the words of its web framework, not in its own.
        None => Ok(html(
            StatusCode::NOT_FOUND,
            "404 Not Found",
            &format!("Extension with alias {alias} does not exist"),
        )),
    }
}

fn extension_view((alias, name): (&str, &str)) -> Value {
    json!({
        "alias": alias, "name": name, "description": name, "links": [],
        "updated": "2026-04-01T00:00:00-00:00",
    })
}

pub(super) async fn zones(cx: Context) -> Result<Response, Error> {
    let zone = |resource| json!({"name": ZONE, "resource": resource, "state": "available"});
    answer(&cx, "availability_zones", ["network", "router"].into_iter().map(zone))
}

/// There are none: this process does their work.
pub(super) async fn agents(cx: Context) -> Result<Response, Error> {
    answer(&cx, "agents", std::iter::empty())
}
