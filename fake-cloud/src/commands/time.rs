//! `fake-cloud time`: how long things take in a cloud that runs, and what time it is there.

use std::error::Error;

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::client::Target;

/// Say how long things take in a cloud that runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fake-cloud time manual                                   # servers stay in BUILD …
  fake-cloud time step --step server.spawning --count 1    # … until they are stepped
  fake-cloud time timed --seconds server.spawning=30       # as slow as a real cloud
  fake-cloud time immediate
  fake-cloud time latency 0.2 --region west                # how far away that is
  fake-cloud time advance 3600                             # tokens have expired")]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work begins at once.
    Immediate,
    /// Work takes as long as in a real cloud, by the cloud's clock.
    Timed {
        /// How long a step takes, in seconds; `fake-cloud chaos points` lists the steps.
        #[arg(long, value_name = "STEP=SECONDS", value_parser = step_seconds)]
        seconds: Vec<(String, f64)>,
    },
    /// Work waits until it is stepped.
    Manual,
    /// Every answer of a region's APIs comes so much later.
    Latency {
        /// In seconds.
        seconds: f64,
    },
    /// Let work go on that waits, the oldest first.
    Step {
        /// How many pieces of work; all when not given.
        #[arg(long)]
        count: Option<usize>,
        /// Only of this server, volume or snapshot.
        #[arg(long)]
        id: Option<Uuid>,
        /// Only of this step; `*` stands for any text.
        #[arg(long)]
        step: Option<String>,
    },
    /// Move the clock of the cloud forward.
    Advance {
        /// By so many seconds.
        seconds: f64,
    },
}

fn step_seconds(text: &str) -> Result<(String, f64), String> {
    let parsed = text
        .split_once('=')
        .and_then(|(step, seconds)| Some((step.to_owned(), seconds.parse::<f64>().ok()?)));
    parsed.ok_or_else(|| "write it as server.spawning=30".to_owned())
}

pub(crate) async fn run(Arguments { target, command }: Arguments) -> Result<(), Box<dyn Error>> {
    let (method, path, body) = match command {
        Command::Immediate => (Method::PUT, "/transitions", json!({"mode": "immediate"})),
        Command::Manual => (Method::PUT, "/transitions", json!({"mode": "manual"})),
        Command::Timed { seconds } => {
            let seconds: Map<String, Value> =
                seconds.into_iter().map(|(step, seconds)| (step, json!(seconds))).collect();
            (Method::PUT, "/transitions", json!({"mode": "timed", "seconds": seconds}))
        }
        Command::Step { count, id, step } => {
            (Method::POST, "/step", json!({"count": count, "id": id, "step": step}))
        }
        Command::Latency { seconds } => (Method::PUT, "/latency", json!({"seconds": seconds})),
        Command::Advance { seconds } => (Method::POST, "/clock", json!({"seconds": seconds})),
    };
    target.ask(method, path, body).await
}
