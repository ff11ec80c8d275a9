//! `cps cloud` and `cps director`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum CloudCommand {
    /// List the clouds, the default one first
    List,
    /// List all your VMs
    ListResources,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectorCommand {
    /// Print the version of the director
    Version,
    /// Write a director down in your cps.toml; --ca-certificate says how to know it
    Add {
        /// What to call it: letters, digits, - and _
        name: String,
        /// Where it is: https://HOST:PORT
        url: String,
    },
    /// List the directors of your cps.toml
    List,
    /// Use one of them from now on
    Use {
        /// Its name; `local` for the stack on this machine
        name: String,
    },
}
