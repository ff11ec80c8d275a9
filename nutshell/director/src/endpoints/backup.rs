//! The backups of managers: what must not be lost with their VMs.

use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::TryStreamExt;
use protocol::ApiError;
use protocol::api::backup::{Backup, BackupAnswer};
use tokio_util::io::ReaderStream;

use super::extract::{Answer, Body, Path, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;
use crate::app::vm::Vm;

const FILE: &str = "/v1/vm/backup/files/{sha256}";

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/vm/backup",
            "vm_backup",
            Role::Manager,
            "The files that the last manager of the application left.",
        )
        .output::<Backup>(),
        view,
    );
    api.add(
        Endpoint::new(
            Verb::Put,
            "/v1/vm/backup",
            "vm_backup_replace",
            Role::Manager,
            "Replaces the list of files, unless contents are missing.",
        )
        .input::<Backup>()
        .output::<BackupAnswer>(),
        replace,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            FILE,
            "vm_backup_file",
            Role::Manager,
            "A content of the backup, by its SHA-256.",
        )
        .media("application/octet-stream"),
        file,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            FILE,
            "vm_backup_file_add",
            Role::Manager,
            "Takes a content for the next backup.",
        ),
        file_add,
    );
}

async fn view(State(app): State<App>, Extension(vm): Extension<Vm>) -> Answer<Backup> {
    answer(app.vm_backup(&vm).await)
}

async fn replace(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Body(backup): Body<Backup>,
) -> Answer<BackupAnswer> {
    answer(app.vm_backup_replace(&vm, backup).await)
}

async fn file(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Path(sha256): Path<String>,
) -> Result<Response, ApiError> {
    let file = app.vm_backup_file(&vm, &sha256).await?;
    Ok(HttpBody::from_stream(ReaderStream::with_capacity(file, 256 * 1024)).into_response())
}

async fn file_add(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Path(sha256): Path<String>,
    request: Request,
) -> Answer<()> {
    let content = request.into_body().into_data_stream().map_err(std::io::Error::other);
    app.vm_backup_file_add(&vm, &sha256, content).await?;
    Ok(Json(()))
}
