//! Passwords: argon2 on disk, and a memory of the right ones so that tokens are quick.
//!
//! What is remembered is not the password but its hash under a key that lives and dies with this
//! process. A user has one password: once it is known, every other one is wrong.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::UserId;

/// OWASP's recommendation with the least memory: the cloud is meant to be small.
const MEMORY_KIB: u32 = 7168;
const PASSES: u32 = 5;

/// The passwords that were right.
pub(crate) struct Passwords {
    key: [u8; 32],
    right: Mutex<HashMap<UserId, [u8; 32]>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(..)")
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self { key, right: Mutex::default() }
    }

    /// Remembers that this password is right for the user.
    pub(crate) fn remember(&self, user: UserId, password: &str) {
        let digest = self.digest(user, password);
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(user, digest);
    }

    /// Whether this password is right; nothing as long as the user's is not known.
    pub(crate) fn is_right(&self, user: UserId, password: &str) -> Option<bool> {
        let digest = self.digest(user, password);
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(&user).map(|known| known.ct_eq(&digest).into())
    }

    fn digest(&self, user: UserId, password: &str) -> [u8; 32] {
        let hash = Sha256::new().chain_update(self.key).chain_update(user.0.as_bytes());
        hash.chain_update(password.as_bytes()).finalize().into()
    }
}

/// The hash to keep for a password. Slow by intent: call it where blocking is allowed.
pub(crate) fn hash(password: &str) -> String {
    let salt = SaltString::generate(&mut OsRng);
    let hash = hasher().hash_password(password.as_bytes(), &salt);
    hash.expect("the salt and the parameters are valid").to_string()
}

/// Whether the password is the one that was hashed. Slow by intent, as [`hash`].
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok())
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_verifies() {
        let hash = hash("secret");
        assert!(verify("secret", &hash));
        assert!(!verify("Secret", &hash));
        assert!(!verify("secret", "not a hash"));
    }

    #[test]
    fn a_right_password_is_remembered_for_its_user_only() {
        let passwords = Passwords::new();
        let (ada, bob) = (UserId::random(), UserId::random());
        passwords.remember(ada, "secret");
        assert_eq!(passwords.is_right(ada, "secret"), Some(true));
        assert_eq!(passwords.is_right(ada, "other"), Some(false));
        assert_eq!(passwords.is_right(bob, "secret"), None);
    }
}
