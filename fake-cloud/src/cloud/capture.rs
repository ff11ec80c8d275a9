//! Images of servers' disks: the effects of the model's decisions.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use tokio::fs;

use super::images::Content;
use super::{Cloud, Failure, Tree, chain};
use crate::backends::{BackendError, ImageSource, ServerSpec};
use crate::model::life::State;
use crate::model::{Caller, ImageId, ImageStatus, ServerId};

impl Cloud {
    /// Records an image of a server's disk and begins to make it; its status tells when it is done.
    /// As in Nova, one that fails is removed.
    pub(crate) async fn create_image(
        self: &Arc<Self>,
        caller: &Caller,
        server: &str,
        name: String,
        properties: BTreeMap<String, String>,
    ) -> Result<ImageId, Failure> {
        let (begun, written) =
            self.decide(|model, now| model.begin_capture(caller, server, name, properties, now));
        let (image, server) = begun?;
        written.wait().await?;
        let cloud = Arc::clone(self);
        let work = self.spawn(async move { cloud.capture(image, server).await });
        self.wait_a_little(vec![work]).await;
        Ok(image)
    }

    async fn capture(&self, image: ImageId, server: ServerId) {
        let made = self.copy_disk(image, server).await;
        if self.going_down.is_cancelled() {
            return;
        }
        let made = match made {
            Ok((content, ImageSource::Directory { .. })) => match self.unpack_image(image).await {
                Tree::Unpacked(path) => Ok((content, ImageSource::Directory { path })),
                Tree::None => Ok((content, ImageSource::Opaque)),
                Tree::Failed(reason) => Err(BackendError::Image(reason).into()),
            },
            made => made,
        };
        let ((), written) = self.decide(|model, now| match made {
            Ok((content, source)) => {
                let Some(mut record) = model.images.get_mut(image) else { return };
                record.status = ImageStatus::Active;
                record.size = Some(content.size);
                record.md5 = Some(content.md5);
                record.sha512 = Some(content.sha512);
                record.source = source;
                record.updated = now;
            }
            Err(error) => {
                tracing::warn!(%image, %server, error = chain(&error), "failed to make an image");
                model.images.remove(image);
            }
        });
        if let Err(error) = written.wait().await {
            tracing::error!(%image, error = chain(&error), "the outcome is not recorded");
        }
        if self.read().images.get(image).is_none() {
            self.delete_image_content(image).await;
            self.drop_image_trees().await;
        }
    }

    /// Copies the disk while nothing else is done to the server, and its processes stand still;
    /// also gives what the server was made of.
    async fn copy_disk(
        &self,
        image: ImageId,
        server: ServerId,
    ) -> Result<(Content, ImageSource), Failure> {
        let _turn = self.turns.begin(server).await;
        let (spec, runs) = {
            let model = self.read();
            let runs = model.servers.get(server).is_some_and(|it| it.state == State::Active);
            (model.spec(server, &self.api_url), runs)
        };
        let spec = spec.ok_or(BackendError::NoSuchServer(server.0))?;
        fs::create_dir_all(&self.image_dir).await.map_err(Failure::Image)?;
        let archive = self.image_dir.join(format!("{image}.captured"));
        if runs {
            self.backend.pause(server.0, true).await?;
        }
        let captured = self.backend.capture(&spec, &archive, self.most(&spec)).await;
        let resumed = if runs { self.backend.pause(server.0, false).await } else { Ok(()) };
        let kept = match captured.and(resumed) {
            Ok(()) => self.keep_captured(image, &archive).await.map_err(Failure::Image),
            Err(error) => Err(error.into()),
        };
        match fs::remove_file(&archive).await {
            // It was not even begun.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(Failure::Image)?,
        }
        kept.map(|content| (content, spec.image))
    }

    /// How large the image of a server may become: no larger than its disk is said to be.
    fn most(&self, spec: &ServerSpec) -> u64 {
        match spec.disk_gib << 30 {
            0 => self.image_size_max,
            disk => self.image_size_max.min(disk),
        }
    }

    async fn keep_captured(&self, image: ImageId, archive: &Path) -> io::Result<Content> {
        let file = fs::File::open(archive).await?;
        self.keep_image_content(image, file).await
    }
}
