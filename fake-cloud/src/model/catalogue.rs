//! What servers are made from: images and key pairs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::quota::{self, Demand};
use super::table::{Changing, record};
use super::{Caller, ImageId, ImageOptions, KeyPairId, Member, Model, ProjectId, UserId};
use crate::backends::ImageSource;
use crate::key_material::PublicKey;

/// Who may see an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everyone.
    Public,
    /// Everyone who knows its id.
    Community,
    /// Its owner, and those it is shared with.
    Shared,
    /// Its owner.
    Private,
}

/// Where an image is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageStatus {
    /// It is announced and has no content yet.
    Queued,
    /// Its content is being received.
    Saving,
    /// Its content is there, to be imported.
    Uploading,
    /// Servers can be made from it.
    Active,
    /// Servers could be made from it, if it were not kept from that.
    Deactivated,
}

impl ImageStatus {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Saving => "saving",
            Self::Uploading => "uploading",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
        }
    }
}

/// What a server's disk is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: Option<String>,
    /// Whose it is.
    pub owner: ProjectId,
    /// Who may see it.
    pub visibility: Visibility,
    /// Where it is in its life.
    pub status: ImageStatus,
    /// The format of its content.
    pub disk_format: Option<String>,
    /// What its content is wrapped in.
    pub container_format: Option<String>,
    /// Memory in MiB that a server of it needs.
    pub min_ram: u64,
    /// Disk in GiB that a server of it needs.
    pub min_disk: u64,
    /// Whether it may not be deleted.
    pub protected: bool,
    /// Whether lists leave it out.
    pub hidden: bool,
    /// Bytes of its content.
    pub size: Option<u64>,
    /// MD5 of its content, for clients that still want it.
    pub md5: Option<String>,
    /// SHA-512 of its content.
    pub sha512: Option<String>,
    /// Whom it is shared with.
    pub members: Vec<Member>,
    /// Free-form properties.
    pub properties: BTreeMap<String, String>,
    /// Free-form labels.
    pub tags: Vec<String>,
    /// What a backend makes of it.
    pub source: ImageSource,
    /// What is set of it in EC2.
    #[serde(default)]
    pub options: ImageOptions,
    /// When it was announced.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// A public key under a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyPair {
    /// Its id.
    pub id: KeyPairId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its name, unique among the user's.
    pub name: String,
    /// The public key, as in `authorized_keys`.
    pub public_key: String,
    /// MD5 of the key, as `ssh-keygen -E md5` shows it.
    pub fingerprint: String,
    /// What EC2 shows of a pair that the cloud made, where the public key does not tell it.
    #[serde(default)]
    pub private_digest: Option<String>,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

impl Image {
    /// Whether this caller may see it and make servers from it.
    pub fn visible_to(&self, caller: &Caller) -> bool {
        match self.visibility {
            Visibility::Public | Visibility::Community => true,
            Visibility::Shared => {
                let member = caller.project_id.and_then(|project| self.member(project));
                self.writable_by(caller) || member.is_some()
            }
            Visibility::Private => self.writable_by(caller),
        }
    }

    /// Whether this caller may change it.
    pub fn writable_by(&self, caller: &Caller) -> bool {
        caller.is_admin || caller.project_id == Some(self.owner)
    }
}

impl Model {
    /// An image that the caller may see.
    pub fn image(&self, caller: &Caller, id: &str) -> Result<&Image, Error> {
        let found = id.parse().ok().and_then(|id| self.images.get(id));
        found
            .filter(|image| image.visible_to(caller))
            .ok_or_else(|| Error::not_found(Kind::Image, id))
    }

    /// An image that the caller may change.
    pub fn image_to_change(
        &mut self,
        caller: &Caller,
        id: &str,
    ) -> Result<Changing<'_, Image>, Error> {
        let image = self.image(caller, id)?;
        if !image.writable_by(caller) {
            return Err(Error::Forbidden(format!(
                "You are not authorized to complete this action on image {id}."
            )));
        }
        let id = image.id;
        self.images.get_mut(id).ok_or_else(|| Error::not_found(Kind::Image, id))
    }

    /// Images whose content was being received when the cloud went away wait for it again.
    pub(super) fn requeue_cut_uploads(&mut self) {
        let cut = self.images.iter().filter(|image| image.status == ImageStatus::Saving);
        for id in cut.map(|image| image.id).collect::<Vec<_>>() {
            if let Some(mut image) = self.images.get_mut(id) {
                image.status = ImageStatus::Queued;
            }
        }
    }

    /// Removes an image; servers made from it keep their disks.
    pub fn delete_image(&mut self, caller: &Caller, id: &str) -> Result<ImageId, Error> {
        let image = self.image_to_change(caller, id)?;
        if image.protected {
            return Err(Error::Forbidden(format!(
                "Image {id} is protected and cannot be deleted."
            )));
        }
        let id = image.id;
        drop(image);
        self.images.remove(id);
        Ok(id)
    }

    /// The user's key pair with this name.
    pub fn key_pair(&self, user: UserId, name: &str) -> Result<&KeyPair, Error> {
        self.key_pairs
            .iter()
            .find(|key| key.user_id == user && key.name == name)
            .ok_or_else(|| Error::not_found(Kind::KeyPair, name))
    }

    /// Adds a key pair.
    pub fn create_key_pair(
        &mut self,
        caller: &Caller,
        name: &str,
        public_key: &str,
        now: OffsetDateTime,
    ) -> Result<KeyPair, Error> {
        let user_id = caller.user_id;
        self.check_new_key_pair(caller, name)?;
        let key = PublicKey::read(public_key).ok_or_else(|| {
            Error::Invalid("Keypair data is invalid: failed to generate fingerprint".to_owned())
        })?;
        let key = KeyPair {
            id: KeyPairId::random(),
            user_id,
            name: name.to_owned(),
            public_key: public_key.to_owned(),
            fingerprint: key.fingerprint(),
            private_digest: None,
            tags: BTreeMap::new(),
            created: now,
        };
        self.key_pairs.insert(key.clone());
        Ok(key)
    }

    /// Refuses a key pair for which there is no name or no room.
    pub fn check_new_key_pair(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let user_id = caller.user_id;
        if self.key_pair(user_id, name).is_ok() {
            return Err(Error::Conflict(format!("Key pair '{name}' already exists.")));
        }
        let quotas = caller.project_id.map_or(self.default_quotas, |id| self.quotas(id));
        let used = self.key_pairs.iter().filter(|key| key.user_id == user_id).count() as u64;
        let limit = quotas.key_pairs;
        quota::check(&[Demand { resource: "key_pairs", used, requested: 1, limit }])
    }

    /// Removes the user's key pair with this name.
    pub fn delete_key_pair(&mut self, user: UserId, name: &str) -> Result<(), Error> {
        let id = self.key_pair(user, name)?.id;
        self.key_pairs.remove(id);
        Ok(())
    }
}

record!(Image, ImageId, "image");

record!(KeyPair, KeyPairId, "key_pair");
