//! Images: announced, listed, shown and removed.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, actions, import};
use crate::backends::ImageSource;
use crate::model::{Caller, Image, ImageId, ImageOptions, ImageStatus, Visibility};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, json, ok, with_header};

/// The longest page.
const PAGE_MAX: usize = 1000;

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.images.iter().rev().filter(|image| is_listed(&cx, &caller, image));
    let mut views: Vec<Map<String, Value>> =
        visible.map(view).filter(|view| matches(&cx, view)).collect();
    sort(&cx, &mut views);
    if let Some(marker) = cx.query("marker") {
        let place = views.iter().position(|view| view["id"] == marker);
        let missing = || Fault::bad_request(format!("Invalid marker {marker}."));
        views.drain(..=place.ok_or_else(missing)?);
    }
    let limit = cx.parsed_query("limit")?.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let more = views.len() > limit && limit > 0;
    views.truncate(limit);
    let query = |pairs: &str| if pairs.is_empty() { String::new() } else { format!("?{pairs}") };
    let mut answer = json!({
        "first": format!("/v2/images{}", query(&cx.raw_query)),
        "schema": "/v2/schemas/images",
    });
    if let Some(last) = views.last().filter(|_| more) {
        let mut pairs: Vec<String> = cx
            .raw_query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("marker="))
            .map(str::to_owned)
            .collect();
        pairs.push(format!("marker={}", last["id"].as_str().unwrap_or_default()));
        answer["next"] = json!(format!("/v2/images{}", query(&pairs.join("&"))));
    }
    answer["images"] = json!(views);
    Ok(ok(&answer))
}

/// Whether an image is one of the caller's list: not so one that is shared with them and that
/// they have not accepted, or not as they ask for now.
fn is_listed(cx: &Context, caller: &Caller, image: &Image) -> bool {
    let own = image.writable_by(caller) || image.visibility != Visibility::Shared;
    let status = cx.query("member_status").unwrap_or("accepted");
    let accepted = || {
        let member = caller.project_id.and_then(|project| image.member(project));
        member.is_some_and(|member| status == "all" || json!(member.status) == status)
    };
    image.visible_to(caller) && (own || accepted())
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    Ok(ok(&view(model.image(&cx.caller()?, cx.param("id"))?)))
}

/// How content may come, besides by upload.
const IMPORT_METHODS: HeaderName = HeaderName::from_static("openstack-image-import-methods");

/// Where it may be kept.
const STORES: HeaderName = HeaderName::from_static("openstack-image-store-ids");

