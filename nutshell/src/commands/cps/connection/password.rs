//! Asking a person for a name and a password.

use std::io::{self, BufRead, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::CpsError;
use crate::printer::Printer;

/// The name of the user, as typed.
pub(crate) fn ask_username(printer: &Printer) -> Result<String, CpsError> {
    let nobody = || CpsError::NoPassword { username: "(none given)".to_owned() };
    if !io::stdin().is_terminal() {
        return Err(nobody());
    }
    printer.prompt("Enter your username: ");
    read_line().map_err(|_| nobody())
}

/// The password of a user, as typed and not shown.
pub(crate) fn ask(username: &str, printer: &Printer) -> Result<String, CpsError> {
    ask_silently(username, &format!("Enter the password of {username}: "), printer)
}

/// A new password, typed twice.
pub(crate) fn ask_new(username: &str, printer: &Printer) -> Result<String, CpsError> {
    loop {
        let first = ask_silently(username, "Enter the new password: ", printer)?;
        if first == ask_silently(username, "Enter it again: ", printer)? {
            return Ok(first);
        }
        printer.note("Passwords do not match. Try again.");
    }
}

fn ask_silently(username: &str, question: &str, printer: &Printer) -> Result<String, CpsError> {
    let nobody = || CpsError::NoPassword { username: username.to_owned() };
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(nobody());
    }
    printer.prompt(question);
    let before = tcgetattr(&stdin).map_err(|_| nobody())?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &silent).map_err(|_| nobody())?;
    let typed = read_line();
    let restored = tcsetattr(&stdin, OptionalActions::Now, &before);
    printer.prompt("\n");
    restored.map_err(|_| nobody())?;
    typed.map_err(|_| nobody())
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(io::ErrorKind::UnexpectedEof.into()),
        line => Ok(line.to_owned()),
    }
}
