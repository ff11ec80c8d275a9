//! How a server starts: a container is made if it has none, told what it is, and let begin when the
//! network guards it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::body::{self, Origin};
use super::network::Place;
use super::{Inner, gateway, guest, name};
use crate::backends::{BackendError, ImageSource, ServerSpec};

impl Inner {
    pub(super) async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        let name = name(server.id);
        let is_new = self.process(server.id).await?.is_none();
        if is_new {
            // The engine wants it at every start.
            let place = self.places.as_ref().ok().map(|places| places.of(server.id));
            let place =
                place.transpose().map_err(BackendError::step("make a place for volumes"))?;
            match self.engine.inspect(&name).await? {
                Some(container) => self.replace(server, container).await?,
                None => self.create(server, &name, place).await?,
            }
            let archive = guest::archive(server, &self.metadata_url(server))
                .map_err(BackendError::step("make the server's files"))?;
            self.engine.put(&name, archive).await?;
            for volume in &server.volumes {
                self.show(server.id, volume)?;
            }
            self.engine.start(&name).await?;
        }
        let Some(process) = self.process(server.id).await? else {
            let log = self.engine.logs(&name).await.unwrap_or_default();
            let last = log.lines().last().unwrap_or("it printed nothing").to_owned();
            return Err(BackendError::step("keep the container running")(io::Error::other(last)));
        };
        let begun = self.begin(server, process, is_new).await;
        if begun.is_err() {
            self.end(server.id, 0).await?;
        }
        begun
    }

    /// Lets a container that was just started do something, guarded and watched.
    async fn begin(
        &self,
        server: &ServerSpec,
        process: i64,
        is_new: bool,
    ) -> Result<(), BackendError> {
        self.secure(server, process).await?;
        self.running().insert(server.id, Place::of(server));
        self.ports.started(server.fixed_ip, process, Arc::clone(&self.watcher));
        if is_new { self.engine.let_begin(&name(server.id)).await } else { Ok(()) }
    }

    async fn create(
        &self,
        server: &ServerSpec,
        name: &str,
        place: Option<PathBuf>,
    ) -> Result<(), BackendError> {
        let ImageSource::Directory { path } = &server.image else {
            let reason = "a container needs a root file system: choose an image that `fake-cloud \
                          image build` made, or upload the archive of one";
            return Err(BackendError::Image(reason.to_owned()));
        };
        let image = {
            let _one = self.importing.lock().await;
            self.engine.ensure_image(path).await?
        };
        let origin = Origin {
            cloud: &self.cloud,
            state_dir: &self.settings.state_dir,
            network: &self.network,
        };
        self.engine.create(name, body::body(server, image, place.as_deref(), &origin)).await
    }

    /// As containers reach it: at their gateway.
    fn metadata_url(&self, server: &ServerSpec) -> String {
        let path = server.metadata_url.splitn(4, '/').nth(3).unwrap_or_default();
        let (gateway, port) = (gateway(self.settings.block), self.settings.api.port());
        format!("http://{gateway}:{port}/{path}")
    }
}
