//! What can be typed. One executable is many programs: its name chooses the grammar.
//!
//! `nutshell` runs the platform; `cps`, `cps-tools` and `cps-<group>` are the clients of the
//! user guide; `cpsclient` and `cpsclient.py` the older one. Hyphens and underscores are the same.

mod application;
mod autoscaling;
mod code;
mod connection;
mod cps;
mod cpsclient;
mod director;
mod manifest;
mod node_counts;
mod nutshell;
mod original;
mod program;
mod reference;
mod service;
mod shell;
mod user;

use clap::{Args, Command};

pub(crate) use application::ApplicationCommand;
pub(crate) use autoscaling::{AutoscalingCommand, OnAutoscaling};
pub(crate) use code::CodeCommand;
pub(crate) use connection::{ConnectionOptions, WaitingOptions};
pub(crate) use cps::*;
pub(crate) use cpsclient::*;
pub(crate) use director::{CloudCommand, DirectorCommand};
pub(crate) use manifest::{ManifestCommand, ManifestFile};
pub(crate) use node_counts::{NodeCountWord, RequestedNodes, WrongNumberOfCounts, requested_nodes};
pub(crate) use nutshell::*;
pub(crate) use program::{Invocation, completions, cpsclient_help, manual_pages, parse, programs};
pub(crate) use reference::{ApplicationRef, ServiceRef};
pub(crate) use service::{
    AgentLog, CommonCommand, NewService, NodePlace, NodesArgument, ServiceArgument, ServiceCommand,
    TypedCommand,
};
pub(crate) use shell::Shell;
pub(crate) use user::*;

pub(crate) use crate::commands::cps::types::{ScriptArguments, TypeCommand};
use crate::printer::{Color, Format, Settings, Verbosity};

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// How to print data
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Print data and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print details too
    #[arg(long, short, global = true, alias = "debug")]
    pub(crate) verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    /// The same as --color never
    #[arg(long, global = true, conflicts_with = "color")]
    pub(crate) no_color: bool,
}

impl OutputOptions {
    /// As the printer takes it.
    #[must_use]
    pub(crate) fn settings(&self) -> Settings {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let color = if self.no_color { Color::Never } else { self.color };
        Settings { format: self.format, color, verbosity }
    }
}

/// Makes `list_nodes` and `--director_url` the same as `list-nodes` and `--director-url`.
fn with_both_spellings(command: Command) -> Command {
    let other = |name: &str| match name.contains('-') {
        true => Some(name.replace('-', "_")),
        false => name.contains('_').then(|| name.replace('_', "-")),
    };
    let aliases: Vec<String> = std::iter::once(command.get_name())
        .chain(command.get_all_aliases())
        .filter_map(other)
        .collect();
    command
        .aliases(aliases)
        .mut_args(|argument| match argument.get_long().and_then(other) {
            Some(alias) => argument.alias(alias),
            None => argument,
        })
        .mut_subcommands(with_both_spellings)
}

#[cfg(test)]
mod tests;
