//! How a command that failed says so: what failed and why, what to do next, and the exit code.

use std::error::Error;
use std::process::ExitCode;

use crate::printer::Printer;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Success,
    /// It did not, for a reason its user can do something about.
    Failure,
    /// It did not, for a reason nobody foresaw. Wrong usage ends with the same code.
    Unexpected,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::from(0),
            Exit::Failure => Self::from(1),
            Exit::Unexpected => Self::from(2),
        }
    }
}

/// What an error knows beyond its message.
pub(crate) trait Advice {
    /// The next step to take, where there is one.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The exit code it deserves.
    fn exit(&self) -> Exit {
        Exit::Failure
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What failed, then why, outermost first.
    pub(crate) chain: Vec<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl<E: Error + Advice> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { chain: chain(&error), hint: error.hint(), exit: error.exit() }
    }
}

impl Failure {
    /// Tells the user: a mistake in one line, what nobody foresaw cause by cause.
    pub(crate) fn report(&self, printer: &Printer) {
        match self.exit {
            Exit::Success | Exit::Failure => {
                let plain = self.chain.iter().map(|message| without_number(message));
                printer.error(plain.collect::<Vec<_>>().join(": "));
            }
            Exit::Unexpected => {
                let mut messages = self.chain.iter();
                messages.next().into_iter().for_each(|message| printer.error(message));
                messages.for_each(|cause| printer.cause(cause));
            }
        }
        if let Some(hint) = &self.hint {
            printer.hint(hint);
        }
    }
}

/// `No such file or directory (os error 2)` without the number, which helps no user.
fn without_number(message: &str) -> &str {
    message.split(" (os error ").next().unwrap_or(message)
}

/// The messages of an error and its sources; one that only repeats the last is left out.
pub(crate) fn chain(error: &dyn Error) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        if messages.last().is_none_or(|last| !last.ends_with(&message)) {
            messages.push(message);
        }
        next = error.source();
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Example {
        #[error("failed to open the state directory")]
        Open(#[source] std::io::Error),
        #[error("failed to read app.tar.gz")]
        Read(#[source] std::io::Error),
        #[error(transparent)]
        Other(std::io::Error),
    }

    impl Advice for Example {
        fn hint(&self) -> Option<String> {
            Some("look at it".to_owned())
        }

        fn exit(&self) -> Exit {
            match self {
                Self::Open(_) => Exit::Unexpected,
                Self::Other(_) | Self::Read(_) => Exit::Failure,
            }
        }
    }

    #[test]
    fn a_mistake_is_told_in_one_line() {
        let (printer, output) = Printer::captured();
        Failure::from(Example::Read(std::io::Error::from_raw_os_error(2))).report(&printer);
        assert_eq!(
            output.stderr(),
            "error: failed to read app.tar.gz: No such file or directory\nhint: look at it\n"
        );
    }

    #[test]
    fn an_unforeseen_error_is_told_with_its_causes_and_its_hint() {
        let (printer, output) = Printer::captured();
        Failure::from(Example::Open(std::io::Error::other("disk gone"))).report(&printer);
        assert_eq!(
            output.stderr(),
            "error: failed to open the state directory\n  cause: disk gone\nhint: look at it\n"
        );
        assert_eq!(output.stdout(), "");
    }

    #[test]
    fn a_transparent_error_is_told_once() {
        assert_eq!(chain(&Example::Other(std::io::Error::other("full"))), ["full"]);
    }
}
