//! Cinder v3: volumes and their snapshots.

mod actions;
mod catalogue;
mod listing;
mod metadata;
mod quotas;
mod snapshots;
mod volumes;

use super::errors::CinderError as Error;
use super::errors::Fault;
use super::request::Context;
use super::route::{Route, routes};
use crate::model::ProjectId;

pub(super) use catalogue::TYPE;
pub(super) use volumes::size;

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" catalogue::versions;
    Open GET "/v3/" catalogue::version;
    Project GET "/v3/{project}/extensions" catalogue::extensions;
    Project GET "/v3/{project}/os-availability-zone" catalogue::zones;
    Project GET "/v3/{project}/types" catalogue::types;
    Project GET "/v3/{project}/types/{id}" catalogue::volume_type;
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
];

/// The project of the path, which must be that of the token.
fn project(cx: &Context) -> Result<ProjectId, Fault> {
    let own = cx.project()?;
    let named = cx.param("project").parse() == Ok(own);
    if named { Ok(own) } else { Err(Fault::bad_request("Malformed request url")) }
}
