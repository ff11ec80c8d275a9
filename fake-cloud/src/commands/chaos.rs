//! `fake-cloud chaos`: makes things go wrong in a cloud that runs.

use std::error::Error;

use clap::{Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::client::{Target, segment};

/// Make things go wrong in a cloud that runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A point is an operation of an API (compute:servers.create, ec2:RunInstances) \
or a step of the
work after it (server.spawning, volume.attaching); `*` stands for any text, as in 'volume:*'.

Examples:
  fake-cloud chaos fail compute:servers.create --times 2 --status 503
  fake-cloud chaos fail ec2:RunInstances --status 500 --code InsufficientInstanceCapacity
  fake-cloud chaos fail compute:servers.create --after     # answers 500, and makes the server
  fake-cloud chaos fail server.spawning --times 1 --message 'No valid host was found.'
  fake-cloud chaos hang server.spawning                    # servers stay in BUILD until …
  fake-cloud chaos clear                                   # … that is cleared
  fake-cloud chaos drop 'volume:*' --percent 10 --seed 42
  fake-cloud chaos delay 'identity:*' --seconds 2
  fake-cloud chaos kill web-1
  fake-cloud chaos cut-off web-1
  fake-cloud chaos exhaust pool public
  fake-cloud chaos exhaust quota instances"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// An operation answers with an error, or a step of the work after it fails.
    Fail {
        #[command(flatten)]
        fault: Fault,
        /// The HTTP status of an operation's error.
        #[arg(long, default_value_t = 500)]
        status: u16,
        /// The name of an operation's error, where the API has one.
        #[arg(long)]
        code: Option<String>,
        /// What the answer says, or why the server is in error.
        #[arg(long)]
        message: Option<String>,
        /// Do what was asked all the same.
        #[arg(long)]
        after: bool,
    },
    /// The connection of an operation closes without an answer.
    Drop {
        #[command(flatten)]
        fault: Fault,
        /// Do what was asked all the same.
        #[arg(long)]
        after: bool,
    },
    /// An operation or a step takes longer.
    Delay {
        #[command(flatten)]
        fault: Fault,
        /// By so many seconds.
        #[arg(long)]
        seconds: f64,
    },
    /// A step does not end until that is cleared.
    Hang {
        #[command(flatten)]
        fault: Fault,
    },
    /// A server dies by itself.
    Kill {
        /// Its id, or its name.
        server: String,
    },
    /// A server is cut off the network: nothing reaches it, and it reaches no other.
    CutOff {
        /// Its id, or its name.
        server: String,
    },
    /// A server is back on the network.
    Rejoin {
        /// Its id, or its name.
        server: String,
    },
    /// A pool of addresses or a quota has nothing left until that is cleared.
    Exhaust {
        /// Of what.
        supply: Supply,
        /// The name of the network, or of the quota.
        name: String,
    },
    /// How the cloud is steered at the moment.
    List,
    /// Where things can go wrong.
    Points,
    /// End everything that goes wrong, or one fault by its number.
    Clear {
        /// The number of the fault.
        fault: Option<u64>,
    },
}

#[derive(Debug, clap::Args)]
struct Fault {
    /// Where.
    point: String,
    /// How many times at most; until it is cleared when not given.
    #[arg(long)]
    times: Option<u64>,
    /// How likely it is each time.
    #[arg(long)]
    percent: Option<f64>,
    /// Where the dice begin: the same seed throws the same.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Supply {
    Pool,
    Quota,
}

impl Fault {
    fn with(self, effect: Value) -> (Method, String, Value) {
        let Self { point, times, percent, seed } = self;
        let body = json!({
            "at": point, "effect": effect, "times": times, "percent": percent, "seed": seed
        });
        (Method::POST, "/faults".to_owned(), body)
    }

    /// Operations have a colon, steps have none.
    fn is_at_operation(&self) -> bool {
        self.point.contains(':')
    }
}

pub(crate) async fn run(Arguments { target, command }: Arguments) -> Result<(), Box<dyn Error>> {
    let at_server = |server: &str, what| format!("/servers/{}/{what}", segment(server));
    let (method, path, body) = match command {
        Command::Fail { fault, status, code, message, after } => {
            let effect = if fault.is_at_operation() {
                json!({"error": {
                    "status": status, "code": code, "message": message, "after": after
                }})
            } else {
                json!({"fail": {"message": message}})
            };
            fault.with(effect)
        }
        Command::Drop { fault, after } => fault.with(json!({"drop": {"after": after}})),
        Command::Delay { fault, seconds } => fault.with(json!({"delay": {"seconds": seconds}})),
        Command::Hang { fault } => fault.with(json!("hang")),
        Command::Kill { server } => (Method::POST, at_server(&server, "kill"), Value::Null),
        Command::CutOff { server } => (Method::POST, at_server(&server, "cut-off"), Value::Null),
        Command::Rejoin { server } => (Method::POST, at_server(&server, "rejoin"), Value::Null),
        Command::Exhaust { supply: Supply::Pool, name } => {
            (Method::POST, "/exhausted".to_owned(), json!({"pool": name}))
        }
        Command::Exhaust { supply: Supply::Quota, name } => {
            (Method::POST, "/exhausted".to_owned(), json!({"quota": name}))
        }
        Command::List => (Method::GET, String::new(), Value::Null),
        Command::Points => (Method::GET, "/points".to_owned(), Value::Null),
        Command::Clear { fault: None } => (Method::DELETE, String::new(), Value::Null),
        Command::Clear { fault: Some(number) } => {
            (Method::DELETE, format!("/faults/{number}"), Value::Null)
        }
    };
    target.ask(method, &path, body).await
}
