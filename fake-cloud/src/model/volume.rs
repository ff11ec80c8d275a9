//! Records of volumes and of their snapshots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::index::{Index, Places, Step, Totals};
use super::table::record;
use super::volumes::data_source;
use super::{
    ClientToken, ImageId, ProjectId, ServerId, SnapshotId, UserId, VolumeId, VolumeTypeId,
};

/// What a volume or a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    /// Its data is being made.
    Creating,
    /// It is there, and no server has it.
    Available,
    /// It is being shown to a server.
    Attaching,
    /// A server has it.
    InUse,
    /// It is being taken from a server.
    Detaching,
    /// It gets the data of a snapshot again.
    Reverting,
    /// It is offered to another project.
    AwaitingTransfer,
    /// Its data is being removed.
    Deleting,
    /// Its data could not be made or removed.
    Error,
}

impl VolumeState {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Attaching => "attaching",
            Self::InUse => "in-use",
            Self::Detaching => "detaching",
            Self::Reverting => "reverting",
            Self::AwaitingTransfer => "awaiting-transfer",
            Self::Deleting => "deleting",
            Self::Error => "error",
        }
    }
}

/// A volume: data that outlives servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// Whose quota it counts against.
    pub project_id: ProjectId,
    /// Who made it.
    pub user_id: UserId,
    /// Its name; several volumes may share one.
    pub name: Option<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// How large it is, in GiB.
    pub size_gib: u64,
    /// Free-form properties.
    pub metadata: BTreeMap<String, String>,
    /// The snapshot that it was made from.
    pub snapshot_id: Option<SnapshotId>,
    /// The volume that it was made from.
    pub source_id: Option<VolumeId>,
    /// The image that its content comes from: servers can boot from it.
    #[serde(default)]
    pub image_id: Option<ImageId>,
    /// Its type.
    #[serde(default = "default_type")]
    pub type_id: VolumeTypeId,
    /// Whether its owner says that servers can boot from it, whatever its content.
    #[serde(default)]
    pub bootable: Option<bool>,
    /// What its owner says of the image that its content is.
    #[serde(default)]
    pub image_metadata: BTreeMap<String, String>,
    /// The snapshot that it goes back to.
    #[serde(default)]
    pub reverting_to: Option<SnapshotId>,
    /// What it is.
    pub state: VolumeState,
    /// The server that has it, or that it is made for.
    pub attachment: Option<Attachment>,
    /// The request that made it, when it said which one it was.
    #[serde(default)]
    pub client_token: Option<ClientToken>,
    /// What its owner says of its speed.
    #[serde(default)]
    pub performance: Performance,
    /// How it was before it was last made larger or called faster.
    #[serde(default)]
    pub modification: Option<Modification>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub updated: Option<OffsetDateTime>,
}

/// The type of volumes that were written down before there were any.
fn default_type() -> VolumeTypeId {
    VolumeTypeId::DEFAULT
}

/// The speed that EC2's clients give a volume: kept and shown, since all volumes of this cloud are
/// equally fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performance {
    /// The volume's type, as in `gp3`.
    pub volume_type: String,
    /// Operations a second.
    pub iops: Option<u32>,
    /// MiB a second.
    pub throughput: Option<u32>,
}

impl Default for Performance {
    fn default() -> Self {
        Self { volume_type: "gp2".to_owned(), iops: None, throughput: None }
    }
}

/// A change of a volume's size or speed: what was before, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modification {
    /// The size before, in GiB.
    pub size_gib: u64,
    /// The speed before.
    pub performance: Performance,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// How a server has a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Names this attachment in Cinder.
    pub id: Uuid,
    /// Names it in Nova.
    pub mapping_id: Uuid,
    /// The server.
    pub server_id: ServerId,
    /// The name of the device, without a path.
    pub device: String,
    /// What the owner calls it inside the server.
    pub tag: Option<String>,
    /// Whether the volume is removed with the server.
    pub delete_on_termination: bool,
    /// When it was attached.
    #[serde(with = "time::serde::rfc3339")]
    pub attached: OffsetDateTime,
}

