//! All output: data on stdout, everything else on stderr, readable without colour.

mod activity;
mod table;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::ValueEnum;
use protocol::api::LogText;
use serde::Serialize;

pub(crate) use activity::Activity;
pub(crate) use table::Table;

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Not documentation comments: those would make every `--help` three times as long.
    // For people.
    #[default]
    Table,
    // For programs.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    // On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is said beside the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors alone.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// Details too.
    Verbose,
}

/// What the user asked of the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How data is printed.
    pub(crate) format: Format,
    /// When to use colours.
    pub(crate) color: Color,
    /// How much is said beside the data.
    pub(crate) verbosity: Verbosity,
}

/// The one who writes to the terminal. A copy writes to the same place.
#[derive(Clone)]
pub(crate) struct Printer {
    settings: Settings,
    colored: bool,
    animated: bool,
    streams: Arc<Mutex<Streams>>,
}

/// Where the printer writes.
struct Streams {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Nobody reads the data any more.
    unread: bool,
}

impl Printer {
    /// Prints to stdout and stderr.
    pub(crate) fn new(settings: Settings) -> Self {
        let terminal = io::stderr().is_terminal();
        let colored = match settings.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        let animated = terminal && settings.verbosity == Verbosity::Normal;
        Self::to(settings, colored, animated, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    fn to(
        settings: Settings,
        colored: bool,
        animated: bool,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        let streams = Arc::new(Mutex::new(Streams { out, err, unread: false }));
        Self { settings, colored, animated, streams }
    }

    /// How data is to be printed.
    pub(crate) fn format(&self) -> Format {
        self.settings.format
    }

    /// Whether something may move on the terminal.
    pub(crate) fn animated(&self) -> bool {
        self.animated
    }

    /// A line of data.
    pub(crate) fn data(&self, text: impl Display) {
        self.data_part(&format!("{text}\n"));
    }

    /// A part of a line of data, to be seen at once.
    pub(crate) fn data_part(&self, text: &str) {
        self.data_bytes(text.as_bytes());
    }

    /// Data as it is.
    pub(crate) fn data_bytes(&self, bytes: &[u8]) {
        let mut streams = self.streams();
        // A reader that went away, as `head` does, is no error.
        if streams.out.write_all(bytes).and_then(|()| streams.out.flush()).is_err() {
            streams.unread = true;
        }
    }

    /// Whether somebody still reads the data, as far as writing to them has shown.
    pub(crate) fn is_read(&self) -> bool {
        !self.streams().unread
    }

    /// A line beside the data.
    pub(crate) fn note(&self, text: impl Display) {
        self.note_part(&format!("{text}\n"));
    }

    /// A part of such a line.
    pub(crate) fn note_part(&self, text: &str) {
        if self.settings.verbosity > Verbosity::Quiet {
            self.stderr(text);
        }
    }

    /// A line that few want to see.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.settings.verbosity >= Verbosity::Verbose {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// A warning: what is wrong, and what can be done.
    pub(crate) fn warn(&self, text: impl Display) {
        if self.settings.verbosity > Verbosity::Quiet {
            self.stderr(&format!("{} {text}\n", self.paint("33;1", "warning:")));
        }
    }

    /// What failed.
    pub(crate) fn error(&self, text: impl Display) {
        self.stderr(&format!("{} {text}\n", self.paint("31;1", "error:")));
    }

    /// Why it failed.
    pub(crate) fn cause(&self, text: impl Display) {
        self.stderr(&format!("  {} {text}\n", self.paint("31", "cause:")));
    }

    /// What to do next.
    pub(crate) fn hint(&self, text: impl Display) {
        self.stderr(&format!("{} {text}\n", self.paint("36;1", "hint:")));
    }

    /// The text in a colour, where colours are wanted.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A value as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string());
        self.data(text);
    }

    /// Items as a table or as JSON; `none` is what people read when there are none.
    pub(crate) fn list<T: Serialize>(
        &self,
        items: &[T],
        none: &str,
        table: impl FnOnce(&[T]) -> Table,
    ) {
        match self.format() {
            Format::Json => self.json(&items),
            Format::Table if items.is_empty() => self.data(none),
            Format::Table => self.data(table(items).render()),
        }
    }

    /// Items one a line, or as JSON.
    pub(crate) fn lines<T: Serialize>(&self, items: &[T], none: &str, line: impl Fn(&T) -> String) {
        match self.format() {
            Format::Json => self.json(&items),
            Format::Table if items.is_empty() => self.data(none),
            Format::Table => items.iter().for_each(|item| self.data(line(item))),
        }
    }

    /// One thing as `key: value` lines, or as JSON.
    pub(crate) fn fields<T: Serialize>(&self, value: &T, fields: impl FnOnce(&T) -> Vec<Field>) {
        match self.format() {
            Format::Json => self.json(value),
            Format::Table => {
                for (key, value) in fields(value) {
                    self.data(format!("{key}: {value}"));
                }
            }
        }
    }

    /// The answer to a command that did something: a sentence, or the value as JSON.
    pub(crate) fn answer<T: Serialize>(&self, value: &T, sentence: impl FnOnce(&T) -> String) {
        match self.format() {
            Format::Json => self.json(value),
            Format::Table => self.data(sentence(value)),
        }
    }

    /// A part of the answer that only people read.
    pub(crate) fn answer_part(&self, text: &str) {
        match self.format() {
            Format::Json => self.note_part(text),
            Format::Table => self.data_part(text),
        }
    }

    /// A value, where programs read.
    pub(crate) fn json_only(&self, value: &impl Serialize) {
        if self.format() == Format::Json {
            self.json(value);
        }
    }

    /// A log, as it is.
    pub(crate) fn log(&self, log: &LogText) {
        match self.format() {
            Format::Json => self.json(log),
            Format::Table => self.data_bytes(log.log.as_bytes()),
        }
    }

    /// A question.
    pub(crate) fn prompt(&self, text: &str) {
        self.stderr(text);
    }

    fn stderr(&self, text: &str) {
        let mut streams = self.streams();
        let _ = streams.err.write_all(text.as_bytes()).and_then(|()| streams.err.flush());
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key and its value.
pub(crate) type Field = (&'static str, String);

#[cfg(test)]
mod tests {
    use super::*;

    /// What a printer wrote.
    #[derive(Clone, Default)]
    pub(crate) struct Captured {
        out: Buffer,
        err: Buffer,
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Captured {
        pub(crate) fn stdout(&self) -> String {
            String::from_utf8(self.out.0.lock().unwrap().clone()).unwrap()
        }

        pub(crate) fn stderr(&self) -> String {
            String::from_utf8(self.err.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Printer {
        pub(crate) fn captured() -> (Self, Captured) {
            Self::captured_with(Format::Table, Verbosity::Normal)
        }

        pub(crate) fn captured_with(format: Format, verbosity: Verbosity) -> (Self, Captured) {
            let captured = Captured::default();
            let settings = Settings { format, color: Color::Never, verbosity };
            let (out, err) = (captured.out.clone(), captured.err.clone());
            (Self::to(settings, false, false, Box::new(out), Box::new(err)), captured)
        }
    }

    #[test]
    fn data_and_the_rest_do_not_mix() {
        let (printer, output) = Printer::captured();
        printer.data("the answer");
        printer.note("by the way");
        printer.detail("not now");
        printer.warn("beware");
        assert_eq!(output.stdout(), "the answer\n");
        assert_eq!(output.stderr(), "by the way\nwarning: beware\n");
    }

    #[test]
    fn quiet_leaves_data_and_errors() {
        let (printer, output) = Printer::captured_with(Format::Table, Verbosity::Quiet);
        printer.data("the answer");
        printer.note("by the way");
        printer.warn("beware");
        printer.error("no");
        assert_eq!(output.stdout(), "the answer\n");
        assert_eq!(output.stderr(), "error: no\n");
    }

    #[test]
    fn a_list_is_a_table_or_json_and_never_nothing() {
        let table = |items: &[i64]| {
            let mut table = Table::new(["n"]);
            items.iter().for_each(|item| table.row([(*item).into()]));
            table
        };
        let (printer, output) = Printer::captured();
        printer.list(&[7], "No numbers.", table);
        printer.list(&[], "No numbers.", table);
        assert_eq!(output.stdout(), "n\n-\n7\nNo numbers.\n");

        let (printer, output) = Printer::captured_with(Format::Json, Verbosity::Normal);
        printer.list(&[], "No numbers.", table);
        assert_eq!(output.stdout(), "[]\n");
    }

    #[test]
    fn an_activity_is_one_line_on_stdout_and_beside_json_on_stderr() {
        let (printer, output) = Printer::captured();
        printer.activity("Service 1 is starting...").done();
        drop(printer.activity("Service 2 is starting..."));
        assert_eq!(
            output.stdout(),
            "Service 1 is starting... done.\nService 2 is starting... FAILED!\n"
        );

        let (printer, output) = Printer::captured_with(Format::Json, Verbosity::Normal);
        printer.activity("Service 1 is starting...").failed();
        assert_eq!(output.stdout(), "");
        assert_eq!(output.stderr(), "Service 1 is starting... FAILED!\n");
    }
}
