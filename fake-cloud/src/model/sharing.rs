//! Images that are shared with other projects, one by one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::{Caller, Image, ImageStatus, Model, ProjectId, Visibility};

/// A project that an image is shared with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The project.
    pub project_id: ProjectId,
    /// What the project thinks of it.
    pub status: MemberStatus,
    /// Since when it is shared.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When the project last thought otherwise.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// What a project thinks of an image that is shared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// Nothing yet.
    Pending,
    /// It is listed among its images.
    Accepted,
    /// It is not to be listed.
    Rejected,
}

impl Image {
    /// The membership of a project.
    pub fn member(&self, project: ProjectId) -> Option<&Member> {
        self.members.iter().find(|member| member.project_id == project)
    }

    /// The memberships that a caller may see: all for the owner, else their own.
    pub fn members_seen_by(&self, caller: &Caller) -> impl Iterator<Item = &Member> {
        let (all, own) = (self.writable_by(caller), caller.project_id);
        self.members.iter().filter(move |member| all || Some(member.project_id) == own)
    }
}

impl Model {
    /// Shares an image with a project.
    pub fn share_image(
        &mut self,
        caller: &Caller,
        id: &str,
        project: ProjectId,
        now: OffsetDateTime,
    ) -> Result<Member, Error> {
        let mut image = self.image_to_change(caller, id)?;
        if image.visibility != Visibility::Shared {
            return Err(Error::Forbidden("Only shared images have members.".to_owned()));
        }
        if image.member(project).is_some() {
            return Err(Error::Conflict(format!(
                "The target member {project} is already associated with image {id}."
            )));
        }
        let status = MemberStatus::Pending;
        let member = Member { project_id: project, status, created: now, updated: now };
        image.members.push(member.clone());
        image.updated = now;
        Ok(member)
    }

    /// Records what a project thinks of an image that is shared with it.
    pub fn judge_image(
        &mut self,
        caller: &Caller,
        id: &str,
        project: ProjectId,
        status: MemberStatus,
        now: OffsetDateTime,
    ) -> Result<Member, Error> {
        let image = self.image(caller, id)?;
        let image_id = image.id;
        if image.members_seen_by(caller).all(|member| member.project_id != project) {
            return Err(Error::not_found(Kind::ImageMember, project));
        }
        if !caller.is_admin && caller.project_id != Some(project) {
            return Err(Error::Forbidden(format!(
                "Not allowed to modify the status of member {project} of image {id}."
            )));
        }
        let mut image = self.images.get_mut(image_id);
        let members = image.as_mut().map(|image| image.members.iter_mut()).into_iter().flatten();
        let mut members = members.filter(|member| member.project_id == project);
        let member = members.next().ok_or_else(|| Error::not_found(Kind::ImageMember, project))?;
        member.status = status;
        member.updated = now;
        Ok(member.clone())
    }

    /// Shares an image no longer.
    pub fn unshare_image(
        &mut self,
        caller: &Caller,
        id: &str,
        project: ProjectId,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut image = self.image_to_change(caller, id)?;
        if image.member(project).is_none() {
            return Err(Error::not_found(Kind::ImageMember, project));
        }
        image.members.retain(|member| member.project_id != project);
        image.updated = now;
        Ok(())
    }

    /// Keeps servers from being made from an image, or lets them again.
    pub fn activate_image(
        &mut self,
        caller: &Caller,
        id: &str,
        active: bool,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut image = self.image_to_change(caller, id)?;
        let to = if active { ImageStatus::Active } else { ImageStatus::Deactivated };
        match image.status {
            ImageStatus::Active | ImageStatus::Deactivated => {
                image.status = to;
                image.updated = now;
                Ok(())
            }
            status @ (ImageStatus::Queued | ImageStatus::Saving | ImageStatus::Uploading) => {
                Err(Error::Forbidden(format!(
                    "Not allowed to {} image in status '{}'",
                    if active { "reactivate" } else { "deactivate" },
                    status.name()
                )))
            }
        }
    }
}
