//! `POST /images/{id}/import`: content that is staged here becomes an image's. Nothing is fetched
//! from elsewhere.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::Error;
use super::content::{set_status, settle};
use crate::cloud::Failure;
use crate::model::ImageStatus;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

/// The one method of import.
pub(super) const METHOD: &str = "glance-direct";

pub(super) async fn methods(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"import-methods": {
        "description": "Import methods available.", "type": "array", "value": [METHOD]
    }})))
}

#[derive(Debug, Deserialize)]
struct Body {
    method: Method,
}

#[derive(Debug, Deserialize)]
struct Method {
    name: String,
}

pub(super) async fn import(mut cx: Context) -> Result<Response, Error> {
    let method = cx.json::<Body>().await?.method.name;
    let caller = cx.caller()?;
    let begun = cx.cloud.change(|model, _| {
        let mut image = model.image_to_change(&caller, cx.param("id"))?;
        if method != METHOD {
            let message = format!("Unknown import method name '{method}'.");
            return Err(Error::from(Fault::bad_request(message)));
        }
        if image.status != ImageStatus::Uploading {
            let message = "Image needs to be staged before 'glance-direct' method can be used";
            return Err(Fault::named(StatusCode::CONFLICT, "Conflict", message).into());
        }
        image.status = ImageStatus::Saving;
        Ok(image.id)
    });
    let id = begun.await?;
    // Nothing was said of it while it was staged: it is read once more.
    let read = match cx.cloud.image_content(id).await {
        Ok(staged) => cx.cloud.keep_image_content(id, staged).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(content) => settle(&cx, id, content).await?,
        Err(source) => {
            set_status(&cx, id, ImageStatus::Uploading).await?;
            return Err(Failure::Image(source).into());
        }
    }
    Ok(empty(StatusCode::ACCEPTED))
}
