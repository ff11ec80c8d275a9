//! Keys of the EC2 API: what signs a request for a user in a project.

use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Kind};
use super::table::record;
use super::{AccessKeyId, Caller, Model, ProjectId, TokenId, UserId};

/// An access key as its bearer knows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyPair {
    /// Its public half, `AWS_ACCESS_KEY_ID`.
    pub access: String,
    /// Its secret half, `AWS_SECRET_ACCESS_KEY`; signatures cannot be checked without it.
    pub secret: String,
}

/// An access key and what it is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// What its bearer knows.
    pub pair: AccessKeyPair,
    /// Who bears it.
    pub user_id: UserId,
    /// The project it is for.
    pub project_id: ProjectId,
}

impl std::fmt::Debug for AccessKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKeyPair").field("access", &self.access).finish_non_exhaustive()
    }
}

impl AccessKeyPair {
    /// A new pair that nobody can guess, in the alphabets and lengths of AWS.
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let mut word = |alphabet: &[u8], length| -> String {
            (0..length).map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())])).collect()
        };
        Self {
            access: format!("AKIA{}", word(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
            secret: word(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40),
        }
    }
}

impl Model {
    /// The key with this public half.
    pub fn access_key(&self, access: &str) -> Option<&AccessKey> {
        self.access_keys.iter().find(|key| key.pair.access == access)
    }

    /// The keys of a user.
    pub fn access_keys_of(&self, user: UserId) -> impl Iterator<Item = &AccessKey> {
        self.access_keys.iter().filter(move |key| key.user_id == user)
    }

    /// A key of a user.
    pub fn access_key_of(&self, user: UserId, access: &str) -> Result<&AccessKey, Error> {
        let found = self.access_keys_of(user).find(|key| key.pair.access == access);
        found.ok_or_else(|| Error::not_found(Kind::AccessKey, access))
    }

    /// Gives a user a key for a project in which they have a role.
    pub fn create_access_key(
        &mut self,
        user: UserId,
        project: ProjectId,
        pair: AccessKeyPair,
    ) -> Result<AccessKeyId, Error> {
        let known = self.users.get(user).ok_or_else(|| Error::not_found(Kind::User, user))?;
        if self.roles_of(known, project).is_empty() {
            return Err(Error::Forbidden("the user has no role in the project".to_owned()));
        }
        let id = AccessKeyId::random();
        self.access_keys.insert(AccessKey { id, pair, user_id: user, project_id: project });
        Ok(id)
    }

    /// Takes a key from a user.
    pub fn delete_access_key(&mut self, user: UserId, access: &str) -> Result<(), Error> {
        let id = self.access_key_of(user, access)?.id;
        self.access_keys.remove(id);
        Ok(())
    }

    /// Who makes a request that is signed with a key: as in AWS, an account sees its own things
    /// only, whoever asks. Nobody when the user has lost their role.
    pub fn bearer(&self, key: &AccessKey) -> Option<Caller> {
        let user = self.users.get(key.user_id)?;
        (!self.roles_of(user, key.project_id).is_empty()).then(|| Caller {
            user_id: user.id,
            project_id: Some(key.project_id),
            is_admin: false,
            token_id: TokenId(Uuid::nil()),
        })
    }
}

record!(AccessKey, AccessKeyId, "access_key");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pair_looks_like_one_and_is_its_own() {
        let (one, other) = (AccessKeyPair::random(), AccessKeyPair::random());
        assert_eq!((one.access.len(), one.secret.len()), (20, 40));
        assert_ne!(one, other);
        assert!(!format!("{one:?}").contains(&one.secret), "secrets stay out of logs");
    }
}
