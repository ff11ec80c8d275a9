//! Waiting for what a server prints, as it comes.

use std::time::Duration;

use fake_cloud::backends::ConsoleStream;
use futures::StreamExt as _;

/// Waits until a console that is followed from its beginning shows the text; returns all of it
/// until then.
pub(crate) async fn shows(mut console: ConsoleStream, text: &str, patience: Duration) -> String {
    let deadline = tokio::time::Instant::now() + patience;
    let mut seen = vec![];
    loop {
        let so_far = String::from_utf8_lossy(&seen);
        if so_far.contains(text) {
            return so_far.into_owned();
        }
        match tokio::time::timeout_at(deadline, console.next()).await {
            Ok(Some(piece)) => seen.extend(piece),
            Ok(None) => panic!("it ended without {text:?}:\n{so_far}"),
            Err(_) => panic!("no {text:?} in\n{so_far}"),
        }
    }
}
