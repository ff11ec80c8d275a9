//! `fake-cloud console`: what a server prints.

use std::error::Error;

use super::client::{Target, segment};

/// Print the console log of a server in a cloud that runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fake-cloud console web-1               # all that is kept of it
  fake-cloud console --lines 20 web-1
  fake-cloud console --follow web-1      # and what it prints from now on, until Ctrl-C")]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The id of the server, or its name.
    server: String,
    /// Go on with what it prints from now on, until it is deleted.
    #[arg(long, short)]
    follow: bool,
    /// Only so many lines, the last ones.
    #[arg(long, short = 'n', value_name = "NUMBER")]
    lines: Option<usize>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { target, server, follow, lines } = arguments;
    let mut query = vec![];
    query.extend(lines.map(|lines| format!("lines={lines}")));
    query.extend(follow.then(|| "follow".to_owned()));
    target.print(&format!("/servers/{}/console?{}", segment(&server), query.join("&"))).await
}
