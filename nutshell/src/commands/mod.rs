//! What each command does, one file a command.

mod completions;
pub(crate) mod cps;
mod cpsclient;
mod destroy;
mod director;
mod doctor;
mod down;
mod env;
mod install;
mod logs;
mod man;
mod member;
mod runtime;
mod status;
mod up;
mod user;

use crate::args::{Invocation, NutshellCommand};
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;

/// Runs what was typed.
pub(crate) fn run(invocation: Invocation, printer: &Printer) -> Result<Exit, Failure> {
    match invocation {
        Invocation::Nutshell(command) => nutshell(command, printer),
        Invocation::Cps(cps) => cps::run(cps, printer),
        Invocation::Cpsclient(options, command) => cpsclient::run(&options, command, printer),
    }
}

fn nutshell(command: NutshellCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        NutshellCommand::Up(options) => up::up(&options, printer),
        NutshellCommand::Down(options) => down::down(&options, printer),
        NutshellCommand::Status(options) => status::status(&options, printer),
        NutshellCommand::Logs(options) => logs::logs(&options, printer),
        NutshellCommand::Destroy(options) => destroy::destroy(&options, printer),
        NutshellCommand::Doctor => doctor::doctor(printer),
        NutshellCommand::Env(options) => env::env(&options, printer),
        NutshellCommand::Install(options) => install::install(&options, printer),
        NutshellCommand::Completions(wanted) => completions::completions(&wanted, printer),
        NutshellCommand::Man(wanted) => man::man(&wanted, printer),
        NutshellCommand::User(command) => user::user(command, printer),
        NutshellCommand::Cps(cps) => cps::run(*cps, printer),
        NutshellCommand::Director(options) => director::director(&options, printer),
        NutshellCommand::Manager(options) => member::manager(&options),
        NutshellCommand::Agent(options) => member::agent(&options),
    }
}
