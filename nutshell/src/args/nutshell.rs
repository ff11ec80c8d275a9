//! `nutshell`: the platform and its cloud on this machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use fake_cloud::model::address::AddressRange;

use super::{Cps, OutputOptions};

/// A Platform-as-a-Service and the cloud it runs on, on this machine
#[derive(Debug, Parser)]
#[command(
    name = "nutshell",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub(crate) struct Nutshell {
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(subcommand)]
    pub(crate) command: NutshellCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NutshellCommand {
    /// Start everything: the cloud, the director and its web page
    Up(Up),
    /// End everything; applications and their VMs come back with the next `up`
    Down(StateOption),
    /// Say what runs, and where
    Status(StateOption),
    /// Show the log of a part, or the console of a VM
    Logs(Logs),
    /// End everything and remove it: users, applications, VMs
    Destroy(Destroy),
    /// Say what this machine can do
    Doctor,
    /// Print `export` lines for the clients of the cloud and of the platform
    Env(StateOption),
    /// Link the names of the clients (cps, cpsclient, ...) to this executable
    Install(Install),
    /// Print completions for a shell
    Completions(Completions),
    /// Write manual pages for all programs: `man -l DIR/cps.1`
    Man(Man),
    /// Look after the users of the platform on this machine
    #[command(subcommand, arg_required_else_help = true)]
    User(LocalUserCommand),
    /// Use the platform: log in, create services, upload code
    Cps(Box<Cps>),
    /// Run a director alone, on clouds that exist already
    Director(Director),
    #[command(hide = true)]
    Manager(Vm),
    #[command(hide = true)]
    Agent(Vm),
}

/// Which of the stacks on this machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct StateOption {
    /// Where everything is kept [default: below XDG's data directory]
    #[arg(long, env = "NUTSHELL_STATE", value_name = "DIR", hide_env_values = true)]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) state: StateOption,
    /// Stay in the background
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Password of the user `test` [default: made for this installation]
    #[arg(long, env = "NUTSHELL_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// How many floating addresses the cloud has [default: 245]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=245))]
    pub(crate) floating_addresses: Option<u8>,
    /// Which ones, as in 192.168.56.10-192.168.56.99: this machine has to answer at them
    #[arg(long, value_name = "RANGE")]
    pub(crate) floating_range: Option<AddressRange>,
    /// What VMs boot from: an image that `fake-cloud image` keeps [default: host, this machine]
    #[arg(long, value_name = "NAME")]
    pub(crate) image: Option<String>,
    /// How large VMs are: a flavor of the cloud, such as m1.medium [default: m1.small]
    #[arg(long, value_name = "TYPE")]
    pub(crate) instance_type: Option<String>,
    /// This process is the one in the background: report on stdout
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) state: StateOption,
    /// `nutshell`, `fake-cloud`, `director`, or a VM by name, id or number
    #[arg(default_value = "nutshell")]
    pub(crate) component: String,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub(crate) lines: Option<usize>,
    /// Go on as the log grows
    #[arg(long, short)]
    pub(crate) follow: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) state: StateOption,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Install {
    /// Where to put the links [default: ~/.local/bin]
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Man {
    /// Where to put them, such as ~/.local/share/man/man1; made when it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Director {
    /// The settings, TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// A VM's process, as user-data starts it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Vm {
    /// What the director left in the VM
    #[arg(long, value_name = "FILE")]
    pub(crate) boot: PathBuf,
    /// The directory all paths of the VM begin at
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
}

/// The platform must be running.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LocalUserCommand {
    /// Make a user, with a password that is made and printed unless one is given
    Add {
        /// Name to log in with
        name: String,
        /// Who may administer the installation
        #[arg(long)]
        admin: bool,
        /// Credits to begin with [default: the installation's]
        #[arg(long, value_name = "COUNT")]
        credit: Option<i64>,
        #[command(flatten)]
        password: PasswordOption,
        #[command(flatten)]
        state: StateOption,
    },
    /// List all users and their credits
    List {
        #[command(flatten)]
        state: StateOption,
    },
    /// Give a user credits
    Credit {
        /// The user's name
        name: String,
        /// How many; below zero takes some away
        #[arg(allow_negative_numbers = true)]
        amount: i64,
        #[command(flatten)]
        state: StateOption,
    },
    /// Give a user another password, made and printed unless one is given
    Password {
        /// The user's name
        name: String,
        #[command(flatten)]
        password: PasswordOption,
        #[command(flatten)]
        state: StateOption,
    },
}

/// A password for somebody.
#[derive(Debug, Clone, Args)]
pub(crate) struct PasswordOption {
    /// The password
    #[arg(long, env = "NUTSHELL_USER_PASSWORD", value_name = "PASS", hide_env_values = true)]
    pub(crate) password: Option<String>,
}
