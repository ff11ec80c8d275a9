//! Users: who there is, what each may, and how they come and go.

use std::net::IpAddr;
use std::sync::Arc;

use protocol::UserId;
use protocol::api::{PasswordChange, Profile, User, UserChange, UserCreate, UserRegister};

use super::identity_provider::IdentityProvider;
use super::session::SessionSecret;
use super::{App, Error, Result, password};
use crate::db;
use crate::db::Writer;
use crate::db::user::NewUser;
pub(crate) use crate::db::user::UserRecord;
use crate::secrets;

/// The longest name of a user that is made by request.
const LONGEST_NAME: usize = 64;
/// The longest of what a user says about the person.
const LONGEST_DETAIL: usize = 200;

/// Why an application was stopped whose user is shut out.
const DISABLED: &str = "stopped, because its user was disabled";

/// A user that the installation's settings name.
#[derive(Clone)]
pub struct UserSettings {
    /// Name to log in with.
    pub username: String,
    /// The password, whatever it was before.
    pub password: String,
    /// Whether the user may administer the installation.
    pub administrator: bool,
    /// Credits to begin with; the installation's default when absent.
    pub credits: Option<i64>,
}

impl std::fmt::Debug for UserSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSettings").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What the installation's settings say about users.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Credits of a user for whom nothing else is said.
    pub(crate) default_credits: i64,
    /// Whether people may make themselves users.
    pub(crate) registration: bool,
    /// Whom users may come from.
    pub(crate) providers: Vec<Arc<IdentityProvider>>,
    /// Users whose passwords the settings rule.
    pub(crate) in_settings: Vec<String>,
}

impl Accounts {
    fn password_is_set(&self, username: &str) -> bool {
        self.in_settings.iter().any(|named| named.eq_ignore_ascii_case(username))
    }
}

