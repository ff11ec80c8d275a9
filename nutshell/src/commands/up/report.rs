//! What `up` tells while it starts; the same in the foreground and from the background.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::args::ConnectionOptions;
use crate::commands::cps::connection::connect;
use crate::diagnostics::{Exit, Failure};
use crate::printer::Printer;
use crate::stack::{Running, Stack, StateDirectory, Step};

/// How long the summary waits for the number of credits.
const PATIENCE: Duration = Duration::from_millis(500);

/// One thing to tell.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// A step is done.
    Step(Step),
    /// Everything runs.
    Ready(Summary),
    /// Nothing runs.
    Failed {
        /// What failed, then why.
        chain: Vec<String>,
        /// What to do next.
        hint: Option<String>,
        /// Whether nobody foresaw it.
        unexpected: bool,
    },
}

/// What a user needs to know of a stack that runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    #[serde(flatten)]
    running: Running,
    password: String,
    /// What the first user has left; `None` when the director did not say at once.
    credits: Option<i64>,
    state: PathBuf,
    took: Duration,
    background: bool,
}

impl Summary {
    /// Of a stack whose start was begun then.
    pub(super) async fn of(
        stack: &Stack,
        state: &StateDirectory,
        begun: Instant,
        background: bool,
    ) -> Self {
        Self {
            took: begun.elapsed(),
            running: stack.running().clone(),
            password: stack.credentials.password.clone(),
            credits: tokio::time::timeout(PATIENCE, credits(state)).await.unwrap_or_default(),
            state: state.path().to_owned(),
            background,
        }
    }
}

/// Asks as any client would; the session is there for the next command.
async fn credits(state: &StateDirectory) -> Option<i64> {
    let options =
        ConnectionOptions { state: Some(state.path().to_owned()), ..ConnectionOptions::default() };
    let client = connect(&options).await.ok()?;
    Some(client.user_view().await.ok()?.credits)
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        let unexpected = failure.exit == Exit::Unexpected;
        Self::Failed { chain: failure.chain, hint: failure.hint, unexpected }
    }
}

/// Tells the user.
pub(super) fn print(printer: &Printer, report: &Report) -> Exit {
    match report {
        Report::Step(Step { text, took }) => {
            let mark = printer.paint("32", "✓");
            printer.note(format!("{mark} {text:34} {:.2} s", took.as_secs_f64()));
            Exit::Success
        }
        Report::Ready(summary) => {
            let linked = is_linked("cps");
            printer.answer(summary, |summary| describe(summary, linked));
            Exit::Success
        }
        Report::Failed { chain, hint, unexpected } => {
            let exit = if *unexpected { Exit::Unexpected } else { Exit::Failure };
            Failure { chain: chain.clone(), hint: hint.clone(), exit }.report(printer);
            exit
        }
    }
}

/// Whether the name is a command already, and is ours.
fn is_linked(name: &str) -> bool {
    let ours = std::env::current_exe().and_then(std::fs::canonicalize).ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path).map(|one| one.join(name)).find(|path| path.exists());
    ours.is_some() && first.and_then(|path| path.canonicalize().ok()) == ours
}

fn describe(summary: &Summary, linked: bool) -> String {
    let Summary { running, password, credits, took, background, .. } = summary;
    let credits = credits.map(|n| format!("\n  {:14}{n}", "Credits")).unwrap_or_default();
    let (addresses, took) = (running.summary(), took.as_secs_f64());
    let (cps, names) = match linked {
        true => ("cps", ""),
        false => (
            "nutshell cps",
            "Give the clients names of their own (cps, cpsclient, ...):\n  nutshell install\n",
        ),
    };
    let (place, end) = match background {
        true => ("", "`nutshell down`"),
        false => (", in another terminal", "Ctrl-C"),
    };
    format!(
        "\nNutshell is up, after {took:.2} s.\n\n{addresses}\n  {:14}{password}{credits}\n\n{names}\
         Begin{place}:\n  {cps} service create generic\n\
         {end} ends everything; the next `nutshell up` brings it back.",
        "Password"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(background: bool) -> Summary {
        Summary {
            running: Running::example(),
            password: "sesame".to_owned(),
            credits: Some(50),
            state: "/state".into(),
            took: Duration::from_millis(310),
            background,
        }
    }

    #[test]
    fn the_summary_names_addresses_the_password_and_the_next_command() {
        assert_eq!(
            describe(&summary(false), false),
            "
Nutshell is up, after 0.31 s.

  Web page      https://127.56.0.1:5555/
  Director API  https://127.56.0.1:5555
  OpenStack API http://127.56.0.1:5000/v3
  User          test
  Password      sesame
  Credits       50

Give the clients names of their own (cps, cpsclient, ...):
  nutshell install
Begin, in another terminal:
  nutshell cps service create generic
Ctrl-C ends everything; the next `nutshell up` brings it back."
        );
        let text = describe(&summary(true), true);
        assert!(text.contains("\nBegin:\n  cps service create generic\n`nutshell down`"), "{text}");
        assert!(!text.contains("install"), "{text}");
    }

    #[test]
    fn reports_cross_the_pipe() {
        let failed = Report::Failed {
            chain: vec!["failed to start the cloud".to_owned(), "no".to_owned()],
            hint: Some("look".to_owned()),
            unexpected: true,
        };
        let step = Report::Step(Step { text: "a".to_owned(), took: Duration::from_millis(7) });
        let through = |report: &Report| -> Report {
            serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
        };
        let (printer, output) = Printer::captured();
        assert_eq!(print(&printer, &through(&failed)), Exit::Unexpected);
        assert_eq!(print(&printer, &through(&step)), Exit::Success);
        assert_eq!(print(&printer, &through(&Report::Ready(summary(true)))), Exit::Success);
        let stderr = output.stderr();
        assert!(
            stderr.starts_with("error: failed to start the cloud\n  cause: no\nhint: look\n✓ a   "),
            "{stderr}"
        );
        assert!(output.stdout().contains("sesame"));
    }
}
