//! `cps user` and `cps token`: accounts and how to use them.

use clap::{Args, Subcommand, ValueEnum};
use protocol::api::Profile;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Login {
    /// The same as --username
    #[arg(short = 'u', value_name = "USER")]
    pub(crate) user: Option<String>,
    /// The same as --password
    #[arg(short = 'p', value_name = "PASS")]
    pub(crate) pass: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Log in and remember the session
    #[command(visible_alias = "get-certificate")]
    Login(Login),
    /// End the session and forget it
    Logout,
    /// Print who you are
    #[command(visible_alias = "get-config")]
    Info,
    /// Print the credits you have left
    GetCredit,
    /// List what your credits were spent on, newest first
    Credits {
        /// At most so many entries
        #[arg(long, short = 'n', default_value_t = 100)]
        limit: u32,
        /// Those of another user: administrators
        #[arg(long, value_name = "NAME")]
        of: Option<String>,
    },
    /// Change your password; your other sessions end
    ChangePassword {
        /// The password until now [default: asked for]
        #[arg(long, env = "CPS_OLD_PASSWORD", value_name = "PASS", hide_env_values = true)]
        old_password: Option<String>,
        /// The password from now on [default: asked for]
        #[arg(long, env = "CPS_NEW_PASSWORD", value_name = "PASS", hide_env_values = true)]
        new_password: Option<String>,
    },
    /// Make a user of yourself, where the director takes registrations
    #[command(visible_alias = "register")]
    CreateFree(NewUser),
    /// Make a user: administrators
    Create {
        #[command(flatten)]
        new: NewUser,
        /// Who may administer the installation
        #[arg(long)]
        administrator: bool,
    },
    /// List all users: administrators
    List {
        /// Print their credits too
        #[arg(long)]
        credit: bool,
    },
    /// Give a user credits: administrators
    AddCredit {
        /// The user's name
        username: String,
        /// How many; below zero takes some away
        #[arg(allow_negative_numbers = true)]
        credit: i64,
        /// What the user reads about it
        #[arg(long)]
        note: Option<String>,
    },
    /// Set what a user may do: administrators
    SetRole {
        /// The user's name
        username: String,
        /// What the user is to be
        role: UserRole,
    },
    /// Shut a user out and stop everything of the user: administrators
    Disable {
        /// The user's name
        username: String,
    },
    /// Let a user in again: administrators
    Enable {
        /// The user's name
        username: String,
    },
    /// Remove a user with all applications: administrators
    Delete {
        /// The user's name
        username: String,
    },
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UserRole {
    /// Has applications.
    User,
    /// Looks after users, too.
    Administrator,
}

/// A user to be made. The password of the new user is --password of the command itself.
#[derive(Debug, Clone, Args)]
pub(crate) struct NewUser {
    /// Name to log in with
    #[arg(value_name = "USERNAME")]
    pub(crate) name: String,
    /// The new user's password [default: asked for]
    #[arg(long, env = "CPS_NEW_PASSWORD", value_name = "PASS", hide_env_values = true)]
    pub(crate) new_password: Option<String>,
    /// Address for mail
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) email: String,
    /// First name
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) fname: String,
    /// Last name
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) lname: String,
    /// Organisation
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) affiliation: String,
    /// Credits to begin with, where an administrator makes the user [default: the installation's]
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    pub(crate) credit: Option<i64>,
}

impl NewUser {
    /// Who it is.
    #[must_use]
    pub(crate) fn profile(&self) -> Profile {
        let Self { email, fname, lname, affiliation, .. } = self.clone();
        Profile { email, fname, lname, affiliation }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, this once
    Create {
        /// What to call it
        name: String,
        /// It opens what only reads
        #[arg(long)]
        read_only: bool,
        /// How long it lasts [default: for good]
        #[arg(long)]
        days: Option<u32>,
    },
    /// List your tokens, without their secrets
    List,
    /// End a token
    #[command(visible_alias = "delete")]
    Revoke {
        /// Its name or id
        // Not `token`: that is an option of every command.
        #[arg(value_name = "TOKEN")]
        which: String,
    },
}
