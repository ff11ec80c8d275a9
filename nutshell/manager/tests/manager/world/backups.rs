//! The director's memory of what managers must not lose.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use protocol::ApiError;
use protocol::api::backup::{Backup, BackupAnswer, BackupContent};

use super::director::Director;

#[derive(Default)]
pub(crate) struct Backups {
    kept: Mutex<Backup>,
    contents: Mutex<BTreeMap<String, Bytes>>,
    refusal: Mutex<Option<ApiError>>,
}

impl Backups {
    /// Keeps nothing more from now on.
    pub(crate) fn refuse(&self, refusal: Option<ApiError>) {
        *self.refusal.lock().unwrap() = refusal;
    }
}

type Shared = State<&'static Director>;

pub(super) fn router() -> Router<&'static Director> {
    Router::new()
        .route("/v1/vm/backup", get(view).put(replace))
        .route("/v1/vm/backup/files/{sha256}", get(content).post(add))
}

async fn view(State(director): Shared) -> Json<Backup> {
    Json(director.backups.kept.lock().unwrap().clone())
}

async fn replace(
    State(director): Shared,
    Json(backup): Json<Backup>,
) -> Result<Json<BackupAnswer>, ApiError> {
    if let Some(refusal) = director.backups.refusal.lock().unwrap().clone() {
        return Err(refusal);
    }
    let contents = director.backups.contents.lock().unwrap();
    let named = backup.files.iter().filter_map(|file| match &file.content {
        BackupContent::Stored { sha256, .. } => Some(sha256.clone()),
        BackupContent::Inline { .. } => None,
    });
    let missing: Vec<String> = named.filter(|name| !contents.contains_key(name)).collect();
    if missing.is_empty() {
        *director.backups.kept.lock().unwrap() = backup;
    }
    Ok(Json(BackupAnswer { missing }))
}

async fn content(State(director): Shared, Path(sha256): Path<String>) -> Body {
    Body::from(director.backups.contents.lock().unwrap()[&sha256].clone())
}

async fn add(State(director): Shared, Path(sha256): Path<String>, content: Bytes) -> Json<()> {
    director.backups.contents.lock().unwrap().insert(sha256, content);
    Json(())
}
