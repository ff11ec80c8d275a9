//! What all lists of Neutron share: filters by any field, chosen fields, order and pages.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::attributes::hide;
use super::{Error, filters};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

/// Answers with those of the views that the query asks for.
pub(super) fn list(
    cx: &Context,
    collection: &str,
    views: impl Iterator<Item = Value>,
) -> Result<Response, Error> {
    filters::check(cx, collection)?;
    let mut views: Vec<Value> = views.filter(|view| matches(cx, view)).collect();
    sort(cx, &mut views);
    if let Some(marker) = cx.query("marker") {
        let place = views.iter().position(|view| view["id"] == marker);
        let place = place.ok_or_else(|| {
            Fault::bad_request(format!("The resource marked by '{marker}' could not be found."))
        })?;
        views.drain(..=place);
    }
    let mut more = false;
    if let Some(limit) = cx.parsed_query::<usize>("limit")?.filter(|limit| *limit > 0) {
        more = views.len() > limit;
        views.truncate(limit);
    }
    let next = views.last().filter(|_| more).and_then(|view| view["id"].as_str()).map(|last| {
        let query: Vec<&str> =
            cx.raw_query.split('&').filter(|pair| !pair.starts_with("marker=")).collect();
        let base = format!("{}/network/v2.0/{}", cx.cloud.api_url, collection.replace('_', "-"));
        json!([{"rel": "next", "href": format!("{base}?{}&marker={last}", query.join("&"))}])
    });
    for view in &mut views {
        choose(cx, view);
    }
    let mut answer = Map::from_iter([(collection.to_owned(), Value::Array(views))]);
    if let Some(next) = next {
        answer.insert(format!("{collection}_links"), next);
    }
    Ok(ok(&answer))
}

/// Whether a view has what the query asks: any one of several values of a field, all fields.
/// Fields that only other clouds have are no reason to leave it out.
fn matches(cx: &Context, view: &Value) -> bool {
    let labels = view["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tagged = |tag: &str| labels.iter().any(|label| label == tag);
    let tags = |name: &'static str| cx.queries(name).flat_map(|list| list.split(','));
    let (none, some) = (|name: &str| cx.query(name).is_none(), |name| tags(name).any(tagged));
    tags("tags").all(tagged)
        && (none("tags-any") || some("tags-any"))
        && (none("not-tags") || !tags("not-tags").all(tagged))
        && !some("not-tags-any")
        && filters::asked(cx).all(|(name, _)| match view.get(name) {
            None => true,
            Some(actual) => cx.queries(name).any(|wanted| equals(actual, wanted)),
        })
}

fn equals(actual: &Value, wanted: &str) -> bool {
    match actual {
        Value::Null => wanted.is_empty(),
        Value::Bool(truth) => {
            let wanted = wanted.to_lowercase();
            *truth == matches!(wanted.as_str(), "true" | "1" | "t" | "yes" | "on")
        }
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Array(items) => items.iter().any(|item| equals_item(item, wanted)),
        Value::Object(_) => false,
    }
}

/// Items of lists may be asked for as `key=value`, as in `fixed_ips=ip_address=127.0.16.2`.
fn equals_item(item: &Value, wanted: &str) -> bool {
    match (item, wanted.split_once('=')) {
        (Value::Object(item), Some((key, value))) => {
            item.get(key).is_some_and(|actual| equals(actual, value))
        }
        (item, _) => equals(item, wanted),
    }
}

/// Leaves of a view the fields that the query asks for, and that the caller may see.
pub(super) fn choose(cx: &Context, view: &mut Value) {
    hide(cx, view);
    let fields: Vec<&str> = cx.queries("fields").collect();
    if let (false, Value::Object(view)) = (fields.is_empty(), view) {
        view.retain(|name, _| fields.contains(&name.as_str()));
    }
}

fn sort(cx: &Context, views: &mut [Value]) {
    let directions: Vec<&str> = cx.queries("sort_dir").collect();
    let keys: Vec<&str> = cx.queries("sort_key").collect();
    for (index, key) in keys.iter().enumerate().rev() {
        views.sort_by_cached_key(|view| view[key].to_string());
        if directions.get(index) == Some(&"desc") {
            views.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_the_query_writes_them() {
        assert!(equals(&json!("a"), "a") && !equals(&json!("a"), "b"));
        assert!(equals(&json!(true), "True") && equals(&json!(false), "False"));
        assert!(equals(&json!(22), "22") && equals(&Value::Null, ""));
        assert!(equals(&json!(["x", "y"]), "y"));
        let fixed = json!([{"ip_address": "127.0.16.2"}]);
        assert!(equals(&fixed, "ip_address=127.0.16.2"));
        assert!(!equals(&fixed, "ip_address=127.0.16.3"));
    }
}
