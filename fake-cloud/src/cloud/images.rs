//! The content of uploaded images: one file each.

use std::path::{Path, PathBuf};

use md5::Md5;
use sha2::{Digest, Sha512};
use time::OffsetDateTime;
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{Cloud, Failure, chain};
use crate::model::{Caller, Error, Image, ImageId, Model};

/// What is known of content once it is kept.
#[derive(Debug)]
pub(crate) struct Content {
    /// Its bytes.
    pub(crate) size: u64,
    /// Its MD5.
    pub md5: String,
    /// Its SHA-512.
    pub sha512: String,
}

impl Cloud {
    /// Keeps the content of an image: wholly, or not at all.
    pub(crate) async fn keep_image_content(
        &self,
        id: ImageId,
        content: impl AsyncRead + Unpin,
    ) -> std::io::Result<Content> {
        fs::create_dir_all(&self.image_dir).await?;
        let partial = self.image_dir.join(format!("{id}.partial"));
        let kept = self.receive(&partial, content).await;
        let kept = match kept {
            Ok(kept) => fs::rename(&partial, self.image_content_path(id)).await.map(|()| kept),
            Err(error) => Err(error),
        };
        if kept.is_err()
            && let Err(error) = fs::remove_file(&partial).await
        {
            tracing::warn!(image = %id, error = chain(&error), "a part of its content stays");
        }
        kept
    }

    async fn receive(
        &self,
        partial: &Path,
        mut content: impl AsyncRead + Unpin,
    ) -> std::io::Result<Content> {
        let mut file = File::create(partial).await?;
        let (mut md5, mut sha512, mut size) = (Md5::new(), Sha512::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = content.read(&mut buffer).await?;
            if length == 0 {
                break;
            }
            let chunk = &buffer[..length];
            md5.update(chunk);
            sha512.update(chunk);
            size += length as u64;
            if size > self.image_size_max {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            file.write_all(chunk).await?;
        }
        file.sync_all().await?;
        Ok(Content {
            size,
            md5: format!("{:x}", md5.finalize()),
            sha512: format!("{:x}", sha512.finalize()),
        })
    }

    /// Makes an image with the content of another.
    pub(crate) async fn copy_image(
        &self,
        caller: &Caller,
        source: ImageId,
        copy: impl FnOnce(&Model, OffsetDateTime) -> Result<Image, Error>,
    ) -> Result<ImageId, Failure> {
        let image = copy(&self.read(), self.now())?;
        let id = image.id;
        // Content never changes: both have the same file.
        let (from, to) = (self.image_content_path(source), self.image_content_path(id));
        match fs::hard_link(from, to).await {
            // What the cloud offers by itself has no content of its own.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            linked => linked.map_err(Failure::Image)?,
        }
        let recorded = self.change(|model, _| {
            // The source may be gone by now, and its tree with it.
            model.active_image(caller, &source.to_string())?;
            model.images.insert(image);
            Ok::<_, Failure>(id)
        });
        let recorded = recorded.await;
        if recorded.is_err() {
            self.delete_image_content(id).await;
        }
        recorded
    }

    /// Opens the content of an image.
    pub(crate) async fn image_content(&self, id: ImageId) -> std::io::Result<File> {
        File::open(self.image_content_path(id)).await
    }

    /// Removes the content of an image that is gone; what stays is removed at the next start.
    pub(crate) async fn delete_image_content(&self, id: ImageId) {
        let _allowed = self.removals.read().await;
        match fs::remove_file(self.image_content_path(id)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(image = %id, error = chain(&error), "its content could not be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Removes content that no image has: left by an upload or a removal that was cut short.
    pub(super) async fn tidy_image_contents(&self) -> std::io::Result<()> {
        let mut files = match fs::read_dir(&self.image_dir).await {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        while let Some(file) = files.next_entry().await? {
            if file.file_type().await?.is_dir() {
                continue;
            }
            let name = file.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            let known = id.is_some_and(|id| self.read().images.get(id).is_some());
            if !known {
                fs::remove_file(file.path()).await?;
            }
        }
        self.tidy_image_trees().await
    }

    /// Where the content of an image is, or will be.
    pub(super) fn image_content_path(&self, id: ImageId) -> PathBuf {
        self.image_dir.join(id.to_string())
    }
}
