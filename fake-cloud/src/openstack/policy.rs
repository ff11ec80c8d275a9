//! What each service says to who is no administrator: it names the rule of its policy that says so.

use super::errors::Fault;
use super::route::{Route, Service};

/// The refusal of an operation that is the administrator's.
pub(super) fn refusal(service: Service, route: &Route) -> Fault {
    let named = |rules: &[(&str, &'static str)]| {
        let found = rules.iter().find(|(name, _)| *name == route.name);
        found.map_or("this operation", |(_, rule)| rule)
    };
    Fault::forbidden(match service {
        Service::Identity => format!(
            "You are not authorized to perform the requested action: identity:{}.",
            identity(route.name)
        ),
        Service::Compute => {
            format!("Policy doesn't allow os_compute_api:{} to be performed.", named(NOVA))
        }
        Service::Volume => format!("Policy doesn't allow {} to be performed.", named(CINDER)),
        Service::Image | Service::Network | Service::Placement => {
            "Policy doesn't allow this operation to be performed.".to_owned()
        }
    })
}

/// Keystone's rule for an operation: `create_project` for `projects::create`.
fn identity(name: &str) -> String {
    let (resource, operation) = name.split_once("::").unwrap_or((name, "list"));
    let one = resource.trim_end_matches('s');
    match operation {
        "list" => format!("list_{resource}"),
        "show" => format!("get_{one}"),
        "create" | "update" | "delete" => format!("{operation}_{one}"),
        other => other.to_owned(),
    }
}

/// Nova's rules for the administrator's operations, without what they all begin with.
const NOVA: &[(&str, &str)] = &[
    ("diagnostics::show", "os-server-diagnostics"),
    ("migrations::of_server", "servers:migrations:index"),
    ("flavors::create", "os-flavor-manage:create"),
    ("flavors::update", "os-flavor-manage:update"),
    ("flavors::delete", "os-flavor-manage:delete"),
    ("flavors::change_access", "os-flavor-access:add_tenant_access"),
    ("flavors::access", "os-flavor-access"),
    ("flavors::set_extra_specs", "os-flavor-extra-specs:create"),
    ("flavors::set_extra_spec", "os-flavor-extra-specs:update"),
    ("flavors::delete_extra_spec", "os-flavor-extra-specs:delete"),
    ("quotas::update", "os-quota-sets:update"),
    ("quotas::reset", "os-quota-sets:delete"),
    ("quotas::class", "os-quota-class-sets:show"),
    ("usage::list", "os-simple-tenant-usage:list"),
    ("hosts::zones_detail", "os-availability-zone:detail"),
    ("hypervisors::list", "os-hypervisors:list"),
    ("hypervisors::detail", "os-hypervisors:list-detail"),
    ("hypervisors::show", "os-hypervisors:show"),
    ("hypervisors::uptime", "os-hypervisors:uptime"),
    ("hypervisors::search", "os-hypervisors:search"),
    ("hypervisors::servers", "os-hypervisors:servers"),
    ("hosts::list", "os-hosts:list"),
    ("hosts::show", "os-hosts:show"),
    ("migrations::list", "os-migrations:index"),
    ("aggregates::list", "os-aggregates:index"),
    ("aggregates::create", "os-aggregates:create"),
    ("aggregates::show", "os-aggregates:show"),
    ("aggregates::update", "os-aggregates:update"),
    ("aggregates::delete", "os-aggregates:delete"),
    ("aggregates::act", "os-aggregates:add_host"),
    ("services::list", "os-services:list"),
    ("services::update", "os-services:update"),
    ("floating_ips_bulk::list", "os-floating-ips-bulk"),
    ("floating_ips_bulk::create", "os-floating-ips-bulk"),
    ("floating_ips_bulk::of_host", "os-floating-ips-bulk"),
    ("floating_ips_bulk::delete", "os-floating-ips-bulk"),
];

/// Cinder's.
const CINDER: &[(&str, &str)] = &[
    ("types::create", "volume_extension:type_create"),
    ("types::update", "volume_extension:type_update"),
    ("types::delete", "volume_extension:type_delete"),
    ("types::act", "volume_extension:volume_type_access:addProjectAccess"),
    ("types::encryption", "volume_extension:volume_type_encryption:get"),
    ("types::access", "volume_extension:volume_type_access:get_all_for_type"),
    ("types::set_extra_specs", "volume_extension:types_extra_specs:create"),
    ("types::set_extra_spec", "volume_extension:types_extra_specs:update"),
    ("types::delete_extra_spec", "volume_extension:types_extra_specs:delete"),
    ("services::list", "volume_extension:services:index"),
    ("services::pools", "scheduler_extension:scheduler_stats:get_pools"),
    ("absent::list", "volume_extension:qos_specs_manage:get_all"),
    ("quotas::update", "volume_extension:quotas:update"),
    ("quotas::reset", "volume_extension:quotas:delete"),
];

#[cfg(test)]
mod tests {
    use super::super::route::Access;
    use super::*;

    #[test]
    fn every_operation_of_administrators_has_a_rule() {
        for service in [Service::Compute, Service::Volume] {
            for route in service.routes().iter().filter(|route| route.access == Access::Admin) {
                let refused = refusal(service, route).message;
                assert!(!refused.contains("this operation"), "{}", route.name);
            }
        }
    }

    #[test]
    fn keystones_rules_are_named_after_their_operations() {
        assert_eq!(identity("projects::create"), "create_project");
        assert_eq!(identity("users::list"), "list_users");
        assert_eq!(identity("users::show"), "get_user");
        assert_eq!(identity("roles::grant"), "grant");
    }
}
