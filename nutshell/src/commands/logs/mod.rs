//! `nutshell logs`: what a part of the stack said, or what a VM printed on its console.

mod follow;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use self::follow::Growth;
use super::cps::connection::connect;
use super::runtime::block_on;
use crate::args::{ConnectionOptions, Logs};
use crate::diagnostics::{Advice, Exit, Failure};
use crate::logging::Part;
use crate::printer::Printer;
use crate::stack::{StateDirectory, consoles};
use fake_cloud::backends::process::Console;

/// Why a log is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    #[error("there is no part and no VM `{0}`")]
    Unknown(String),
    #[error("the name `{name}` has {count} VMs")]
    Ambiguous { name: String, count: usize },
    #[error("failed to read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Advice for LogsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => {
                let parts = Part::ALL.map(Part::name).join(", ");
                Some(format!("the parts are {parts}; `cps cloud list-resources` lists the VMs"))
            }
            Self::Ambiguous { .. } => Some("use the id".to_owned()),
            Self::Read { .. } => None,
        }
    }
}

/// Prints a log, from the beginning or its last lines, and goes on if asked to.
pub(crate) fn logs(options: &Logs, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.state.as_deref())?;
    state.existing()?;
    let part = Part::ALL.into_iter().find(|part| part.name() == options.component);
    let path = match part {
        Some(part) => part.log(&state.logs()),
        None => console(&state, &options.component)?,
    };
    let failed = |source| LogsError::Read { path: path.clone(), source };
    // Watched before it is read: nothing that comes in between is missed.
    let mut growth = match options.follow {
        true => Some(Growth::watch(&path).map_err(failed)?),
        false => None,
    };
    let mut read = print_end(&path, options.lines, printer).map_err(failed)?;
    while let Some(growth) = growth.as_mut().filter(|_| printer.is_read()) {
        growth.wait().map_err(failed)?;
        read = print_from(&path, read, printer).map_err(failed)?;
    }
    Ok(Exit::Success)
}

fn print_end(path: &Path, lines: Option<usize>, printer: &Printer) -> io::Result<u64> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        // A part that has said nothing yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    printer.data_bytes(last_lines(&text, lines));
    Ok(text.len().try_into().unwrap_or(u64::MAX))
}

/// Prints what came after the first `read` bytes; a log that became shorter begins anew.
fn print_from(path: &Path, read: u64, printer: &Printer) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let start = if file.metadata()?.len() < read { 0 } else { read };
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    printer.data_bytes(&text);
    Ok(start + u64::try_from(text.len()).unwrap_or_default())
}

fn last_lines(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else { return text };
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let mut ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match lines {
        0 => &[],
        _ => ends.nth(lines - 1).map_or(text, |(at, _)| &text[at + 1..]),
    }
}

/// The console of a VM: by the number of its node, by its id in the cloud, or by its name.
fn console(state: &StateDirectory, name: &str) -> Result<PathBuf, Failure> {
    let server = match name.parse::<i64>() {
        Ok(node) => block_on(server_of(state, node))?,
        Err(_) => None,
    };
    let wanted = server.as_deref().unwrap_or(name);
    let failed = |source| LogsError::Read { path: state.fake_cloud(), source };
    let all = consoles(state).map_err(failed)?;
    let is_wanted = |one: &Console| one.hostname == wanted || one.id.to_string() == wanted;
    let mut found = all.into_iter().filter(is_wanted);
    let first = found.next().ok_or_else(|| LogsError::Unknown(name.to_owned()))?;
    match found.count() {
        0 => Ok(first.path),
        more => Err(LogsError::Ambiguous { name: name.to_owned(), count: more + 1 }.into()),
    }
}

/// The cloud's id of a node's VM, when the director runs and knows it.
async fn server_of(state: &StateDirectory, node: i64) -> Option<String> {
    let state = Some(state.path().to_owned());
    let options = ConnectionOptions { state, ..ConnectionOptions::default() };
    let nodes = connect(&options).await.ok()?.node_list().await.ok()?.nodes;
    nodes.into_iter().find(|one| one.id.0 == node).map(|node| node.server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_whole_lines() {
        let text = b"one\ntwo\nthree\n";
        assert_eq!(last_lines(text, None), text);
        assert_eq!(last_lines(text, Some(2)), b"two\nthree\n");
        assert_eq!(last_lines(text, Some(9)), text);
        assert_eq!(last_lines(text, Some(0)), b"");
        assert_eq!(last_lines(b"one\ntwo", Some(1)), b"two");
        assert_eq!(last_lines(b"", Some(3)), b"");
    }

    #[test]
    fn a_log_is_read_on_and_from_its_new_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        std::fs::write(&path, "one\n").unwrap();
        let (printer, output) = Printer::captured();
        let read = print_end(&path, None, &printer).unwrap();
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let read = print_from(&path, read, &printer).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        print_from(&path, read, &printer).unwrap();
        assert_eq!(output.stdout(), "one\ntwo\nnew\n");
    }
}
