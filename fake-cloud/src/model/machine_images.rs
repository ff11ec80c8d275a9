//! What EC2 knows of an image besides what both APIs know: machine images have volumes, launch
//! permissions and copies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::Error;
use super::{
    Caller, Image, ImageId, Member, MemberStatus, Model, Performance, ProjectId, ServerId,
    Snapshot, SnapshotId, Visibility,
};

/// Properties by which Nova marks images of servers; they are no tags of EC2.
pub const CAPTURE_PROPERTIES: [&str; 4] =
    ["instance_uuid", "base_image_ref", "image_type", LAYER_OF];

/// The property of an image that is not a whole root directory: which one it is a layer above.
pub(super) const LAYER_OF: &str = "layer_of";

/// What may be set of an image in EC2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageOptions {
    /// What its owner says of it.
    pub description: Option<String>,
    /// The server whose disk it is of.
    pub source_server: Option<ServerId>,
    /// The image that it is a copy of.
    pub source_image: Option<ImageId>,
    /// The volumes that instances of it start with.
    pub volumes: Vec<ImageVolume>,
}

/// A volume that instances of an image start with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageVolume {
    /// The name of the device, without a path.
    pub device: String,
    /// What is on it at first; nothing when not given.
    pub snapshot_id: Option<SnapshotId>,
    /// How large it is, in GiB.
    pub size_gib: u64,
    /// What its owner says of its speed.
    pub performance: Performance,
    /// Whether it is removed with the instance.
    pub delete_on_termination: bool,
}

/// Who may make instances of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchPermission {
    /// Everyone.
    Everyone,
    /// This project.
    Project(ProjectId),
}

impl Image {
    /// Who may make instances of it besides its owner.
    pub fn launch_permissions(&self) -> Vec<LaunchPermission> {
        let everyone = matches!(self.visibility, Visibility::Public | Visibility::Community);
        let everyone = everyone.then_some(LaunchPermission::Everyone);
        let members = self.members.iter().map(|it| LaunchPermission::Project(it.project_id));
        everyone.into_iter().chain(members).collect()
    }

    /// Gives a permission, or takes it back.
    fn permit(&mut self, permission: LaunchPermission, allowed: bool, now: OffsetDateTime) {
        match permission {
            LaunchPermission::Everyone => {
                self.visibility = if allowed { Visibility::Public } else { Visibility::Shared };
            }
            LaunchPermission::Project(project_id) => {
                self.members.retain(|member| member.project_id != project_id);
                if allowed {
                    // In EC2 nobody is asked whether they want to see it.
                    let status = MemberStatus::Accepted;
                    self.members.push(Member { project_id, status, created: now, updated: now });
                }
                if self.visibility == Visibility::Private {
                    self.visibility = Visibility::Shared;
                }
            }
        }
        self.updated = now;
    }
}

impl Model {
    /// Gives permissions to make instances of an image, and takes others back.
    pub fn change_launch_permissions(
        &mut self,
        caller: &Caller,
        id: &str,
        changes: &[(LaunchPermission, bool)],
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut image = self.image_to_change(caller, id)?;
        for (permission, allowed) in changes {
            image.permit(*permission, *allowed, now);
        }
        Ok(())
    }

    /// The record of an image with the content of another, which must be there.
    pub fn copy_of_image(
        &self,
        caller: &Caller,
        owner: ProjectId,
        source: &str,
        name: String,
        now: OffsetDateTime,
    ) -> Result<Image, Error> {
        let source = self.active_image(caller, source)?;
        Ok(Image {
            id: ImageId::random(),
            name: Some(name),
            owner,
            visibility: Visibility::Private,
            protected: false,
            hidden: false,
            members: Vec::new(),
            properties: BTreeMap::new(),
            tags: Vec::new(),
            options: ImageOptions {
                description: None,
                source_image: Some(source.id),
                ..source.options.clone()
            },
            created: now,
            updated: now,
            ..source.clone()
        })
    }

    /// A snapshot that the caller may see, or that instances of an image start with which they
    /// may see.
    pub(super) fn snapshot_to_use(&self, caller: &Caller, id: &str) -> Result<&Snapshot, Error> {
        let of_image = |snapshot: &&Snapshot| {
            self.image_of_snapshot(snapshot.id).is_some_and(|image| image.visible_to(caller))
        };
        self.snapshot(caller, id).or_else(|missing| {
            let snapshot = id.parse().ok().and_then(|id| self.snapshots.get(id));
            snapshot.filter(of_image).ok_or(missing)
        })
    }

    /// The image that needs a snapshot.
    pub fn image_of_snapshot(&self, snapshot: SnapshotId) -> Option<&Image> {
        let needs = |volume: &ImageVolume| volume.snapshot_id == Some(snapshot);
        self.images.iter().find(|image| image.options.volumes.iter().any(needs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageStatus;
    use crate::model::tests::{NOW, model};

    #[test]
    fn permissions_are_what_glance_calls_members() {
        let (mut model, caller) = model();
        let source = model.images.iter().next().unwrap().id.to_string();
        let owner = caller.project_id.unwrap();
        let copy = model.copy_of_image(&caller, owner, &source, "copy".to_owned(), NOW).unwrap();
        assert_eq!((copy.status, copy.protected), (ImageStatus::Active, false));
        let (id, text) = (copy.id, copy.id.to_string());
        model.images.insert(copy);
        let other = ProjectId::random();
        let mut change = |permission, allowed| {
            let changes = [(permission, allowed)];
            model.change_launch_permissions(&caller, &text, &changes, NOW).unwrap();
            let image = model.images.get(id).unwrap();
            (image.visibility, image.launch_permissions())
        };
        let member = LaunchPermission::Project(other);
        assert_eq!(change(member, true), (Visibility::Shared, vec![member]));
        assert_eq!(change(member, true).1, [member], "once is enough");
        let everyone = LaunchPermission::Everyone;
        assert_eq!(change(everyone, true), (Visibility::Public, vec![everyone, member]));
        assert_eq!(change(everyone, false), (Visibility::Shared, vec![member]));
        assert_eq!(change(member, false).1, []);
    }
}
