//! Locks: a server that its owner or the administrator has locked is changed by nobody but the
//! administrator.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::Error;
use super::server::Server;
use super::{Caller, Model};

/// A lock on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Whether someone of the server's own project has locked it; the owner opens no other lock.
    pub by_owner: bool,
    /// Why, in their words.
    pub reason: Option<String>,
}

impl Server {
    /// Refuses a caller whom the server's lock keeps out.
    pub(super) fn check_lock(&self, caller: &Caller) -> Result<(), Error> {
        if self.lock.is_some() && !caller.is_admin {
            return Err(Error::Conflict(format!("Instance {} is locked", self.id)));
        }
        Ok(())
    }
}

impl Model {
    /// Locks a server.
    pub fn lock_server(
        &mut self,
        caller: &Caller,
        id: &str,
        reason: Option<String>,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut server = self.server_mut(caller, id)?;
        let by_owner = caller.project_id == Some(server.project_id);
        server.lock = Some(Lock { by_owner, reason });
        server.begin("lock", request_id, caller.user_id, now);
        Ok(())
    }

    /// Opens the lock of a server; nothing happens when there is none.
    pub fn unlock_server(
        &mut self,
        caller: &Caller,
        id: &str,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut server = self.server_mut(caller, id)?;
        if server.lock.as_ref().is_some_and(|lock| !lock.by_owner) && !caller.is_admin {
            return Err(Error::Forbidden(
                "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be \
                 performed."
                    .to_owned(),
            ));
        }
        server.lock = None;
        server.begin("unlock", request_id, caller.user_id, now);
        Ok(())
    }
}
