//! Rebuilding: a server gets a new disk from an image and keeps its id, addresses and volumes.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::creation::{check_fit, check_user_data};
use super::error::Error;
use super::life::{Request, Task};
use super::server::host_name;
use super::{Caller, Model, ServerId};

/// What is wanted of a rebuilt server; what is not said stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// The id of the image.
    pub image: String,
    /// Whether a server that boots from a volume may get another image there.
    pub reimage: bool,
    /// A new name.
    pub name: Option<String>,
    /// What it calls itself.
    pub hostname: Option<String>,
    /// A new description, or none.
    pub description: Option<Option<String>>,
    /// New free-form properties.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The name of another key pair of the caller, or none.
    pub key_name: Option<Option<String>>,
    /// Other user-data in base64, or none.
    pub user_data: Option<Option<String>>,
}

impl Model {
    /// Begins to give a server a new disk.
    pub fn rebuild_server(
        &mut self,
        caller: &Caller,
        id: &str,
        wanted: Rebuild,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(ServerId, Task), Error> {
        let server = self.server(caller, id)?;
        server.check_request(caller, Request::Rebuild)?;
        let key = match &wanted.key_name {
            None => None,
            Some(None) => Some(None),
            Some(Some(name)) => {
                let invalid = |_| Error::Invalid("Invalid key_name provided.".to_owned());
                let key = self.key_pair(caller.user_id, name).map_err(invalid)?;
                Some(Some((key.name.clone(), key.public_key.clone())))
            }
        };
        let missing = |error| match error {
            Error::NotFound { .. } => Error::Invalid("Cannot find image for rebuild".to_owned()),
            other => other,
        };
        let image = self.active_image(caller, &wanted.image).map_err(missing)?;
        if server.volume_backed && !wanted.reimage && image.id != server.image_id {
            let id = image.id;
            return Err(Error::Invalid(format!(
                "Image {id} is unacceptable: Unable to rebuild with a different image for a \
                 volume-backed server."
            )));
        }
        check_fit(&server.flavor, image)?;
        check_user_data(wanted.user_data.as_ref().and_then(Option::as_deref))?;
        if let Some(metadata) = &wanted.metadata {
            self.check_metadata(server.project_id, metadata)?;
        }
        let (image_id, source) = (image.id, image.source.clone());
        let begun = self.begin(caller, id, Request::Rebuild, request_id, now)?;
        let Some(mut server) = self.servers.get_mut(begun.0) else { return Ok(begun) };
        server.image_id = image_id;
        server.image_source = source;
        let Rebuild { name, hostname, description, metadata, user_data, .. } = wanted;
        server.name = name.unwrap_or_else(|| std::mem::take(&mut server.name));
        if let Some(hostname) = hostname {
            server.hostname = host_name(&hostname);
        }
        server.description = description.unwrap_or_else(|| server.description.take());
        server.metadata = metadata.unwrap_or_else(|| std::mem::take(&mut server.metadata));
        server.key = key.unwrap_or_else(|| server.key.take());
        server.user_data = user_data.unwrap_or_else(|| server.user_data.take());
        Ok(begun)
    }
}
