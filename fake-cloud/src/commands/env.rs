//! `fake-cloud env`: what clients need to know of a cloud that runs.

use std::error::Error;
use std::io::{self, Write};

use http::Method;
use serde_json::Value;

use super::client::{Target, segment};
use super::run::{self, export};

/// Print what clients need to know of a cloud that runs, for `eval "$(fake-cloud env)"`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,

    /// Which user they are: `admin`, or another one of the cloud's settings.
    #[arg(long, value_name = "NAME", default_value = run::ADMIN)]
    user: String,
}

/// Prints it.
pub(crate) async fn run(Arguments { target, user }: Arguments) -> Result<(), Box<dyn Error>> {
    let path = format!("/environment/{}", segment(&user));
    let variables = target.answer(Method::GET, &path, Value::Null).await?;
    let mut out = io::stdout().lock();
    for (name, value) in variables.as_object().into_iter().flatten() {
        writeln!(out, "{}", export(name, value.as_str().unwrap_or_default()))?;
    }
    Ok(())
}
