//! What lists of volumes and of snapshots share: whose they are, filters, order and pages.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Error, project};
use crate::model::ProjectId;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

/// The project whose things are listed; none for all, which is for the administrator.
pub(super) fn scope(cx: &Context) -> Result<Option<ProjectId>, Fault> {
    let own = project(cx)?;
    let truth = |text: &str| matches!(text.to_lowercase().as_str(), "1" | "true" | "yes");
    let all = ["all_tenants", "all_projects"].iter().any(|name| cx.query(name).is_some_and(truth));
    Ok(if all && cx.caller()?.is_admin { None } else { Some(own) })
}

/// Answers with those of the views that the query asks for, the newest first unless asked otherwise.
pub(super) fn answer(
    cx: &Context,
    collection: &str,
    path: &str,
    views: impl DoubleEndedIterator<Item = Value>,
    shorten: impl Fn(Value) -> Value,
) -> Result<Response, Error> {
    let mut views: Vec<Value> = views.rev().filter(|view| matches(cx, view)).collect();
    if let Some(sort) = cx.query("sort").or_else(|| cx.query("sort_key")) {
        for key in sort.split(',').rev() {
            let (key, direction) = key.split_once(':').unwrap_or((key, "desc"));
            let direction = cx.query("sort_dir").unwrap_or(direction);
            views.sort_by_cached_key(|view| view[key].to_string());
            if direction == "desc" {
                views.reverse();
            }
        }
    }
    if let Some(marker) = cx.query("marker") {
        let place = views.iter().position(|view| view["id"] == marker);
        let missing = || Fault::bad_request(format!("marker [{marker}] not found"));
        views.drain(..=place.ok_or_else(missing)?);
    }
    let limit = cx.parsed_query::<usize>("limit")?.filter(|limit| *limit > 0);
    let more = limit.is_some_and(|limit| views.len() > limit);
    views.truncate(limit.unwrap_or(usize::MAX));
    let mut page = Map::new();
    if let (true, Some(last)) = (more, views.last().and_then(|view| view["id"].as_str())) {
        let kept: Vec<&str> =
            cx.raw_query.split('&').filter(|pair| !pair.starts_with("marker=")).collect();
        let own = cx.param("project");
        let base = format!("{}/volume/v3/{own}/{path}", cx.cloud.api_url);
        let href = format!("{base}?{}&marker={last}", kept.join("&"));
        page.insert(format!("{collection}_links"), json!([{"rel": "next", "href": href}]));
    }
    page.insert(collection.to_owned(), views.into_iter().map(shorten).collect());
    Ok(ok(&page))
}

/// The fields that can be asked for; others are no reason to leave something out.
const FILTERS: [&str; 8] =
    ["id", "name", "status", "volume_id", "size", "bootable", "user_id", "availability_zone"];

fn matches(cx: &Context, view: &Value) -> bool {
    let asked = FILTERS.iter().filter_map(|name| Some((*name, cx.query(name)?)));
    let mut asked = asked.filter(|(name, _)| view.get(name).is_some());
    asked.all(|(name, wanted)| match &view[name] {
        Value::String(text) => text == wanted,
        other => {
            let text = other.to_string();
            text == wanted
        }
    })
}
