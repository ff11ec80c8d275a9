//! Work that its user watches: a line that is finished when the work is, a spinner when it lasts.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Printer;

/// What takes no longer is not worth a spinner.
const PATIENCE: Duration = Duration::from_secs(1);

/// A line that waits for its end: `Service 1 is starting... ` and then `done.`
#[must_use]
pub(crate) struct Activity<'a> {
    printer: &'a Printer,
    open: bool,
}

impl Printer {
    /// Begins such a line. It is part of the answer, and thus on stdout, unless that is JSON.
    pub(crate) fn activity(&self, text: &str) -> Activity<'_> {
        let activity = Activity { printer: self, open: true };
        activity.write(&format!("{text} "));
        activity
    }

    /// A spinner on stderr, if that is a terminal and the work lasts.
    pub(crate) fn spinner(&self, text: &str) -> Spinner {
        Spinner(self.animated().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
                .with_style(style)
                .with_message(text.to_owned())
        }))
    }
}

impl Activity<'_> {
    /// The work is done.
    pub(crate) fn done(mut self) {
        self.end("done.");
    }

    /// The work failed; somebody else says why.
    pub(crate) fn failed(mut self) {
        self.end("FAILED!");
    }

    fn end(&mut self, word: &str) {
        self.open = false;
        self.write(&format!("{word}\n"));
    }

    fn write(&self, text: &str) {
        self.printer.answer_part(text);
    }
}

impl Drop for Activity<'_> {
    /// An error came in between: its message gets a line of its own.
    fn drop(&mut self) {
        if self.open {
            self.end("FAILED!");
        }
    }
}

/// A spinner; gone when dropped.
pub(crate) struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// Waits for the work, and shows the spinner once the work has lasted for a second.
    pub(crate) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(bar) = &self.0 else { return work.await };
        let mut work = std::pin::pin!(work);
        match tokio::time::timeout(PATIENCE, &mut work).await {
            Ok(value) => value,
            Err(_) => {
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.enable_steady_tick(Duration::from_millis(100));
                work.await
            }
        }
    }
}

impl Spinner {
    /// Prints without the spinner in the way.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
