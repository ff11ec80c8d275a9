//! Placement: what the one machine of this cloud has, and what servers take of it.
//!
//! All of it follows from the servers and the machine; nothing of it can be written.

mod candidates;
mod catalogue;
mod consumers;
mod demand;
mod host;
mod providers;
mod resources;

use super::errors::{Fault, PlainError as Error};
use super::request::Context;
use super::route::{Route, routes};

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" catalogue::versions;
    Admin GET "/resource_providers" providers::list;
    Admin GET "/resource_providers/{uuid}" providers::show;
    Admin GET "/resource_providers/{uuid}/inventories" providers::inventories;
    Admin GET "/resource_providers/{uuid}/inventories/{class}" providers::inventory;
    Admin GET "/resource_providers/{uuid}/usages" providers::usages;
    Admin GET "/resource_providers/{uuid}/aggregates" providers::aggregates;
    Admin GET "/resource_providers/{uuid}/traits" providers::traits;
    Admin GET "/resource_providers/{uuid}/allocations" providers::allocations;
    Admin GET "/allocations/{consumer}" consumers::allocations;
    Admin GET "/allocation_candidates" candidates::list;
    Admin GET "/resource_classes" catalogue::classes;
    Admin GET "/resource_classes/{name}" catalogue::class;
    Admin GET "/traits" catalogue::traits;
    Admin GET "/traits/{name}" catalogue::check_trait;
    Project GET "/usages" consumers::usages;
];

/// Refuses a request whose version does not have the path yet.
fn needs(cx: &Context, minor: u16) -> Result<(), Fault> {
    if cx.since(minor) { Ok(()) } else { Err(Fault::no_such_path()) }
}
