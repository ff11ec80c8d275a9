//! Glance v2: images.

mod actions;
mod content;
mod images;
mod import;
mod members;
mod metadefs;
mod patch;
mod schemas;
mod versions;

use super::errors::PlainError as Error;
use super::route::{Route, routes};

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" versions::list;
    Open GET "/versions" versions::list_again;
    Project GET "/v2/images" images::list;
    Project POST "/v2/images" images::create;
    Project GET "/v2/images/{id}" images::show;
    Project PATCH "/v2/images/{id}" patch::update;
    Project DELETE "/v2/images/{id}" images::delete;
    Project PUT "/v2/images/{id}/file" content::upload;
    Project GET "/v2/images/{id}/file" content::download;
    Project GET "/v2/images/{id}/members" members::list;
    Project POST "/v2/images/{id}/members" members::create;
    Project GET "/v2/images/{id}/members/{member}" members::show;
    Project PUT "/v2/images/{id}/members/{member}" members::update;
    Project DELETE "/v2/images/{id}/members/{member}" members::delete;
    Project POST "/v2/images/{id}/actions/deactivate" actions::deactivate;
    Project POST "/v2/images/{id}/actions/reactivate" actions::reactivate;
    Project PUT "/v2/images/{id}/stage" content::stage;
    Project POST "/v2/images/{id}/import" import::import;
    Project GET "/v2/images/{id}/tasks" actions::image_tasks;
    Project GET "/v2/info/import" import::methods;
    Project GET "/v2/metadefs/namespaces" metadefs::namespaces;
    Project GET "/v2/metadefs/namespaces/{namespace}" metadefs::namespace;
    Project GET "/v2/metadefs/resource_types" metadefs::resource_types;
    Project GET "/v2/info/stores" actions::stores;
    Project GET "/v2/tasks" actions::tasks;
    Project PUT "/v2/images/{id}/tags/{tag}" images::add_tag;
    Project DELETE "/v2/images/{id}/tags/{tag}" images::delete_tag;
    Project GET "/v2/schemas/image" schemas::image;
    Project GET "/v2/schemas/images" schemas::images;
    Project GET "/v2/schemas/member" schemas::member;
    Project GET "/v2/schemas/members" schemas::members;
    Project GET "/v2/schemas/metadefs/namespace" metadefs::namespace_schema;
    Project GET "/v2/schemas/metadefs/resource_type" metadefs::resource_type_schema;
];
