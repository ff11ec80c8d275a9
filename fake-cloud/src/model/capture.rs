//! Images of servers' disks: every decision, without copying anything.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::catalogue::{Image, ImageStatus, Visibility};
use super::error::Error;
use super::life::State;
use super::machine_images::LAYER_OF;
use super::{Caller, ImageId, ImageOptions, Model, Server, ServerId};
use crate::backends::ImageSource;

impl Model {
    /// Records an image that is to be made of a server's disk.
    pub fn begin_capture(
        &mut self,
        caller: &Caller,
        server: &str,
        name: String,
        properties: BTreeMap<String, String>,
        now: OffsetDateTime,
    ) -> Result<(ImageId, ServerId), Error> {
        let server = self.server(caller, server)?;
        check_capture(server)?;
        let of_server = [
            ("instance_uuid", server.id.to_string()),
            ("base_image_ref", server.image_id.to_string()),
            ("image_type", "snapshot".to_owned()),
        ];
        let mut all: BTreeMap<_, _> =
            of_server.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if matches!(server.image_source, ImageSource::Host { .. }) {
            all.insert(LAYER_OF.to_owned(), "host".to_owned());
        }
        all.extend(properties);
        let image = Image {
            id: ImageId::random(),
            name: Some(name),
            owner: server.project_id,
            visibility: Visibility::Private,
            status: ImageStatus::Saving,
            disk_format: Some("raw".to_owned()),
            container_format: Some("bare".to_owned()),
            min_ram: 0,
            min_disk: server.flavor.disk_gib,
            protected: false,
            hidden: false,
            size: None,
            md5: None,
            sha512: None,
            properties: all,
            tags: vec![],
            members: Vec::new(),
            source: ImageSource::Opaque,
            options: ImageOptions { source_server: Some(server.id), ..ImageOptions::default() },
            created: now,
            updated: now,
        };
        let ids = (image.id, server.id);
        self.images.insert(image);
        Ok(ids)
    }
}

/// Refuses to make an image of a server that something else is being done to.
pub fn check_capture(server: &Server) -> Result<(), Error> {
    let obstacle = match (server.task, server.state) {
        (Some(task), _) => format!("task_state {}", task.name()),
        (None, State::Active | State::Paused | State::Stopped | State::Suspended) => return Ok(()),
        (None, state) => format!("vm_state {}", state.vm_state()),
    };
    let id = server.id;
    Err(Error::Conflict(format!("Cannot 'createImage' instance {id} while it is in {obstacle}")))
}
