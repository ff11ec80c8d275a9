//! `fake-cloud clean`: removes what a killed cloud has left.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use fake_cloud::Leftovers;

/// Remove what a cloud that was killed has left outside its state directory.
///
/// Its servers have died with it; a start on the same directory does this too. Says what it removes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The state directory of the cloud; it stays.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(Arguments { state, dry_run }: Arguments) -> Result<(), Box<dyn Error>> {
    let leftovers = Leftovers::find(&state)?;
    let mut out = io::stdout().lock();
    for thing in leftovers.list() {
        writeln!(out, "{thing}")?;
    }
    if dry_run { Ok(()) } else { Ok(leftovers.remove()?) }
}