#[derive(Debug, Deserialize)]
struct Wanted {
    id: Option<String>,
    name: Option<String>,
    visibility: Option<Visibility>,
    disk_format: Option<String>,
    container_format: Option<String>,
    #[serde(default)]
    min_ram: u64,
    #[serde(default)]
    min_disk: u64,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    os_hidden: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(flatten)]
    properties: BTreeMap<String, Value>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted: Wanted = cx.json().await?;
    let (caller, owner) = (cx.caller()?, cx.project()?);
    let id = match &wanted.id {
        None => ImageId::random(),
        Some(id) => {
            id.parse().map_err(|_| Fault::bad_request(format!("Invalid image id {id}.")))?
        }
    };
    let visibility = wanted.visibility.unwrap_or(Visibility::Shared);
    if visibility == Visibility::Public && !caller.is_admin {
        return Err(
            Fault::forbidden("You are not authorized to complete publicize_image action.").into()
        );
    }
    let properties = wanted.properties.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some(Ok((name, text))),
        Value::Null => None,
        _ => Some(Err(Fault::bad_request(format!(
            "Provided object does not match schema 'image': {name} is not of type 'string'"
        )))),
    });
    let properties = properties.collect::<Result<BTreeMap<_, _>, Fault>>()?;
    let created = cx.cloud.change(|model, now| {
        if model.images.get(id).is_some() {
            let message = format!("Image ID {id} already exists!");
            return Err(Error::from(Fault::named(StatusCode::CONFLICT, "Conflict", message)));
        }
        let image = Image {
            id,
            name: wanted.name,
            owner,
            visibility,
            status: ImageStatus::Queued,
            disk_format: wanted.disk_format,
            container_format: wanted.container_format,
            min_ram: wanted.min_ram,
            min_disk: wanted.min_disk,
            protected: wanted.protected,
            hidden: wanted.os_hidden,
            size: None,
            md5: None,
            sha512: None,
            members: Vec::new(),
            options: ImageOptions::default(),
            properties,
            tags: wanted.tags,
            source: ImageSource::Opaque,
            created: now,
            updated: now,
        };
        let answer = view(&image);
        model.images.insert(image);
        Ok(answer)
    });
    let answer = created.await?;
    let location = format!("{}/image/v2/images/{id}", cx.cloud.api_url);
    let answer = with_header(json(StatusCode::CREATED, &answer), header::LOCATION, &location);
    let answer = with_header(answer, IMPORT_METHODS, import::METHOD);
    Ok(with_header(answer, STORES, actions::STORE))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted =
        cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_image(&caller, cx.param("id"))?));
    let id = deleted.await?;
    cx.cloud.delete_image_content(id).await;
    cx.cloud.drop_image_trees().await;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn add_tag(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let tagged = cx.cloud.change(|model, now| {
        let mut image = model.image_to_change(&caller, cx.param("id"))?;
        let tag = cx.param("tag");
        if !image.tags.iter().any(|known| known == tag) {
            image.tags.push(tag.to_owned());
            image.updated = now;
        }
        Ok::<_, Error>(())
    });
    tagged.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn delete_tag(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let untagged = cx.cloud.change(|model, now| {
        let mut image = model.image_to_change(&caller, cx.param("id"))?;
        let place = image.tags.iter().position(|known| known == cx.param("tag"));
        let place = place.ok_or_else(|| Fault::not_found("The tag could not be found."))?;
        image.tags.remove(place);
        image.updated = now;
        Ok::<_, Error>(())
    });
    untagged.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// An image as Glance shows it: its free-form properties stand beside its own.
pub(super) fn view(image: &Image) -> Map<String, Value> {
    let id = image.id;
    let mut view: Map<String, Value> =
        image.properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let own = [
        ("name", json!(image.name)),
        ("disk_format", json!(image.disk_format)),
        ("container_format", json!(image.container_format)),
        ("visibility", json!(image.visibility)),
        ("size", json!(image.size)),
        ("virtual_size", json!(image.size)),
        ("status", json!(image.status)),
        ("checksum", json!(image.md5)),
        ("protected", json!(image.protected)),
        ("min_ram", json!(image.min_ram)),
        ("min_disk", json!(image.min_disk)),
        ("owner", json!(image.owner)),
        ("os_hidden", json!(image.hidden)),
        ("os_hash_algo", json!(image.sha512.as_ref().map(|_| "sha512"))),
        ("os_hash_value", json!(image.sha512)),
        ("id", json!(id)),
        ("created_at", json!(Zulu(image.created))),
        ("updated_at", json!(Zulu(image.updated))),
        ("tags", json!(image.tags)),
        ("self", json!(format!("/v2/images/{id}"))),
        ("file", json!(format!("/v2/images/{id}/file"))),
        ("schema", json!("/v2/schemas/image")),
    ];
    view.extend(own.map(|(name, value)| (name.to_owned(), value)));
    view
}

/// Words of the query that are no filters.
const CONTROLS: [&str; 5] = ["limit", "marker", "sort", "sort_key", "sort_dir"];

fn matches(cx: &Context, view: &Map<String, Value>) -> bool {
    let hidden = cx.query("os_hidden").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let filters = cx.all_queries().filter(|(name, _)| !CONTROLS.contains(name));
    view["os_hidden"] == hidden
        && filters.into_iter().all(|(name, wanted)| match name {
            "os_hidden" | "member_status" => true,
            "visibility" if wanted == "all" => true,
            "tag" => view["tags"].as_array().is_some_and(|tags| tags.contains(&json!(wanted))),
            "size_min" => view["size"].as_u64() >= wanted.parse().ok(),
            "size_max" => view["size"].as_u64() <= wanted.parse().ok(),
            name => {
                let actual = match view.get(name) {
                    None | Some(Value::Null) => return false,
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                };
                match wanted.strip_prefix("in:") {
                    Some(list) => list.split(',').any(|item| item.trim_matches('"') == actual),
                    None => wanted.eq(&actual) || wanted.to_lowercase() == actual,
                }
            }
        })
}

fn sort(cx: &Context, views: &mut [Map<String, Value>]) {
    // The new spelling is `sort=name:asc,size`, the old one pairs of `sort_key` and `sort_dir`.
    let mut keys: Vec<(String, bool)> = Vec::new();
    for part in cx.query("sort").into_iter().flat_map(|sort| sort.split(',')) {
        let (key, direction) = part.split_once(':').unwrap_or((part, "desc"));
        keys.push((key.to_owned(), direction == "desc"));
    }
    let directions: Vec<&str> = cx.queries("sort_dir").collect();
    for (index, key) in cx.queries("sort_key").enumerate() {
        let direction = directions.get(index).or(directions.first());
        keys.push((key.to_owned(), direction.is_none_or(|direction| *direction == "desc")));
    }
    for (key, descending) in keys.iter().rev() {
        views.sort_by_cached_key(|view| view.get(key).map(Value::to_string));
        if *descending {
            views.reverse();
        }
    }
}
