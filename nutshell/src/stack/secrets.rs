//! `secrets.toml`: passwords made for this installation, for its owner's eyes alone.

use std::io;

use protocol::files::{self, Access};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{StateDirectory, StateError};

/// The passwords of one installation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Of the first user.
    pub password: String,
    /// Of the cloud's user that owns all servers.
    pub cloud_password: String,
    /// Of the cloud's administrator.
    pub cloud_admin_password: String,
    /// Of the cloud's user too: the public half of the key that signs EC2 requests.
    pub cloud_access_key: String,
    /// Its secret half.
    pub cloud_secret_key: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Reads them; `None` when none were made yet.
    ///
    /// # Errors
    /// When this user may not read them.
    pub fn load(state: &StateDirectory) -> Result<Option<Self>, StateError> {
        let path = state.secrets_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::file(&path)(error)),
        };
        toml::from_str(&text).map(Some).map_err(|error| StateError::Damaged {
            path,
            // Not the error's own text: it would show the line, and so the secret.
            problem: error.message().to_owned(),
        })
    }

    /// Reads them, or makes them; the first user's password is the given one, when there is one.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn load_or_make(
        state: &StateDirectory,
        password: Option<&str>,
    ) -> Result<Self, StateError> {
        let old = Self::load(state)?;
        let mut secrets = old.clone().unwrap_or_else(|| Self {
            password: make_password(),
            cloud_password: make_password(),
            cloud_admin_password: make_password(),
            cloud_access_key: format!("NUTSHELL{}", make_password().to_ascii_uppercase()),
            cloud_secret_key: make_password() + &make_password(),
        });
        if let Some(password) = password {
            password.clone_into(&mut secrets.password);
        }
        if old.as_ref() != Some(&secrets) {
            let path = state.secrets_file();
            let text = toml::to_string(&secrets)
                .map_err(|error| StateError::file(&path)(io::Error::other(error)))?;
            files::write(&path, text.as_bytes(), Access::Secret)
                .map_err(StateError::file(&path))?;
        }
        Ok(secrets)
    }
}

/// A password that can be typed: no characters that look alike, 93 bits.
#[must_use]
pub fn make_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut random = rand::rng();
    (0..16).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn passwords_are_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        assert_eq!(Secrets::load(&state).unwrap(), None);
        let made = Secrets::load_or_make(&state, None).unwrap();
        assert_eq!(made.password.len(), 16);
        assert_ne!(made.password, made.cloud_password);
        assert_eq!(Secrets::load_or_make(&state, None).unwrap(), made);
        let mode = std::fs::metadata(state.secrets_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_password_that_is_given_replaces_the_one_that_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let made = Secrets::load_or_make(&state, None).unwrap();
        let given = Secrets::load_or_make(&state, Some("sesame")).unwrap();
        assert_eq!(given.password, "sesame");
        assert_eq!(given.cloud_password, made.cloud_password);
        assert_eq!(Secrets::load(&state).unwrap(), Some(given));
    }

    #[test]
    fn a_damaged_file_does_not_show_its_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        std::fs::write(state.secrets_file(), "password = \"sesame\"\nother = 1\n").unwrap();
        let error = Secrets::load(&state).unwrap_err();
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
}
