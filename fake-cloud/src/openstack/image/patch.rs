//! Changes of images, sent as a JSON patch.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::images::view;
use crate::model::{Image, Visibility};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

#[derive(Debug, Deserialize)]
struct Step {
    op: Operation,
    path: String,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Add,
    Replace,
    Remove,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let steps: Vec<Step> = cx.json().await?;
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        let mut image = model.image_to_change(&caller, cx.param("id"))?.clone();
        for step in &steps {
            apply(&mut image, step)?;
        }
        if image.visibility == Visibility::Public && !caller.is_admin {
            return Err(Error::from(Fault::forbidden(
                "You are not authorized to complete publicize_image action.",
            )));
        }
        image.updated = now;
        let answer = view(&image);
        model.images.insert(image);
        Ok(answer)
    });
    Ok(ok(&changed.await?))
}

/// Names that only Glance itself changes.
const READ_ONLY: [&str; 13] = [
    "id",
    "owner",
    "status",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
];

fn apply(image: &mut Image, Step { op, path, value }: &Step) -> Result<(), Fault> {
    let name = path.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
    let invalid = || Fault::bad_request(format!("Invalid value for {name}: {value}"));
    if READ_ONLY.contains(&name.as_str()) {
        return Err(Fault::forbidden(format!("Attribute '{name}' is read-only.")));
    }
    let text = || match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(invalid()),
    };
    let number = || value.as_u64().ok_or_else(invalid);
    let truth = || value.as_bool().ok_or_else(invalid);
    let own = |result: Result<(), Fault>| match op {
        Operation::Remove => Err(Fault::forbidden(format!("Property {name} may not be removed."))),
        Operation::Add | Operation::Replace => result,
    };
    match name.as_str() {
        "name" => own(text().map(|text| image.name = text)),
        "disk_format" => own(text().map(|text| image.disk_format = text)),
        "container_format" => own(text().map(|text| image.container_format = text)),
        "min_ram" => own(number().map(|number| image.min_ram = number)),
        "min_disk" => own(number().map(|number| image.min_disk = number)),
        "protected" => own(truth().map(|truth| image.protected = truth)),
        "os_hidden" => own(truth().map(|truth| image.hidden = truth)),
        "visibility" => {
            let visibility = serde_json::from_value(value.clone()).map_err(|_| invalid());
            own(visibility.map(|visibility| image.visibility = visibility))
        }
        "tags" => {
            let tags = serde_json::from_value(value.clone()).map_err(|_| invalid());
            own(tags.map(|tags| image.tags = tags))
        }
        _ => {
            let known = image.properties.contains_key(&name);
            match (op, known) {
                (Operation::Remove, true) => {
                    image.properties.remove(&name);
                    Ok(())
                }
                (Operation::Remove | Operation::Replace, false) => Err(Fault::named(
                    StatusCode::CONFLICT,
                    "Conflict",
                    format!("Property {name} does not exist."),
                )),
                (Operation::Add, _) | (Operation::Replace, true) => {
                    let text = text()?.ok_or_else(invalid)?;
                    image.properties.insert(name, text);
                    Ok(())
                }
            }
        }
    }
}
