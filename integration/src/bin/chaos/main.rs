//! A platform in trouble: users ask for things at random while processes are killed, servers
//! vanish, clocks jump and the cloud fails. Once that ends, everything must become what was asked for, or say
//! why not, and nothing may be left over.
//!
//! `cargo run --bin chaos -- [--seed N] [--seeds COUNT] [--rounds N] [--verbose yes]`; needs
//! `cargo build --workspace` before, and the library libfaketime. A seed decides what is asked for and what goes wrong, and when; not who is quicker.

mod cloud;
mod oracle;
mod plan;
mod trouble;
mod user;
mod verdict;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use user::User;
use world::{World, pause};

/// How long everything may take to settle after the last trouble.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked for on the command line.
struct Options {
    seed: u64,
    seeds: u64,
    rounds: usize,
    /// Tells of every round.
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    if arguments.first().is_some_and(|first| first == cloud::ROLE) {
        return match runtime.block_on(cloud::serve(&arguments[1..])) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => said(&format!("error: {error}"), ExitCode::FAILURE),
        };
    }
    // What clients speak TLS with.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(options) = Options::parse(&arguments) else {
        return said(
            "usage: chaos [--seed N] [--seeds COUNT] [--rounds N] [--verbose yes]",
            ExitCode::from(2),
        );
    };
    runtime.block_on(all(&options))
}

impl Options {
    fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self { seed: 1, seeds: 1, rounds: 40, verbose: false };
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return None };
            match name.as_str() {
                "--seed" => options.seed = value.parse().ok()?,
                "--seeds" => options.seeds = value.parse().ok()?,
                "--rounds" => options.rounds = value.parse().ok()?,
                "--verbose" => options.verbose = value == "yes",
                _ => return None,
            }
        }
        Some(options)
    }
}

#[expect(clippy::print_stderr, reason = "what a command says is for people")]
fn said(text: &str, code: ExitCode) -> ExitCode {
    eprintln!("{text}");
    code
}

async fn all(options: &Options) -> ExitCode {
    let (mut failed, mut kills) = (Vec::new(), 0);
    for seed in options.seed..options.seed + options.seeds {
        let begun = Instant::now();
        match run(seed, options).await {
            Ok(run) => {
                kills += run.kills;
                let took = begun.elapsed().as_secs_f64();
                said(&format!("seed {seed}: {} in {took:.1} s", run.told), ExitCode::SUCCESS);
            }
            Err(why) => {
                failed.push(seed);
                said(&format!("seed {seed} FAILED:\n{why}"), ExitCode::SUCCESS);
            }
        }
    }
    let seeds = options.seeds;
    match failed.is_empty() {
        true => said(&format!("{seeds} seeds, {kills} kills: all held"), ExitCode::SUCCESS),
        false => said(&format!("{} of {seeds} seeds: {failed:?}", failed.len()), ExitCode::FAILURE),
    }
}

/// What came of a run.
struct Run {
    kills: u32,
    told: String,
}

async fn run(seed: u64, options: &Options) -> Result<Run, String> {
    let mut world = World::start().await?;
    let mut users = world.users();
    match ordeal(&mut world, &mut users, seed, options).await {
        Ok(()) => {
            let sum = |kind: usize| users.iter().map(|user| user.told[kind]).sum::<u32>();
            let [accepted, refused, nothing] = [0, 1, 2].map(sum);
            let kills = world.kills;
            let told = format!(
                "{accepted} actions accepted, {refused} refused, {nothing} unanswered, {kills} kills"
            );
            Ok(Run { kills, told })
        }
        Err(why) => Err(format!("{why}\nthe state is kept in {}", world.keep().display())),
    }
}

async fn ordeal(
    world: &mut World,
    users: &mut [User],
    seed: u64,
    options: &Options,
) -> Result<(), String> {
    for round in plan::rounds(seed, options.rounds) {
        let begun = Instant::now();
        let client = world.client(round.user);
        let user = &mut users[round.user];
        let trouble = async {
            match round.trouble {
                None => Ok(()),
                Some((after, trouble)) => {
                    pause(after).await;
                    trouble::cause(world, trouble).await
                }
            }
        };
        let ((), caused) = tokio::join!(user.act(&client, round.action, round.patient), trouble);
        caused.map_err(|why| format!("{round:?}: {why}"))?;
        if options.verbose {
            said(&format!("{:6.2} s {round:?}", begun.elapsed().as_secs_f64()), ExitCode::SUCCESS);
        }
    }
    world.cloud.steer(Method::DELETE, "", Value::Null).await?;
    settled(world, users).await?;
    for (number, user) in users.iter_mut().enumerate() {
        let left = user.leave(&world.client(number)).await;
        left.map_err(|error| format!("cannot delete everything: {error}"))?;
    }
    settled(world, users).await.map_err(|why| format!("after everything was deleted:\n{why}"))
}

/// Everything holds, sooner or later.
async fn settled(world: &World, users: &mut [User]) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let violations = verdict::violations(world, users).await;
        if violations.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(violations.join("\n"));
        }
        pause(Duration::from_millis(100)).await;
    }
}
