//! The `appliance` executable.

mod commands;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Makes and checks the virtual machine that people download.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(commands::build::Arguments),
    Pack(commands::pack::Arguments),
    Check(commands::check::Arguments),
    Boot(commands::boot::Arguments),
    Import(commands::import::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Build(arguments) => commands::build::run(arguments),
        Command::Pack(arguments) => commands::pack::run(arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Boot(arguments) => commands::boot::run(arguments),
        Command::Import(arguments) => commands::import::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        let mut line = format!("error: {error}");
        let mut next = error.source();
        while let Some(cause) = next {
            line.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        // Whoever closed it does not want to read it.
        let _ = writeln!(io::stderr(), "{line}");
        ExitCode::FAILURE
    })
}

/// What a command ends with.
type Outcome = Result<ExitCode, Box<dyn Error>>;
