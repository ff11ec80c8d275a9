//! Cinder v3: volumes and their snapshots.

mod absent;
mod actions;
mod attachments;
mod catalogue;
mod listing;
mod metadata;
mod quotas;
mod services;
mod snapshots;
mod transfers;
mod types;
mod volumes;

use super::errors::CinderError as Error;
use super::errors::Fault;
use super::request::Context;
use super::route::{Route, routes};
use crate::model::ProjectId;

pub(super) use volumes::size;

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" catalogue::versions;
    Open GET "/v3/" catalogue::version;
    Project GET "/v3/{project}/extensions" catalogue::extensions;
    Project GET "/v3/{project}/os-availability-zone" catalogue::zones;
    Project GET "/v3/{project}/types" types::list;
    Admin POST "/v3/{project}/types" types::create;
    Project GET "/v3/{project}/types/{id}" types::show;
    Admin PUT "/v3/{project}/types/{id}" types::update;
    Admin DELETE "/v3/{project}/types/{id}" types::delete;
    Admin POST "/v3/{project}/types/{id}/action" types::act;
    Admin GET "/v3/{project}/types/{id}/encryption" types::encryption;
    Admin GET "/v3/{project}/types/{id}/os-volume-type-access" types::access;
    Project GET "/v3/{project}/types/{id}/extra_specs" types::extra_specs;
    Admin POST "/v3/{project}/types/{id}/extra_specs" types::set_extra_specs;
    Project GET "/v3/{project}/types/{id}/extra_specs/{key}" types::extra_spec;
    Admin PUT "/v3/{project}/types/{id}/extra_specs/{key}" types::set_extra_spec;
    Admin DELETE "/v3/{project}/types/{id}/extra_specs/{key}" types::delete_extra_spec;
    Admin GET "/v3/{project}/os-services" services::list;
    Admin GET "/v3/{project}/scheduler-stats/get_pools" services::pools;
    Project GET "/v3/{project}/attachments" attachments::list;
    Project GET "/v3/{project}/attachments/detail" attachments::detail;
    Project GET "/v3/{project}/attachments/{id}" attachments::show;
    Project GET "/v3/{project}/volume-transfers" transfers::list;
    Project POST "/v3/{project}/volume-transfers" transfers::create;
    Project GET "/v3/{project}/volume-transfers/detail" transfers::detail;
    Project GET "/v3/{project}/volume-transfers/{id}" transfers::show;
    Project POST "/v3/{project}/volume-transfers/{id}/accept" transfers::accept;
    Project DELETE "/v3/{project}/volume-transfers/{id}" transfers::delete;
    Project GET "/v3/{project}/os-volume-transfer" transfers::list;
    Project POST "/v3/{project}/os-volume-transfer" transfers::create;
    Project GET "/v3/{project}/os-volume-transfer/detail" transfers::detail;
    Project GET "/v3/{project}/os-volume-transfer/{id}" transfers::show;
    Project POST "/v3/{project}/os-volume-transfer/{id}/accept" transfers::accept;
    Project DELETE "/v3/{project}/os-volume-transfer/{id}" transfers::delete;
    Project GET "/v3/{project}/backups" absent::list;
    Project POST "/v3/{project}/backups" absent::create_backup;
    Project GET "/v3/{project}/backups/detail" absent::list;
    Project GET "/v3/{project}/backups/{id}" absent::backup;
    Project GET "/v3/{project}/groups" absent::list;
    Project GET "/v3/{project}/groups/detail" absent::list;
    Project GET "/v3/{project}/group_snapshots" absent::list;
    Project GET "/v3/{project}/group_snapshots/detail" absent::list;
    Project GET "/v3/{project}/group_types" absent::list;
    Project GET "/v3/{project}/consistencygroups/detail" absent::list;
    Admin GET "/v3/{project}/qos-specs" absent::list;
    Project GET "/v3/{project}/messages" absent::list;
    Project GET "/v3/{project}/limits" quotas::limits;
    Project GET "/v3/{project}/os-quota-sets/{target}" quotas::show;
    Project GET "/v3/{project}/os-quota-sets/{target}/defaults" quotas::defaults;
    Admin PUT "/v3/{project}/os-quota-sets/{target}" quotas::update;
    Admin DELETE "/v3/{project}/os-quota-sets/{target}" quotas::reset;
    Project GET "/v3/{project}/volumes" volumes::list;
    Project POST "/v3/{project}/volumes" volumes::create;
    Project GET "/v3/{project}/volumes/detail" volumes::detail;
    Project GET "/v3/{project}/volumes/{id}" volumes::show;
    Project PUT "/v3/{project}/volumes/{id}" volumes::update;
    Project DELETE "/v3/{project}/volumes/{id}" volumes::delete;
    Project POST "/v3/{project}/volumes/{id}/action" actions::act;
    Project GET "/v3/{project}/volumes/{id}/metadata" metadata::list;
    Project POST "/v3/{project}/volumes/{id}/metadata" metadata::merge;
    Project PUT "/v3/{project}/volumes/{id}/metadata" metadata::replace;
    Project GET "/v3/{project}/volumes/{id}/metadata/{key}" metadata::show;
    Project PUT "/v3/{project}/volumes/{id}/metadata/{key}" metadata::set;
    Project DELETE "/v3/{project}/volumes/{id}/metadata/{key}" metadata::delete;
    Project GET "/v3/{project}/snapshots" snapshots::list;
    Project POST "/v3/{project}/snapshots" snapshots::create;
    Project GET "/v3/{project}/snapshots/detail" snapshots::detail;
    Project GET "/v3/{project}/snapshots/{id}" snapshots::show;
    Project PUT "/v3/{project}/snapshots/{id}" snapshots::update;
    Project DELETE "/v3/{project}/snapshots/{id}" snapshots::delete;
    Project POST "/v3/{project}/snapshots/{id}/action" actions::act_on_snapshot;
];

/// The project of the path, which must be that of the token.
fn project(cx: &Context) -> Result<ProjectId, Fault> {
    let own = cx.project()?;
    let named = cx.param("project").parse() == Ok(own);
    if named { Ok(own) } else { Err(Fault::bad_request("Malformed request url")) }
}
