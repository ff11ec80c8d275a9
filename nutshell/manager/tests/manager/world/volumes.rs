//! The director's volumes: directories in the roots of its VMs.

use std::sync::Mutex;

use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use protocol::api::{Volume, VolumeCreate, VolumeState, Volumes};
use protocol::{ApiError, VolumeId};

use super::director::{APPLICATION, Director};

#[derive(Default)]
pub(crate) struct Disks(Mutex<Vec<Volume>>);

type Shared = State<&'static Director>;

pub(super) fn router() -> Router<&'static Director> {
    Router::new()
        .route("/v1/vm/volumes", get(list).post(create))
        .route("/v1/vm/volumes/{id}", delete(remove))
}

async fn list(State(director): Shared) -> Json<Volumes> {
    Json(Volumes { volumes: director.disks.0.lock().unwrap().clone() })
}

async fn create(
    State(director): Shared,
    Json(create): Json<VolumeCreate>,
) -> Result<Json<Volume>, ApiError> {
    let mut volumes = director.disks.0.lock().unwrap();
    if volumes.iter().any(|volume| volume.name == create.name) {
        return Err(ApiError::conflict("the name is taken"));
    }
    let id = VolumeId(volumes.len() as i64 + 1);
    let device = format!("vd{id}");
    let directory = director.root(create.node).join("mnt/volumes").join(&device);
    std::fs::create_dir_all(directory).unwrap();
    let volume = Volume {
        id,
        application: APPLICATION,
        service: create.service,
        node: create.node,
        name: create.name,
        size_mib: create.size_mib,
        state: VolumeState::Attached,
        cloud: "default".to_owned(),
        volume: format!("volume-{id}"),
        device,
        created: time::OffsetDateTime::now_utc(),
    };
    volumes.push(volume.clone());
    Ok(Json(volume))
}

async fn remove(State(director): Shared, Path(id): Path<VolumeId>) -> Json<()> {
    director.disks.0.lock().unwrap().retain(|volume| volume.id != id);
    Json(())
}
