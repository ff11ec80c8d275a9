//! Requests to move a server to another machine: there is no other, as on any cloud of one host.

use time::OffsetDateTime;

use super::error::Error;
use super::life::{Obstacle, State};
use super::{Caller, HOST, Model};

/// How a server would move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It stops here and starts there.
    Cold,
    /// It runs on meanwhile.
    Live,
    /// It starts there because its machine is gone.
    Evacuation,
}

impl Move {
    /// How the API calls it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Cold => "migrate",
            Self::Live => "live-migration",
            Self::Evacuation => "evacuate",
        }
    }

    fn fits(self, state: State) -> bool {
        match self {
            Self::Cold => matches!(state, State::Active | State::Stopped),
            Self::Live => matches!(state, State::Active | State::Paused),
            Self::Evacuation => matches!(state, State::Active | State::Stopped | State::Error),
        }
    }
}

impl Model {
    /// Finds no machine to move a server to: the server stays as it is, and its events tell why.
    pub fn move_nowhere(
        &mut self,
        caller: &Caller,
        id: &str,
        how: Move,
        to: Option<&str>,
        request_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let server = self.server(caller, id)?;
        server.check_lock(caller)?;
        let obstacle = match server.task {
            _ if !how.fits(server.state) => Some(Obstacle::State(server.state)),
            task => task.map(Obstacle::Task),
        };
        if let Some(obstacle) = obstacle {
            let verb = how.verb();
            return Err(Error::Conflict(format!(
                "Cannot '{verb}' instance {id} while it is in {obstacle}"
            )));
        }
        match to {
            Some(HOST) => {
                return Err(Error::Invalid(
                    "Cannot migrate to the host where the server exists.".to_owned(),
                ));
            }
            Some(other) => {
                return Err(Error::Invalid(format!("Compute host {other} could not be found.")));
            }
            None => {}
        }
        if how == Move::Evacuation && !self.compute_service().forced_down {
            return Err(Error::Invalid(format!("Compute service of {HOST} is still in use.")));
        }
        let mut server = self.server_mut(caller, id)?;
        server.begin(how.verb(), request_id, caller.user_id, now);
        if let Some(event) = server.events.last_mut() {
            event.message = Some(Error::NoHost.to_string());
        }
        Ok(())
    }
}
