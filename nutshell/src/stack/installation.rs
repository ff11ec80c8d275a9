//! What is known of an installation without starting it.

use super::{Addresses, Configuration, Secrets, StateDirectory, StateError};

/// The first user, unless the configuration names another.
pub const DEFAULT_USERNAME: &str = "test";

/// A name that no other installation has.
pub(super) fn new_name() -> String {
    format!("nutshell-{:08x}", rand::random::<u32>())
}

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
        let username = configuration.username.unwrap_or_else(|| DEFAULT_USERNAME.to_owned());
        Ok(Self { addresses, username, secrets })
    }
}
