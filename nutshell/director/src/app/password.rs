//! Passwords: hashed with argon2id, apart from the threads that serve requests.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use rand::RngCore;
use tokio::sync::Semaphore;
use tokio::task;

use super::{Error, Result};

/// How many are hashed at a time; each takes its 19 MiB.
const AT_A_TIME: usize = 2;

/// Hashes and verifies.
#[derive(Debug)]
pub(crate) struct Passwords {
    turns: Semaphore,
}

/// Verified for users who do not exist, so that they take as long as the others; matches nothing.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The shortest and the longest that a user may choose.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=1024;

/// Refuses a password that is too easily guessed, or that is none.
pub(crate) fn check(password: &str) -> Result<()> {
    match LENGTHS.contains(&password.chars().count()) {
        true => Ok(()),
        false => {
            let (shortest, longest) = (LENGTHS.start(), LENGTHS.end());
            Err(Error::Invalid(format!("a password has {shortest} to {longest} characters")))
        }
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { turns: Semaphore::new(AT_A_TIME) }
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        blocking(&self.turns, move || hash(&password)).await
    }

    /// Whether it is the password; never of a user who does not exist.
    pub(crate) async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(NOBODY).to_owned();
        let password = password.to_owned();
        let right = blocking(&self.turns, move || {
            let stored = PasswordHash::new(&stored).map_err(Error::Password)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
        })
        .await?;
        Ok(right && known)
    }
}

fn hash(password: &str) -> Result<String> {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).map_err(Error::Password)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(Error::Password)?.to_string())
}

async fn blocking<T: Send + 'static>(
    turns: &Semaphore,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // The semaphore is never closed; a runtime that drops the work is shutting down.
    let _turn = turns.acquire().await.map_err(|_| Error::ShuttingDown)?;
    task::spawn_blocking(work).await.map_err(|_| Error::ShuttingDown)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_neither_short_nor_endless() {
        for (length, good) in [(0, false), (7, false), (8, true), (1024, true), (1025, false)] {
            assert_eq!(check(&"\u{e9}".repeat(length)).is_ok(), good, "{length}");
        }
    }

    #[tokio::test]
    async fn only_the_right_password_of_an_existing_user_passes() {
        let passwords = Passwords::new();
        let stored = passwords.hash("secret").await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify("secret", Some(&stored)).await.unwrap());
        assert!(!passwords.verify("Secret", Some(&stored)).await.unwrap());
        let parameters =
            |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODY), parameters(&stored), "both must take equally long");
        assert!(!passwords.verify("secret", None).await.unwrap());
    }
}
