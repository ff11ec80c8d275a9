//! Code versions: uploading passes the file on as it comes, downloading likewise.

use axum::body::{Body, Bytes};
use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use protocol::api::code::{CodeUpload, CodeUploaded, CodeVersionName};
use protocol::client::Upload;
use protocol::{CodeVersionId, ServiceId};
use serde_json::Value;
use tokio::sync::mpsc;

use super::service::answer;
use super::{Fields, Named};
use crate::failure::{Failure, Problem};
use crate::form::unreadable;
use crate::session::Session;

/// The largest archive that is taken, in bytes.
pub(crate) const UPLOAD_LIMIT: usize = 1 << 30;

pub(crate) async fn upload(
    session: Session,
    Named(id): Named<ServiceId>,
    form: Multipart,
) -> Result<Response, Failure> {
    let mut entered = Fields::new();
    let uploaded = match read_form(&session, id, form, &mut entered).await {
        Ok(CodeUploaded { code_version, warning: Some(warning) }) => {
            entered.clear();
            let told = Problem::warning(format!("{code_version} is uploaded, but {warning}"));
            Err(told.into())
        }
        uploaded => uploaded,
    };
    answer(&session, id, uploaded, entered).await
}

/// Reads the form's fields in their order, the file last, and hands the file on.
async fn read_form(
    session: &Session,
    id: ServiceId,
    mut form: Multipart,
    entered: &mut Fields,
) -> Result<CodeUploaded, Failure> {
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let filename = field.file_name().unwrap_or_default().to_owned();
        match field.name().unwrap_or_default() {
            "archive" if !filename.is_empty() => {
                let description = entered.get("description").cloned().unwrap_or_default();
                let strip = entered.contains_key("strip");
                let parameters = CodeUpload { filename, description, strip };
                return hand_on(session, id, &parameters, field).await;
            }
            name @ ("description" | "strip") => {
                let name = name.to_owned();
                let text = field.text().await.map_err(unreadable)?;
                entered.insert(name, text.trim().to_owned());
            }
            _ => {}
        }
    }
    Err(Problem::invalid("Choose the archive to upload.")
        .hint("A .tar.gz, .tar.bz2, .tar or .zip file.")
        .into())
}

async fn hand_on(
    session: &Session,
    id: ServiceId,
    parameters: &CodeUpload,
    file: Field<'_>,
) -> Result<CodeUploaded, Failure> {
    let (sender, receiver) = mpsc::channel(8);
    let content = Upload::wrap_stream(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    }));
    let (uploaded, read) = tokio::join!(
        session.director.service_upload(id, "upload_code", parameters, content),
        pump(file, sender)
    );
    read.map_err(unreadable)?;
    Ok(uploaded?)
}

/// Reads the file to its end even when nobody wants it any more: a browser shows no answer before
/// it has sent everything.
async fn pump(
    mut file: Field<'_>,
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
) -> Result<(), MultipartError> {
    loop {
        match file.chunk().await {
            Ok(Some(chunk)) => drop(sender.send(Ok(chunk)).await),
            Ok(None) => return Ok(()),
            Err(error) => {
                // The director must not take a part for the whole.
                let broken = std::io::Error::other("the browser's upload broke off");
                drop(sender.send(Err(broken)).await);
                return Err(error);
            }
        }
    }
}

pub(crate) async fn enable(
    session: Session,
    Named((id, code_version)): Named<(ServiceId, CodeVersionId)>,
) -> Result<Response, Failure> {
    command(&session, id, "enable_code", code_version).await
}

pub(crate) async fn delete(
    session: Session,
    Named((id, code_version)): Named<(ServiceId, CodeVersionId)>,
) -> Result<Response, Failure> {
    command(&session, id, "delete_code", code_version).await
}

async fn command(
    session: &Session,
    id: ServiceId,
    method: &str,
    code_version: CodeVersionId,
) -> Result<Response, Failure> {
    let parameters = CodeVersionName { code_version };
    let done = session.director.service_command::<Value>(id, method, &parameters).await;
    answer(session, id, done.map_err(Failure::from), Fields::new()).await
}

pub(crate) async fn download(
    session: Session,
    Named((id, code_version)): Named<(ServiceId, CodeVersionId)>,
) -> Result<Response, Failure> {
    let parameters = CodeVersionName { code_version };
    let file = session.director.service_download(id, "download_code", &parameters).await?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.filename)),
    ];
    Ok((headers, Body::from_stream(file.content)).into_response())
}
