//! Where the shape of a value differs from a recorded one.

use serde_json::Value;

/// Objects whose keys are the user's, not the API's: only what they hold is compared.
const FREE: &[&str] = &[
    "addresses",
    "binding:vif_details",
    "extra_specs",
    "hosts.*",
    "hosts",
    "metadata",
    "properties",
    "volume_image_metadata",
];

/// Keys that only the recorded installation, or a client of it, put there.
const LOCAL: [&str; 3] = ["owner_specified.", "fake", "stores"];

/// What differs, one line each. In a shape a text stands for a type; `null` says nothing; a key
/// that ends with `?` is there in some states only.
pub(super) fn differences(shape: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", shape, value, &mut found);
    found
}

fn compare(at: &str, shape: &Value, value: &Value, found: &mut Vec<String>) {
    match (shape, value) {
        (Value::Object(shape), Value::Object(value)) => {
            let free = FREE.iter().any(|name| at.ends_with(&format!(".{name}")));
            if free {
                if let (Some(shape), Some(value)) = (shape.values().next(), value.values().next()) {
                    compare(&format!("{at}.*"), shape, value, found);
                }
                return;
            }
            let local = |key: &String| LOCAL.iter().any(|prefix| key.starts_with(prefix));
            for (key, shape) in shape.iter().filter(|(key, _)| !local(key)) {
                let (key, optional) =
                    key.strip_suffix('?').map_or((key.as_str(), false), |key| (key, true));
                match value.get(key) {
                    Some(value) => compare(&format!("{at}.{key}"), shape, value, found),
                    None if optional => {}
                    None => found.push(format!("lacks {at}.{key}")),
                }
            }
            let known =
                |key: &str| shape.contains_key(key) || shape.contains_key(&format!("{key}?"));
            for key in value.keys().filter(|key| !known(key)) {
                found.push(format!("has {at}.{key}, which the real one has not"));
            }
        }
        (Value::Array(shape), Value::Array(value)) => {
            if let (Some(shape), Some(value)) = (shape.first(), value.first()) {
                compare(&format!("{at}[]"), shape, value, found);
            }
        }
        (Value::String(shape), value) => {
            if shape != "null" && !value.is_null() && shape != kind(value) {
                found.push(format!("{at} is {}, not {shape}", kind(value)));
            }
        }
        (_, Value::Null) => {}
        (shape, value) => found.push(format!("{at} is {value}, not like {shape}")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[test]
fn a_shape_finds_what_is_missing_added_or_of_another_type() {
    let shape = serde_json::json!({"a": "int", "b": ["text"], "c": "null", "d": {"e": "bool"}, "g?": "int"});
    let same = serde_json::json!({"a": 1, "b": [], "c": {}, "d": {"e": null}});
    assert_eq!(differences(&shape, &same), Vec::<String>::new());
    let other = serde_json::json!({"a": "1", "b": [2], "c": 0, "d": {"f": true}});
    let expected = [
        ".a is text, not int",
        ".b[] is int, not text",
        "lacks .d.e",
        "has .d.f, which the real one has not",
    ];
    assert_eq!(differences(&shape, &other), expected);
}
