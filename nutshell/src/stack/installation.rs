//! What is known of an installation without starting it.

use super::{Addresses, Configuration, Secrets, StateDirectory, StateError};

/// An installation that was started at least once.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its addresses.
    pub addresses: Addresses,
    /// Its first user.
    pub username: String,
    /// Its passwords, if this user may read them.
    pub secrets: Option<Secrets>,
}

impl Installation {
    /// Reads what the state directory says.
    ///
    /// # Errors
    /// When there is no installation in it, or it cannot be understood.
    pub fn load(state: &StateDirectory) -> Result<Self, StateError> {
        state.existing()?;
        let configuration = Configuration::load(state)?;
        let missing = || StateError::Missing { path: state.path().to_owned() };
        let addresses = Addresses { block: configuration.block.ok_or_else(missing)? };
        let secrets = match Secrets::load(state) {
            Err(StateError::File { .. }) => None,
            loaded => loaded?,
        };
        Ok(Self { addresses, username: configuration.username(), secrets })
    }
}
