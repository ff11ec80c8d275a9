//! Removes a volume with its data.

use futures::FutureExt;
use protocol::VolumeId;
use protocol::api::Volume;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Begun, Nature, Operation, Step, volume};
use crate::app::Result;
use crate::db;
use crate::db::Writer;

/// Which volume.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VolumeDeletion {
    volume: VolumeId,
}

impl Operation for VolumeDeletion {
    const KIND: &'static str = "volume_delete";
    const NATURE: Nature = Nature::Insistent;
    const STEPS: &'static [Step<Self>] = &[
        Step::new("volume_delete", |app, deletion| volume::delete(app, deletion.volume).boxed()),
        Step::new("volume_forget", |app, deletion| volume::forget(app, deletion.volume).boxed()),
    ];
}

impl VolumeDeletion {
    /// The volume is no longer wanted from now on.
    pub(crate) async fn begin(
        tx: &mut Writer,
        volume: &Volume,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, volume.application, now).await?;
        db::volume::set_deleting(tx, volume.id, operation).await?;
        Begun::record(tx, operation, Self { volume: volume.id }).await
    }
}
