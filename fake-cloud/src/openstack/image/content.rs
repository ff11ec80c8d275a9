//! The content of images: received, kept as files, sent.

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio_util::io::{ReaderStream, StreamReader};

use super::Error;
use crate::backends::ImageSource;
use crate::cloud::{Failure, Tree};
use crate::model::ImageStatus;
use crate::model::error::{Error as ModelError, Kind};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

/// The property that says why servers cannot boot an archive.
const UNBOOTABLE: &str = "unbootable";

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

pub(super) async fn upload(mut cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let begun = cx.cloud.change(|model, _| {
        let image = model.image_to_change(&caller, cx.param("id"))?;
        match image.status {
            ImageStatus::Queued => {
                image.status = ImageStatus::Saving;
                Ok(image.id)
            }
            ImageStatus::Saving | ImageStatus::Active => Err(Error::from(Fault::named(
                StatusCode::CONFLICT,
                "Conflict",
                "Image status transition is not allowed: its content is there already.",
            ))),
        }
    });
    let id = begun.await?;
    let stream =
        cx.take_body().into_data_stream().map(|chunk| chunk.map_err(std::io::Error::other));
    let keep = cx.cloud.keep_image_content(id, StreamReader::new(stream));
    let kept = cx.cloud.going_down.run_until_cancelled(keep).await;
    let kept = kept.unwrap_or_else(|| Err(std::io::Error::other("the cloud goes down")));
    let tree = if kept.is_ok() { cx.cloud.unpack_image(id).await } else { Tree::None };
    cx.cloud
        .change(|model, now| {
            let missing = || ModelError::not_found(Kind::Image, id);
            let image = model.images.get_mut(id).ok_or_else(missing)?;
            match kept {
                Ok(content) => {
                    image.status = ImageStatus::Active;
                    image.size = Some(content.size);
                    image.md5 = Some(content.md5);
                    image.sha512 = Some(content.sha512);
                    image.updated = now;
                    match tree {
                        Tree::None => {}
                        Tree::Unpacked(path) => image.source = ImageSource::Directory { path },
                        Tree::Failed(reason) => {
                            image.properties.insert(UNBOOTABLE.to_owned(), reason);
                        }
                    }
                    Ok(())
                }
                Err(source) => {
                    image.status = ImageStatus::Queued;
                    Err(Error::from(Failure::Image(source)))
                }
            }
        })
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn download(cx: Context) -> Result<Response, Error> {
    let (id, md5) = {
        let model = cx.cloud.read();
        let image = model.image(&cx.caller()?, cx.param("id"))?;
        (image.id, image.md5.clone())
    };
    let Some(md5) = md5 else {
        // Announced only, or made from something that is no file.
        return Ok(empty(StatusCode::NO_CONTENT));
    };
    let file = cx.cloud.image_content(id).await.map_err(Failure::Image)?;
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file)));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    if let Ok(md5) = HeaderValue::from_str(&md5) {
        headers.insert(CONTENT_MD5, md5);
    }
    Ok(response)
}
