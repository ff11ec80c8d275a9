//! Which director is meant, as whom, and whether to wait for it.

use std::path::PathBuf;

use clap::Args;

/// Which director, and as whom. What is not said comes from the session, or from the stack that
/// runs on this machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionOptions {
    /// Name of a director in cps.toml, or `local` [default: `cps director use`]
    #[arg(long, global = true, env = "CPS_DIRECTOR", value_name = "NAME", hide_env_values = true)]
    pub(crate) director: Option<String>,
    /// Where the director is: https://HOST:PORT
    #[arg(
        long,
        global = true,
        env = "CPS_DIRECTOR_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) director_url: Option<String>,
    /// File with the certificate of the director's authority
    #[arg(
        long,
        global = true,
        env = "CPS_CA_CERTIFICATE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) ca_certificate: Option<PathBuf>,
    /// Name of the user
    #[arg(long, global = true, env = "CPS_USERNAME", value_name = "USER", hide_env_values = true)]
    pub(crate) username: Option<String>,
    /// Password of the user
    #[arg(long, global = true, env = "CPS_PASSWORD", value_name = "PASS", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// API token to use, instead of a name and a password
    #[arg(long, global = true, env = "CPS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Configuration file of the original client
    #[arg(long, global = true, value_name = "FILE", hide = true)]
    pub(crate) conf_file: Option<PathBuf>,
    /// State directory of the stack on this machine
    #[arg(long, global = true, env = "NUTSHELL_STATE", value_name = "DIR", hide_env_values = true)]
    pub(crate) state: Option<PathBuf>,
}

/// Whether to wait for what the director has begun.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitingOptions {
    /// Wait until it is done [default]
    #[arg(long, global = true, overrides_with = "no_wait")]
    wait: bool,
    /// Only begin it
    #[arg(long, global = true, overrides_with = "wait")]
    no_wait: bool,
}

impl WaitingOptions {
    /// Whether to wait.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        !self.no_wait
    }
}
