//! Who may use the repository, and what clients know it by.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::ApiError;
use protocol::api::code::AuthorizedKey;
use protocol::files::{self, Access};
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use services::ServiceError;

/// The most keys of one application.
const MOST: usize = 500;

/// The authorized keys, on disk as ssh's own file.
#[derive(Debug)]
pub(super) struct Keys {
    path: PathBuf,
    keys: Mutex<Vec<PublicKey>>,
}

impl Keys {
    pub(super) fn open(path: &Path) -> Result<Self, ServiceError> {
        let keys = match std::fs::read_to_string(path) {
            Ok(text) => parse(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(ServiceError::file(path)(error)),
        };
        Ok(Self { path: path.to_owned(), keys: Mutex::new(keys) })
    }

    pub(super) fn is_authorized(&self, key: &PublicKey) -> bool {
        self.locked().iter().any(|known| known.key_data() == key.key_data())
    }

    pub(super) fn list(&self) -> Vec<AuthorizedKey> {
        let shown = |key: &PublicKey| AuthorizedKey {
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            key: key.to_openssh().unwrap_or_default(),
        };
        self.locked().iter().map(shown).collect()
    }

    /// Adds those that are not there yet, and says how many they were.
    pub(super) fn add(&self, new: Vec<PublicKey>) -> Result<usize, ServiceError> {
        let mut keys = self.locked();
        let mut changed = keys.clone();
        for key in new {
            if !changed.iter().any(|known| known.key_data() == key.key_data()) {
                changed.push(key);
            }
        }
        if changed.len() > MOST {
            return Err(ApiError::invalid(format!("there can be {MOST} keys at most")).into());
        }
        let added = changed.len() - keys.len();
        self.write(&changed)?;
        *keys = changed;
        Ok(added)
    }

    pub(super) fn delete(&self, fingerprint: &str) -> Result<(), ServiceError> {
        let mut keys = self.locked();
        let mut changed = keys.clone();
        changed.retain(|key| key.fingerprint(HashAlg::Sha256).to_string() != fingerprint);
        if changed.len() == keys.len() {
            let message = format!("there is no key with the fingerprint `{fingerprint}`");
            return Err(ApiError::not_found(message).into());
        }
        self.write(&changed)?;
        *keys = changed;
        Ok(())
    }

    fn write(&self, keys: &[PublicKey]) -> Result<(), ServiceError> {
        let lines: String = keys
            .iter()
            .filter_map(|key| key.to_openssh().ok())
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        files::write(&self.path, lines.as_bytes(), Access::Secret)
            .map_err(ServiceError::file(&self.path))
    }

    fn locked(&self) -> MutexGuard<'_, Vec<PublicKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads public keys, one a line; all must be good.
pub(super) fn parse(text: &str) -> Result<Vec<PublicKey>, ApiError> {
    if text.contains("PRIVATE KEY") {
        return Err(ApiError::invalid("this is a private key, which nobody else should ever have")
            .hint("upload the public one: the file that ends in `.pub`"));
    }
    let lines = text.lines().map(str::trim).enumerate();
    let keys: Vec<PublicKey> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            PublicKey::from_openssh(line).map_err(|error| {
                tracing::debug!(%error, "a key is not understood");
                ApiError::invalid(format!("line {} is no public SSH key", number + 1))
                    .hint("a key is one line, such as `ssh-ed25519 AAAA… name`")
            })
        })
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(ApiError::invalid("there is no key in the file"));
    }
    Ok(keys)
}

/// The key of the server, made at the first need.
pub(super) fn host_key(path: &Path) -> Result<PrivateKey, ServiceError> {
    match std::fs::read(path) {
        Ok(text) => PrivateKey::from_openssh(text)
            .map_err(std::io::Error::other)
            .map_err(ServiceError::file(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
            key.to_openssh(LineEnding::LF)
                .map_err(std::io::Error::other)
                .and_then(|text| files::write(path, text.as_bytes(), Access::Secret))
                .map_err(ServiceError::file(path))?;
            Ok(key)
        }
        Err(error) => Err(ServiceError::file(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(name: &str) -> String {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&rand::random()));
        let mut key = key.public_key().clone();
        key.set_comment(name);
        key.to_openssh().unwrap()
    }

    #[test]
    fn keys_are_kept_once_and_deleted_by_their_fingerprint() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("authorized_keys");
        let keys = Keys::open(&path).unwrap();
        let (one, two) = (key("one"), key("two"));
        let text = format!("# mine\n{one}\n\n{two}\n{one}\n");
        assert_eq!(keys.add(parse(&text).unwrap()).unwrap(), 2);
        assert_eq!(keys.add(parse(&one).unwrap()).unwrap(), 0);
        let again = Keys::open(&path).unwrap();
        let list = again.list();
        assert_eq!((list.len(), list[0].key.as_str()), (2, one.as_str()));
        assert!(again.is_authorized(&PublicKey::from_openssh(&one).unwrap()));
        again.delete(&list[0].fingerprint).unwrap();
        assert!(again.delete(&list[0].fingerprint).is_err());
        assert!(!again.is_authorized(&PublicKey::from_openssh(&one).unwrap()));
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_its_line() {
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nx";
        assert!(parse(private).unwrap_err().message.contains("private key"));
        assert_eq!(parse("# none\n").unwrap_err().message, "there is no key in the file");
        let good = key("good");
        for bad in ["hello", "ssh-ed25519 AAAA", &format!("command=\"sh\" {good}")] {
            let refused = parse(&format!("{good}\n{bad}")).unwrap_err();
            assert_eq!(refused.message, "line 2 is no public SSH key", "{bad}");
        }
    }

    #[test]
    fn the_host_key_stays_the_same_and_is_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host_key");
        let first = host_key(&path).unwrap();
        let again = host_key(&path).unwrap();
        assert_eq!(first.public_key().key_data(), again.public_key().key_data());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
