//! Code versions: upload, list, enable, delete, download.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use protocol::api::CodeVersion;
use protocol::api::code::{CodeUpload, CodeUploaded, CodeVersionName, CodeVersions};
use protocol::client::{Download, Upload};
use protocol::{CodeVersionId, ServiceId};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{Caller, CpsError, keys};
use crate::args::CodeCommand;
use crate::diagnostics::Exit;
use crate::printer::{Printer, Table};

/// Runs one command about the code of a service of that type.
pub(crate) async fn run(
    caller: &Caller<'_>,
    command: CodeCommand,
    kind: &str,
) -> Result<Exit, CpsError> {
    match command {
        CodeCommand::UploadCode { service, file, description, strip } => {
            let service = caller.service_of(&service.service, kind).await?;
            upload_code(caller, service, &file, description, strip).await
        }
        CodeCommand::ListUploads(service) => {
            list_uploads(caller, caller.service_of(&service.service, kind).await?).await
        }
        CodeCommand::UploadKey { service, file } => {
            let service = caller.service_of(&service.service, kind).await?;
            keys::upload_key(caller, service, &file).await
        }
        CodeCommand::ListKeys(service) => {
            keys::list_keys(caller, caller.service_of(&service.service, kind).await?).await
        }
        CodeCommand::DeleteKey { service, key } => {
            let service = caller.service_of(&service.service, kind).await?;
            keys::delete_key(caller, service, &key).await
        }
        CodeCommand::EnableCode { service, code_version } => {
            let service = caller.service_of(&service.service, kind).await?;
            enable_code(caller, service, code_version).await
        }
        CodeCommand::DeleteCode { service, code_version } => {
            let service = caller.service_of(&service.service, kind).await?;
            delete_code(caller, service, code_version).await
        }
        CodeCommand::DownloadCode { service, code_version, version } => {
            let service = caller.service_of(&service.service, kind).await?;
            download_code(caller, service, code_version.or(version)).await
        }
    }
}

/// Uploads an archive.
pub(crate) async fn upload_code(
    caller: &Caller<'_>,
    service: ServiceId,
    path: &Path,
    description: String,
    strip: bool,
) -> Result<Exit, CpsError> {
    let failed = || CpsError::file("read", path);
    let file = tokio::fs::File::open(path).await.map_err(failed())?;
    if file.metadata().await.map_err(failed())?.is_dir() {
        return Err(CpsError::Directory { path: path.to_owned() });
    }
    let filename = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let upload = CodeUpload { filename, description, strip };
    let spinner = caller.printer.spinner(&format!("Uploading {}", path.display()));
    let uploading = caller.client.service_upload::<CodeUploaded>(
        service,
        "upload_code",
        &upload,
        Upload::from(file),
    );
    let uploaded = spinner.watch(uploading).await?;
    drop(spinner);
    caller
        .printer
        .answer(&uploaded, |uploaded| format!("Code version {} uploaded", uploaded.code_version));
    if let Some(warning) = &uploaded.warning {
        caller.printer.warn(warning);
    }
    Ok(Exit::Success)
}

/// Lists the code versions.
pub(crate) async fn list_uploads(
    caller: &Caller<'_>,
    service: ServiceId,
) -> Result<Exit, CpsError> {
    let versions = versions(caller, service).await?;
    caller.printer.list(&versions, "No code versions.", table);
    Ok(Exit::Success)
}

async fn versions(caller: &Caller<'_>, service: ServiceId) -> Result<Vec<CodeVersion>, CpsError> {
    let answer: CodeVersions =
        caller.client.service_query(service, "list_code", &json!({})).await?;
    Ok(answer.code_versions)
}

fn table(versions: &[CodeVersion]) -> Table {
    let mut table = Table::new(["current", "codeVersionId", "filename", "description"]);
    for version in versions {
        table.row([
            if version.current { "      *" } else { "" }.into(),
            version.id.as_str().into(),
            version.filename.clone().into(),
            version.description.clone().into(),
        ]);
    }
    table
}