impl App {
    /// Makes a user of the settings, or makes the user be as the settings say. Credits are given
    /// once; another password ends all sessions.
    pub(crate) async fn user_ensure(&self, settings: &UserSettings) -> Result<()> {
        let known = db::user::by_name(&mut *self.db.read().await?, &settings.username).await?;
        let Some(known) = known else {
            let hash = self.passwords.hash(&settings.password).await?;
            let new = NewUser {
                username: &settings.username,
                password_hash: Some(&hash),
                administrator: settings.administrator,
                profile: &Profile::default(),
            };
            let mut tx = self.db.write().await?;
            self.user_insert(&mut tx, &new, settings.credits).await?;
            return Ok(tx.commit().await?);
        };
        let same =
            self.passwords.verify(&settings.password, known.password_hash.as_deref()).await?;
        if same && known.administrator == settings.administrator && !known.disabled {
            return Ok(());
        }
        let hash = self.passwords.hash(&settings.password).await?;
        let mut tx = self.db.write().await?;
        db::user::set_rights(&mut tx, known.id, settings.administrator, false).await?;
        if !same {
            db::user::set_password(&mut tx, known.id, &hash).await?;
            db::session::delete_others(&mut tx, known.id, None).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Inserts a user with the credits to begin with.
    pub(crate) async fn user_insert(
        &self,
        tx: &mut Writer,
        new: &NewUser<'_>,
        credits: Option<i64>,
    ) -> Result<UserRecord> {
        if db::user::by_name(tx, new.username).await?.is_some() {
            return Err(Error::UsernameTaken(new.username.to_owned()));
        }
        let id = db::user::insert(tx, new, self.now()).await?;
        let credits = credits.unwrap_or(self.accounts.default_credits);
        if credits != 0 {
            db::credit::grant(tx, id, credits, None, self.now()).await?;
        }
        db::user::view(tx, id).await?.ok_or_else(|| Error::not_found("user", id))
    }

    /// Somebody makes a user of themselves, where the settings allow it.
    pub(crate) async fn user_register(
        &self,
        register: UserRegister,
        address: IpAddr,
    ) -> Result<User> {
        if !self.accounts.registration {
            return Err(Error::RegistrationClosed);
        }
        // Each costs a hash and a row.
        if !self.login_limit.attempt(&register.username, address, self.tuning.clock.elapsed()) {
            return Err(Error::TooManyLogins);
        }
        let UserRegister { username, password, profile } = register;
        let create =
            UserCreate { username, password, administrator: false, credits: None, profile };
        self.user_create(create).await
    }

    pub(crate) async fn user_create(&self, create: UserCreate) -> Result<User> {
        let username = check_username(&create.username)?;
        check_profile(&create.profile)?;
        password::check(&create.password)?;
        if create.credits.is_some_and(|credits| credits < 0) {
            return Err(Error::Invalid("a user cannot begin with less than no credits".to_owned()));
        }
        let hash = self.passwords.hash(&create.password).await?;
        let new = NewUser {
            username,
            password_hash: Some(&hash),
            administrator: create.administrator,
            profile: &create.profile,
        };
        let mut tx = self.db.write().await?;
        let user = self.user_insert(&mut tx, &new, create.credits).await?;
        let user = view(&mut tx, user).await?;
        tx.commit().await?;
        tracing::info!(user = %user.id, username = user.username, "a new user");
        Ok(user)
    }

    pub(crate) async fn user_view(&self, user: UserRecord) -> Result<User> {
        view(&mut *self.db.read().await?, user).await
    }

    /// Every user of the installation, by name.
    pub(crate) async fn user_list(&self) -> Result<Vec<User>> {
        let mut connection = self.db.read().await?;
        let mut users = Vec::new();
        for user in db::user::list(&mut connection).await? {
            users.push(view(&mut connection, user).await?);
        }
        Ok(users)
    }

    /// Another password of one's own; other sessions end.
    pub(crate) async fn password_change(
        &self,
        user: &UserRecord,
        session: &SessionSecret,
        change: &PasswordChange,
        address: IpAddr,
    ) -> Result<()> {
        if self.accounts.password_is_set(&user.username) {
            return Err(Error::PasswordInSettings(user.username.clone()));
        }
        let Some(stored) = user.password_hash.as_deref() else {
            return Err(Error::NoPassword(user.username.clone()));
        };
        password::check(&change.new_password)?;
        if !self.login_limit.attempt(&user.username, address, self.tuning.clock.elapsed()) {
            return Err(Error::TooManyLogins);
        }
        if !self.passwords.verify(&change.old_password, Some(stored)).await? {
            return Err(Error::Invalid("the old password is wrong".to_owned()));
        }
        self.login_limit.succeeded(&user.username, address);
        let hash = self.passwords.hash(&change.new_password).await?;
        let mut tx = self.db.write().await?;
        db::user::set_password(&mut tx, user.id, &hash).await?;
        db::session::delete_others(&mut tx, user.id, Some(&secrets::hash(&session.0))).await?;
        Ok(tx.commit().await?)
    }

    /// What an administrator changes about a user. Who is shut out has nothing running.
    pub(crate) async fn user_change(&self, id: UserId, change: &UserChange) -> Result<User> {
        let hash = match &change.password {
            Some(password) => {
                password::check(password)?;
                Some(self.passwords.hash(password).await?)
            }
            None => None,
        };
        let mut tx = self.db.write().await?;
        let user = user_known(&mut tx, id).await?;
        let administrator = change.administrator.unwrap_or(user.administrator);
        let disabled = change.disabled.unwrap_or(user.disabled);
        if user.administrator && (disabled || !administrator) {
            keep_an_administrator(&mut tx, &user).await?;
        }
        db::user::set_rights(&mut tx, id, administrator, disabled).await?;
        if let Some(hash) = &hash {
            db::user::set_password(&mut tx, id, hash).await?;
        }
        if hash.is_some() || disabled {
            db::session::delete_others(&mut tx, id, None).await?;
        }
        let user = user_known(&mut tx, id).await?;
        let user = view(&mut tx, user).await?;
        tx.commit().await?;
        if disabled {
            self.applications_stop_all(id, DISABLED).await?;
        }
        Ok(user)
    }

    /// Removes a user with all applications; answers when everything is gone. Cut short, it leaves
    /// a user who is shut out, and can be asked for again.
    pub(crate) async fn user_delete(&self, id: UserId) -> Result<()> {
        let mut tx = self.db.write().await?;
        let user = user_known(&mut tx, id).await?;
        keep_an_administrator(&mut tx, &user).await?;
        db::user::set_rights(&mut tx, id, user.administrator, true).await?;
        db::session::delete_others(&mut tx, id, None).await?;
        tx.commit().await?;
        for application in self.application_list(id).await? {
            self.application_delete(id, application.id).await?;
        }
        let mut tx = self.db.write().await?;
        db::user::delete(&mut tx, id).await?;
        tx.commit().await?;
        tracing::info!(user = %id, username = user.username, "a user was removed");
        Ok(())
    }

    /// Stops whatever the user has running.
    pub(super) async fn applications_stop_all(&self, user: UserId, reason: &str) -> Result<()> {
        for application in self.application_list(user).await? {
            self.application_stop_because(user, application.id, Some(reason)).await?;
        }
        Ok(())
    }
}

/// The user as shown.
pub(super) async fn view(
    connection: &mut sqlx::SqliteConnection,
    user: UserRecord,
) -> Result<User> {
    let credits = db::credit::balance(connection, user.id).await?;
    let UserRecord { id, username, administrator, disabled, profile, .. } = user;
    Ok(User { id, username, administrator, disabled, credits, profile })
}

pub(super) async fn user_known(
    connection: &mut sqlx::SqliteConnection,
    id: UserId,
) -> Result<UserRecord> {
    db::user::view(connection, id).await?.ok_or_else(|| Error::not_found("user", id))
}

/// An installation that nobody administers could not be helped from within.
async fn keep_an_administrator(tx: &mut Writer, user: &UserRecord) -> Result<()> {
    match user.administrator && !db::user::another_administrator(tx, user.id).await? {
        true => Err(Error::LastAdministrator(user.username.clone())),
        false => Ok(()),
    }
}

/// Names fit on a command line, in a path and in a log as they are.
pub(crate) fn check_username(username: &str) -> Result<&str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-@+".contains(letter);
    let begins_well = username.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins_well && username.len() <= LONGEST_NAME && username.chars().all(plain) {
        return Ok(username);
    }
    Err(Error::Invalid(format!(
        "a user name is 1 to {LONGEST_NAME} letters and digits, with `.`, `_`, `-`, `@` and `+` \
         after the first"
    )))
}

fn check_profile(profile: &Profile) -> Result<()> {
    let Profile { email, fname, lname, affiliation } = profile;
    for detail in [email, fname, lname, affiliation] {
        if detail.chars().count() > LONGEST_DETAIL || detail.chars().any(char::is_control) {
            let problem = format!("what is said of a user is one line of {LONGEST_DETAIL} at most");
            return Err(Error::Invalid(problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_plain_words() {
        for good in ["test", "Ada.Lovelace", "a", "ada+1@example.org", &"x".repeat(64)] {
            assert_eq!(check_username(good).unwrap(), good);
        }
        for bad in ["", " ", "a b", "-a", "@a", "a/b", "a\n", "\u{e9}va", &"x".repeat(65)] {
            assert!(check_username(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_person_is_short_lines() {
        let with = |email: &str| Profile { email: email.to_owned(), ..Profile::default() };
        assert!(check_profile(&with("ada@example.org")).is_ok());
        assert!(check_profile(&with("a\nb")).is_err());
        assert!(check_profile(&with(&"x".repeat(201))).is_err());
    }
}
