//! Glance v2: images.

mod content;
mod images;
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
    Project GET "/v2/images/{id}/members" images::members;
    Project PUT "/v2/images/{id}/tags/{tag}" images::add_tag;
    Project DELETE "/v2/images/{id}/tags/{tag}" images::delete_tag;
    Project GET "/v2/schemas/image" schemas::image;
    Project GET "/v2/schemas/images" schemas::images;
];
