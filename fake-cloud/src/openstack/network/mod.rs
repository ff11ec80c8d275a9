//! Neutron: networks, addresses and who may reach them.

mod catalogue;
mod floating_ips;
mod listing;
mod networks;
mod ports;
mod security_groups;
mod security_rules;

use super::errors::NeutronError as Error;
use super::route::{Route, routes};

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" catalogue::versions;
    Project GET "/v2.0/extensions" catalogue::extensions;
    Project GET "/v2.0/extensions/{alias}" catalogue::extension;
    Project GET "/v2.0/availability_zones" catalogue::zones;
    Project GET "/v2.0/agents" catalogue::agents;
    Project GET "/v2.0/quotas/{project}" catalogue::quota;
    Project GET "/v2.0/quotas/{project}/default" catalogue::default_quota;
    Project GET "/v2.0/quotas/{project}/details.json" catalogue::quota_details;
    Admin PUT "/v2.0/quotas/{project}" catalogue::update_quota;
    Project GET "/v2.0/networks" networks::list;
    Project GET "/v2.0/networks/{id}" networks::show;
    Project GET "/v2.0/subnets" networks::list_subnets;
    Project GET "/v2.0/subnets/{id}" networks::show_subnet;
    Project GET "/v2.0/routers" networks::list_routers;
    Project GET "/v2.0/ports" ports::list;
    Project POST "/v2.0/ports" ports::create;
    Project GET "/v2.0/ports/{id}" ports::show;
    Project PUT "/v2.0/ports/{id}" ports::update;
    Project DELETE "/v2.0/ports/{id}" ports::delete;
    Project GET "/v2.0/floatingips" floating_ips::list;
    Project POST "/v2.0/floatingips" floating_ips::create;
    Project GET "/v2.0/floatingips/{id}" floating_ips::show;
    Project PUT "/v2.0/floatingips/{id}" floating_ips::update;
    Project DELETE "/v2.0/floatingips/{id}" floating_ips::delete;
    Project GET "/v2.0/security-groups" security_groups::list;
    Project POST "/v2.0/security-groups" security_groups::create;
    Project GET "/v2.0/security-groups/{id}" security_groups::show;
    Project PUT "/v2.0/security-groups/{id}" security_groups::update;
    Project DELETE "/v2.0/security-groups/{id}" security_groups::delete;
    Project GET "/v2.0/security-group-rules" security_rules::list;
    Project POST "/v2.0/security-group-rules" security_rules::create;
    Project GET "/v2.0/security-group-rules/{id}" security_rules::show;
    Project DELETE "/v2.0/security-group-rules/{id}" security_rules::delete;
];