/// A snapshot: a copy of a volume's data that does not change any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Whose quota it counts against.
    pub project_id: ProjectId,
    /// Who made it.
    pub user_id: UserId,
    /// The volume that it is of.
    pub volume_id: VolumeId,
    /// Its name; several snapshots may share one.
    pub name: Option<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// How large the volume was, in GiB.
    pub size_gib: u64,
    /// The image that the volume's content came from.
    #[serde(default)]
    pub image_id: Option<ImageId>,
    /// Free-form properties.
    pub metadata: BTreeMap<String, String>,
    /// What it is.
    pub state: VolumeState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub updated: Option<OffsetDateTime>,
}

/// What is wanted of a new volume or snapshot.
#[derive(Debug, Clone, Default)]
pub struct NewVolume {
    /// Its name.
    pub name: Option<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Its size in GiB, that of its source when not given.
    pub size_gib: Option<u64>,
    /// Free-form properties.
    pub metadata: BTreeMap<String, String>,
    /// The snapshot to make it from.
    pub snapshot: Option<String>,
    /// The volume to make it from.
    pub source: Option<String>,
    /// The image to make it from.
    pub image: Option<String>,
    /// The id or the name of its type, the usual one when not given.
    pub kind: Option<String>,
    /// Names the request; the volume it has made is given when it comes again.
    pub client_token: Option<ClientToken>,
    /// What its owner says of its speed.
    pub performance: Performance,
}

/// What becomes of the snapshots of a volume that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// A volume that has any is not removed.
    Refuse,
    /// They are removed with it.
    Remove,
    /// They stay.
    Keep,
}

record!(Volume, VolumeId, "volume", VolumeIndex);

/// What is known of all volumes together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct VolumeIndex {
    /// How many each project has.
    pub projects: Totals<ProjectId>,
    /// The sizes of each project's, in GiB.
    pub sizes: Totals<ProjectId>,
    /// Them by id.
    pub ids: Places<VolumeId>,
    /// Them by what they are.
    pub states: Places<VolumeState>,
    /// Them by the server that has them.
    pub servers: Places<ServerId>,
    /// Them by the project and the name of the request that made them.
    pub requests: Places<(ProjectId, String)>,
    /// Those that are being made or go back, by the volume or snapshot whose data they get.
    pub copies: Places<Uuid>,
}

impl Index<Volume> for VolumeIndex {
    fn take(&mut self, step: Step, place: u64, volume: &Volume) {
        self.projects.take(step, volume.project_id, 1);
        self.sizes.take(step, volume.project_id, volume.size_gib);
        self.ids.take(step, place, volume.id);
        self.states.take(step, place, volume.state);
        if let Some(attachment) = &volume.attachment {
            self.servers.take(step, place, attachment.server_id);
        }
        if let Some(request) = &volume.client_token {
            self.requests.take(step, place, (volume.project_id, request.token.clone()));
        }
        if let (VolumeState::Creating, Some(source)) = (volume.state, data_source(volume)) {
            self.copies.take(step, place, source);
        }
        if let Some(snapshot) = volume.reverting_to {
            self.copies.take(step, place, snapshot.into());
        }
    }
}

record!(Snapshot, SnapshotId, "snapshot", SnapshotIndex);

/// What is known of all snapshots together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SnapshotIndex {
    /// How many each project has.
    pub projects: Totals<ProjectId>,
    /// The sizes of each project's, in GiB.
    pub sizes: Totals<ProjectId>,
    /// Them by id.
    pub ids: Places<SnapshotId>,
    /// Them by volume.
    pub volumes: Places<VolumeId>,
}

impl Index<Snapshot> for SnapshotIndex {
    fn take(&mut self, step: Step, place: u64, snapshot: &Snapshot) {
        self.projects.take(step, snapshot.project_id, 1);
        self.sizes.take(step, snapshot.project_id, snapshot.size_gib);
        self.ids.take(step, place, snapshot.id);
        self.volumes.take(step, place, snapshot.volume_id);
    }
}
