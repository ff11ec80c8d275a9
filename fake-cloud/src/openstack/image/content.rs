//! The content of images: received, kept as files, sent.

use std::io::SeekFrom;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::{ReaderStream, StreamReader};

use super::Error;
use crate::backends::ImageSource;
use crate::cloud::{Content, Failure, Tree};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::{ImageId, ImageStatus};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

/// The property that says why servers cannot boot an archive.
const UNBOOTABLE: &str = "unbootable";

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

pub(super) async fn upload(mut cx: Context) -> Result<Response, Error> {
    let (id, content) = receive(&mut cx).await?;
    settle(&cx, id, content).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Keeps content that is to be imported later.
pub(super) async fn stage(mut cx: Context) -> Result<Response, Error> {
    let (id, _) = receive(&mut cx).await?;
    set_status(&cx, id, ImageStatus::Uploading).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Receives the content of an image that has none, and keeps it.
async fn receive(cx: &mut Context) -> Result<(ImageId, Content), Error> {
    let caller = cx.caller()?;
    let begun = cx.cloud.change(|model, _| {
        let mut image = model.image_to_change(&caller, cx.param("id"))?;
        if image.status != ImageStatus::Queued {
            return Err(Error::from(Fault::named(
                StatusCode::CONFLICT,
                "Conflict",
                "Image status transition is not allowed: its content is there already.",
            )));
        }
        image.status = ImageStatus::Saving;
        Ok(image.id)
    });
    let id = begun.await?;
    let stream =
        cx.take_body().into_data_stream().map(|chunk| chunk.map_err(std::io::Error::other));
    let keep = cx.cloud.keep_image_content(id, StreamReader::new(stream));
    let kept = cx.cloud.going_down.run_until_cancelled(keep).await;
    let kept = kept.unwrap_or_else(|| Err(std::io::Error::other("the cloud goes down")));
    match kept {
        Ok(content) => Ok((id, content)),
        Err(source) => {
            set_status(cx, id, ImageStatus::Queued).await?;
            Err(not_kept(source, cx.cloud.image_size_max))
        }
    }
}

/// Says where an image is in its life.
pub(super) async fn set_status(
    cx: &Context,
    id: ImageId,
    status: ImageStatus,
) -> Result<(), Error> {
    let set = cx.cloud.change(|model, now| {
        let missing = || ModelError::not_found(Kind::Image, id);
        let mut image = model.images.get_mut(id).ok_or_else(missing)?;
        image.status = status;
        image.updated = now;
        Ok::<_, Error>(())
    });
    set.await
}

/// Makes an image of content that is kept.
pub(super) async fn settle(cx: &Context, id: ImageId, content: Content) -> Result<(), Error> {
    let tree = cx.cloud.unpack_image(id).await;
    let settled = cx.cloud.change(|model, now| {
        let missing = || ModelError::not_found(Kind::Image, id);
        let mut image = model.images.get_mut(id).ok_or_else(missing)?;
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
        Ok::<_, Error>(())
    });
    settled.await
}

fn not_kept(source: std::io::Error, most: u64) -> Error {
    if source.kind() == std::io::ErrorKind::FileTooLarge {
        let message = format!("Denying attempt to upload image larger than {most} bytes.");
        return Fault::new(StatusCode::PAYLOAD_TOO_LARGE, message).into();
    }
    Failure::Image(source).into()
}

pub(super) async fn download(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let (id, md5, size) = {
        let model = cx.cloud.read();
        let image = model.image(&caller, cx.param("id"))?;
        if image.status == ImageStatus::Deactivated && !caller.is_admin {
            return Err(Fault::forbidden(
                "The requested image has been deactivated. Image data download is forbidden.",
            )
            .into());
        }
        (image.id, image.md5.clone(), image.size.unwrap_or_default())
    };
    let Some(md5) = md5 else {
        // Announced only, or made from something that is no file.
        return Ok(empty(StatusCode::NO_CONTENT));
    };
    let wanted = cx.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let part = wanted.map(|text| range(text, size).ok_or_else(|| out_of_range(text)));
    let part = part.transpose()?;
    let (first, last) = part.unwrap_or((0, size.saturating_sub(1)));
    let mut file = cx.cloud.image_content(id).await.map_err(Failure::Image)?;
    file.seek(SeekFrom::Start(first)).await.map_err(Failure::Image)?;
    let length = if size == 0 { 0 } else { last - first + 1 };
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file.take(length))));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    match (part, HeaderValue::from_str(&md5)) {
        (None, Ok(md5)) => {
            headers.insert(CONTENT_MD5, md5);
        }
        (None, Err(_)) => {}
        (Some(_), _) => {
            let text = format!("bytes {first}-{last}/{size}");
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
    }
    Ok(response)
}

fn out_of_range(text: &str) -> Fault {
    Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("Invalid range: {text}"))
}

/// The first and the last byte that a client asks for: `bytes=2-4`, `bytes=2-` or `bytes=-4`.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end = size.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("bytes=2-4", 7), Some((2, 4)));
        assert_eq!(range("bytes=2-", 7), Some((2, 6)));
        assert_eq!(range("bytes=-3", 7), Some((4, 6)));
        assert_eq!(range("bytes=2-99", 7), Some((2, 6)));
        for wrong in ["bytes=7-", "bytes=4-2", "bytes=", "lines=1-2", "bytes=-0"] {
            assert_eq!(range(wrong, 7), None, "{wrong}");
        }
        assert_eq!(range("bytes=0-", 0), None);
    }
}
