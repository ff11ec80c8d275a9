//! Resizing: a server gets another flavor, and its owner keeps it or goes back.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::creation::check_fit;
use super::error::Error;
use super::life::{Request, Task};
use super::{Caller, Flavor, Model, ServerId};

/// What a server was before it was resized.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resize {
    /// Its flavor.
    pub flavor: Flavor,
    /// Whether it was off.
    pub off: bool,
}

impl Model {
    /// Begins to give a server another flavor, which counts against the quota from now on.
    pub fn resize_server(
        &mut self,
        caller: &Caller,
        id: &str,
        flavor: &str,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(ServerId, Task), Error> {
        let server = self.server(caller, id)?;
        server.check_request(caller, Request::Resize)?;
        let missing = |_| Error::Invalid(format!("Flavor {flavor} could not be found."));
        let flavor = self.flavor(caller, flavor).map_err(missing)?.clone();
        if flavor.id == server.flavor.id {
            return Err(Error::Invalid("When resizing, instances must change flavor!".to_owned()));
        }
        if let Some(image) = self.images.get(server.image_id) {
            check_fit(&flavor, image)?;
        }
        self.check_flavor_change(server, &flavor)?;
        let begun = self.begin(caller, id, Request::Resize, request_id, now)?;
        if let Some(mut server) = self.servers.get_mut(begun.0) {
            let off = server.is_off();
            let flavor = std::mem::replace(&mut server.flavor, flavor);
            server.resize = Some(Resize { flavor, off });
        }
        Ok(begun)
    }
}
