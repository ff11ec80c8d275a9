//! The methods of all services that have code. Bringing a version to work is each service's own.

use futures::StreamExt;
use protocol::ApiError;
use protocol::api::code::{
    CodeUpload, CodeUploaded, CodeVersionName, CodeVersions, KeyName, Keys, KeysAdded,
};
use protocol::api::{MethodKind, MethodSummary};
use serde_json::{Value, json};

use super::Contents;
use crate::manager_half::{Content, File, Outcome, no_such_method, parameters};
use crate::{ManagerContext, ServiceError};

/// The methods for the catalogue; `what` is to be uploaded.
pub(crate) fn summaries(what: &str) -> Vec<MethodSummary> {
    use MethodKind::{Command, Download, Query, Upload};
    [
        ("upload_code", Upload, format!("Adds a code version: {what}").as_str()),
        ("list_code", Query, "Lists the code versions, newest first"),
        ("enable_code", Command, "Makes a code version the active one on every node"),
        ("download_code", Download, "Gives back the archive of a code version"),
        ("delete_code", Command, "Deletes a code version that is not active"),
        ("upload_key", Upload, "Lets holders of public SSH keys push code with git"),
        ("list_keys", Query, "Lists these keys, and what git clone takes"),
        ("delete_key", Command, "Lets nobody in with a key any more"),
    ]
    .map(|(name, kind, description)| MethodSummary {
        name: name.to_owned(),
        kind,
        description: description.to_owned(),
    })
    .into()
}

/// Methods of kind `query`.
pub(crate) fn query(context: &ManagerContext, method: &str) -> Result<Value, ServiceError> {
    match method {
        "list_code" => Ok(json!(CodeVersions { code_versions: context.code.list() })),
        "list_keys" => {
            let repository = &context.repository;
            Ok(json!(Keys { keys: repository.keys(), repository: repository.address() }))
        }
        _ => Err(no_such_method(method)),
    }
}

/// Methods of kind `command`.
pub(crate) async fn command(
    context: &ManagerContext,
    method: &str,
    given: Value,
) -> Result<Outcome, ServiceError> {
    match method {
        "delete_code" => {
            let name: CodeVersionName = parameters(method, given)?;
            context.code.delete(&name.code_version)?;
        }
        "delete_key" => {
            let name: KeyName = parameters(method, given)?;
            context.repository.delete_key(&name.fingerprint).await?;
        }
        _ => return Err(no_such_method(method)),
    }
    Ok(json!({}).into())
}

/// Methods of kind `upload`. Code becomes a version when it is accepted, perhaps with a warning; the
/// service is told the file's name, what is in it, and whether to take off an enclosing directory.
pub(crate) async fn upload(
    context: &ManagerContext,
    method: &str,
    given: Value,
    content: Content,
    accept: impl FnOnce(&str, &Contents, bool) -> Result<Option<String>, ApiError>,
) -> Result<Value, ServiceError> {
    match method {
        "upload_code" => {
            let about: CodeUpload = parameters(method, given)?;
            let mut warning = None;
            let accept = |contents: &Contents| {
                warning = accept(&about.filename, contents, about.strip)?;
                Ok(())
            };
            let code_version = context.code.add(&about, content, accept).await?;
            Ok(json!(CodeUploaded { code_version, warning }))
        }
        "upload_key" => {
            let added = context.repository.add_keys(&text(content).await?).await?;
            Ok(json!(KeysAdded { added, repository: context.repository.address() }))
        }
        _ => Err(no_such_method(method)),
    }
}

/// Methods of kind `download`.
pub(crate) async fn download(
    context: &ManagerContext,
    method: &str,
    given: Value,
) -> Result<File, ServiceError> {
    match method {
        "download_code" => {
            let name: CodeVersionName = parameters(method, given)?;
            context.code.archive(&name.code_version).await
        }
        _ => Err(no_such_method(method)),
    }
}

/// A short text that is being received.
async fn text(mut content: Content) -> Result<String, ServiceError> {
    const LONGEST: usize = 64 << 10;
    let mut text = Vec::new();
    while let Some(chunk) = content.next().await {
        text.extend_from_slice(&chunk.map_err(|_| ApiError::invalid("the upload broke off"))?);
        if text.len() > LONGEST {
            return Err(ApiError::invalid("the file is too large to be a list of keys").into());
        }
    }
    String::from_utf8(text).map_err(|_| ApiError::invalid("the file holds no text").into())
}