/// Brings a code version to work.
pub(crate) async fn enable_code(
    caller: &Caller<'_>,
    service: ServiceId,
    code_version: CodeVersionId,
) -> Result<Exit, CpsError> {
    let name = CodeVersionName { code_version };
    let spinner = caller.printer.spinner(&format!("Enabling {}", name.code_version));
    let enabling = caller.client.service_command::<Value>(service, "enable_code", &name);
    let enabled = spinner.watch(enabling).await?;
    drop(spinner);
    Ok(tell_enabled(caller.printer, &name.code_version, &enabled))
}

/// The code is at work; a script of it may have failed all the same.
fn tell_enabled(printer: &Printer, version: &CodeVersionId, enabled: &Value) -> Exit {
    printer.answer(enabled, |_| format!("{version} enabled"));
    match enabled["warning"].as_str() {
        Some(failed) => {
            printer.error(failed);
            Exit::Failure
        }
        None => Exit::Success,
    }
}

/// Deletes a code version.
pub(crate) async fn delete_code(
    caller: &Caller<'_>,
    service: ServiceId,
    code_version: CodeVersionId,
) -> Result<Exit, CpsError> {
    let name = CodeVersionName { code_version };
    caller.client.service_command::<Value>(service, "delete_code", &name).await?;
    caller.printer.answer(&name, |name| format!("{} deleted", name.code_version));
    Ok(Exit::Success)
}

/// Downloads a code version, the one at work unless another is named, into the working directory.
pub(crate) async fn download_code(
    caller: &Caller<'_>,
    service: ServiceId,
    code_version: Option<CodeVersionId>,
) -> Result<Exit, CpsError> {
    let code_version = match code_version {
        Some(code_version) => code_version,
        None => {
            let mut versions = versions(caller, service).await?.into_iter();
            versions.find(|version| version.current).ok_or(CpsError::NoCode(service))?.id
        }
    };
    let name = CodeVersionName { code_version };
    let download = caller.client.service_download(service, "download_code", &name).await?;
    let spinner = caller.printer.spinner(&format!("Downloading {}", download.filename));
    let path = spinner.watch(save(download)).await?;
    drop(spinner);
    caller.printer.answer(&path, |path| format!("{} written", path.display()));
    Ok(Exit::Success)
}

/// Writes the file beside its name first: what was there stays whole until the new one is.
async fn save(mut download: Download) -> Result<PathBuf, CpsError> {
    let path = PathBuf::from(&download.filename);
    let partial = PathBuf::from(format!(".{}.part", download.filename));
    let failed = || CpsError::file("write", &path);
    let writing = async {
        let mut file = tokio::fs::File::create(&partial).await?;
        while let Some(chunk) = download.content.next().await {
            file.write_all(&chunk?).await?;
        }
        file.flush().await?;
        tokio::fs::rename(&partial, &path).await
    };
    if let Err(error) = writing.await {
        let _ = tokio::fs::remove_file(&partial).await;
        return Err(failed()(error));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_script_that_failed_fails_the_command_that_ran_it() {
        let version = "code-pw1LKs".parse().unwrap();
        let (printer, output) = Printer::captured();
        let well = json!({ "code_version": version });
        assert_eq!(tell_enabled(&printer, &version, &well), Exit::Success);
        assert_eq!(
            (output.stdout().as_str(), output.stderr().as_str()),
            ("code-pw1LKs enabled\n", "")
        );

        let (printer, output) = Printer::captured();
        let badly = json!({ "code_version": version, "warning": "init.sh ended with 3" });
        assert_eq!(tell_enabled(&printer, &version, &badly), Exit::Failure);
        assert_eq!(output.stdout(), "code-pw1LKs enabled\n");
        assert_eq!(output.stderr(), "error: init.sh ended with 3\n");
    }

    #[test]
    fn uploads_are_listed_as_the_guide_lists_them() {
        let version = |id: &str, filename: &str, description: &str, current| CodeVersion {
            id: id.parse().unwrap(),
            filename: filename.to_owned(),
            description: description.to_owned(),
            current,
            created: OffsetDateTime::UNIX_EPOCH,
        };
        let versions = [
            version("code-pw1LKs", "test-code.tar.gz", "", true),
            version("code-default", "code-default.tar", "Initial version", false),
        ];
        assert_eq!(
            table(&versions).render(),
            "current codeVersionId filename         description\n\
             ------------------------------------------------------\n      \
                   * code-pw1LKs   test-code.tar.gz\n        \
                     code-default  code-default.tar Initial version"
        );
    }
}
