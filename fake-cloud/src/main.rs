//! The `fake-cloud` executable: a cloud of its own, and what can be done to one from outside.

mod commands;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// An IaaS in one process, with the real APIs of OpenStack and EC2.
///
/// Without a command it runs a cloud, in the foreground until it is told to end.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: commands::run::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    Exec(commands::exec::Arguments),
    Start(commands::background::Start),
    Env(commands::env::Arguments),
    Stop(commands::background::Stop),
    Chaos(commands::chaos::Arguments),
    Time(commands::time::Arguments),
    Console(commands::console::Arguments),
    Clean(commands::clean::Arguments),
    Snapshot(commands::snapshot::Snapshot),
    Restore(commands::snapshot::Restore),
    /// Makes and keeps root file systems that servers boot from.
    #[command(subcommand)]
    Image(commands::image::Command),
}

/// How long what blocks, such as the copy of a disk, may delay the end.
const FAREWELL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    fake_cloud::guest::run_if_guest();
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("FAKE_CLOUD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let done = tokio::runtime::Runtime::new().map_err(Box::from).and_then(|runtime| {
        let done = runtime.block_on(perform(arguments));
        // All that counts is kept, but what only a running cloud has goes with its tasks.
        runtime.shutdown_timeout(FAREWELL);
        done
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            let mut line = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                line.push_str(&format!(": {error}"));
                cause = error.source();
            }
            // Nobody is left to tell when this fails.
            let _ = writeln!(io::stderr(), "{line}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(Arguments { command, run }: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Some(command) = command else {
        return commands::run::run(run).await.map(|()| ExitCode::SUCCESS);
    };
    match command {
        Command::Exec(arguments) => return commands::exec::run(arguments).await,
        Command::Start(arguments) => return commands::background::start(arguments).await,
        Command::Env(arguments) => commands::env::run(arguments).await,
        Command::Stop(arguments) => commands::background::stop(arguments).await,
        Command::Chaos(arguments) => commands::chaos::run(arguments).await,
        Command::Time(arguments) => commands::time::run(arguments).await,
        Command::Console(arguments) => commands::console::run(arguments).await,
        Command::Clean(arguments) => commands::clean::run(arguments),
        Command::Snapshot(arguments) => commands::snapshot::snapshot(arguments).await,
        Command::Restore(arguments) => commands::snapshot::restore(arguments).await,
        Command::Image(command) => commands::image::run(command),
    }?;
    Ok(ExitCode::SUCCESS)
}
