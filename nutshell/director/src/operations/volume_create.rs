//! Makes a volume for a node and attaches it there.

use futures::FutureExt;
use protocol::VolumeId;
use protocol::api::Node;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Begun, Nature, Operation, Step, volume};
use crate::app::Result;
use crate::db;
use crate::db::Writer;
use crate::db::volume::NewVolume;

/// Which volume.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VolumeCreation {
    pub(crate) volume: VolumeId,
}

impl Operation for VolumeCreation {
    const KIND: &'static str = "volume_create";
    const NATURE: Nature = Nature::Unwound;
    const STEPS: &'static [Step<Self>] = &[
        Step::recorded("volume_record", |app, creation, _| {
            volume::forget(app, creation.volume).boxed()
        }),
        Step::undoable(
            "volume_create",
            |app, creation| volume::create(app, creation.volume).boxed(),
            |app, creation, _| volume::delete(app, creation.volume).boxed(),
        ),
        // Undone by the deletion, which detaches first.
        Step::new("volume_attach", |app, creation| volume::attach(app, creation.volume).boxed()),
    ];
}

impl VolumeCreation {
    /// Records the volume.
    pub(crate) async fn begin(
        tx: &mut Writer,
        node: &Node,
        name: &str,
        size_mib: u64,
        now: OffsetDateTime,
    ) -> Result<Begun<Self>> {
        let operation = super::insert::<Self>(tx, node.application, now).await?;
        let new = NewVolume { node: node.id, name, size_mib, operation };
        let volume = db::volume::insert(tx, &new, now).await?;
        Begun::record(tx, operation, Self { volume }).await
    }
}
